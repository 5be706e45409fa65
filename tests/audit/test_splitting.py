"""Holds that an audit log is cut into the same records wherever its pieces end, in both of its forms."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from rekey.audit.splitting import Piece, Splitter

BOM = b"\xef\xbb\xbf"
SHORT = 40
"""Bytes a record may have here."""

TEXT = st.text(max_size=8) | st.sampled_from(['"', "\\", '\\"', "{", "}}", "]", "\n", 'x"},{', "é"])
OBJECTS = st.dictionaries(TEXT, TEXT | st.dictionaries(TEXT, TEXT, max_size=1), min_size=1, max_size=2)
LISTS = st.lists(OBJECTS, max_size=6)
CUTS = st.lists(st.integers(min_value=0, max_value=400), max_size=6)


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    """Return the body in pieces."""
    borders = [0, *sorted(min(c, len(body)) for c in cuts), len(body)]
    return [body[a:b] for a, b in pairwise(borders)]


def split(splitter: Splitter, *chunks: bytes) -> list[Piece]:
    """Return everything that is handed out, the last line if it is JSON."""
    found = [piece for chunk in chunks for piece in splitter.feed(chunk)]
    last = splitter.last()
    if last and is_json(last.raw):
        found.append(last)
        splitter.accept_last()
    return found


def is_json(raw: bytes) -> bool:
    """Tell whether it can be read."""
    try:
        json.loads(raw)
    except ValueError:
        return False
    return True


def raws(pieces: list[Piece]) -> list[bytes]:
    """Return the records alone."""
    return [piece.raw for piece in pieces]


def dump(one: object) -> bytes:
    """Return an object as a service may write it."""
    return json.dumps(one, ensure_ascii=False).encode()


@given(objects=LISTS, cuts=CUTS, ending=st.sampled_from([b"\n", b"\r\n", b"\n\r\n  \n"]), bom=st.booleans())
def test_lines_come_out_whatever_the_chunks(
    objects: list[dict[str, object]], cuts: list[int], ending: bytes, *, bom: bool
) -> None:
    """Every line is handed out once and in order, whatever ends it and wherever the chunks end."""
    body = BOM * bom + b"".join(dump(one) + ending for one in objects)
    splitter = Splitter()
    found = split(splitter, *cut(body, cuts))
    assert raws(found) == [dump(one) for one in objects]
    assert all(body[piece.start :].lstrip(BOM).startswith(piece.raw) for piece in found)
    assert splitter.done == len(body) or not objects


@given(objects=LISTS, cuts=CUTS, indent=st.sampled_from([None, 1]), bom=st.booleans())
def test_lists_come_out_whatever_the_chunks(
    objects: list[dict[str, object]], cuts: list[int], indent: int | None, *, bom: bool
) -> None:
    """Every object of the older form is handed out once and in order, wherever the chunks end."""
    body = BOM * bom + json.dumps({"records": objects}, indent=indent, ensure_ascii=False).encode()
    splitter = Splitter()
    found = split(splitter, *cut(body, cuts))
    assert [json.loads(piece.raw) for piece in found] == objects
    assert splitter.records
    assert body[splitter.done :].split() in ([b"]}"], [b"]", b"}"])


@given(objects=LISTS, more=LISTS, records=st.booleans(), at=st.integers(min_value=0, max_value=400))
def test_a_grown_log_goes_on_where_it_was(
    objects: list[dict[str, object]], more: list[dict[str, object]], at: int, *, records: bool
) -> None:
    """A log that was read while it was shorter yields, with its new part, each record once."""
    before, after = (form(o, records=records) for o in (objects, objects + more))
    if not records:
        before = after[: min(at, len(after))]  # torn anywhere
    splitter = Splitter()
    first = split(splitter, before)
    rest = Splitter(splitter.done, records=splitter.records)
    second = split(rest, after[splitter.done :])
    assert raws(first + second) == [dump(one) for one in objects + more]


def form(objects: list[dict[str, object]], *, records: bool) -> bytes:
    """Return a whole log."""
    dumped = [dump(one) for one in objects]
    return b'{"records":[' + b",".join(dumped) + b"]}" if records else b"".join(one + b"\r\n" for one in dumped)


@given(body=st.binary(max_size=200) | st.text('{}[]"\\\n,a', max_size=200).map(str.encode), cuts=CUTS)
def test_any_bytes_are_cut_the_same_whatever_the_chunks(body: bytes, cuts: list[int]) -> None:
    """What isn't a log at all, or has records that are too long, is cut into the same pieces wherever chunks end."""
    for begin in (b"", b'{"records":['):
        whole, pieces = Splitter(longest=SHORT), Splitter(longest=SHORT)
        assert split(pieces, *cut(begin + body, cuts)) == split(whole, begin + body)
        assert pieces.done == whole.done


@given(cuts=CUTS, records=st.booleans())
def test_a_record_that_is_too_long_costs_only_itself(cuts: list[int], *, records: bool) -> None:
    """A record beyond the bound is handed out cut off and marked, and its neighbours whole."""
    objects: list[dict[str, object]] = [{"a": "1"}, {"b": "}" * SHORT * 3}, {"c": '"\\'}]
    found = split(Splitter(longest=SHORT), *cut(form(objects, records=records), cuts))
    assert [piece.overlong for piece in found] == [False, True, False]
    assert [found[0].raw, found[2].raw] == [dump(objects[0]), dump(objects[2])]
    assert len(found[1].raw) == SHORT + 1


def test_no_cut_breaks_an_escape() -> None:
    """Wherever a list is cut, a quotation mark within a text is none that ends it."""
    objects: list[dict[str, object]] = [{"a": 'x\\"}{"'}, {"b\\": "]"}]
    body = form(objects, records=True)
    for at in range(len(body)):
        assert raws(split(Splitter(), body[:at], body[at:])) == [dump(one) for one in objects]


def test_a_torn_line_stays() -> None:
    """A line that has no end of line yet isn't done with."""
    splitter = Splitter()
    assert split(splitter, b'{"a":1}\n{"b"') == [Piece(0, b'{"a":1}')]
    assert splitter.done == 8


def test_what_spoils_a_list_costs_one_object() -> None:
    """Garbage between two objects of a list makes the one after it unreadable, and no other."""
    found = split(Splitter(), b'{"records":[{"a":1}, oops {"b":2},{"c":3}]}')
    assert raws(found) == [b'{"a":1}', b'oops {"b":2}', b'{"c":3}']
