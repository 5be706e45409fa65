"""A secret is found in every form that encodings, escapes and compression give it, and nothing else is."""

import base64
import gzip
import html
import json
import string
import zlib
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.azure.arm_storage_state import new_key, start_of_keys
from local.leaks import scan
from local.secret_forms import SHORTEST, find, forms

ENTRA = string.ascii_letters + string.digits + "~._-"
secrets = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=SHORTEST, max_size=60)
passwords = st.text(ENTRA, min_size=SHORTEST, max_size=60)
around = st.binary(max_size=40)
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL3ZhdWx0In0.c2lnbmF0dXJlLXNpZ25hdHVyZQ"

WRITTEN: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda raw: raw,
    "JSON": lambda raw: json.dumps(raw.decode()).encode(),
    "JSON as UTF-8": lambda raw: json.dumps(raw.decode(), ensure_ascii=False).encode(),
    "JSON in JSON": lambda raw: json.dumps(json.dumps(raw.decode(), ensure_ascii=False)).encode(),
    "URL": lambda raw: quote(raw).encode(),
    "URL, all of it": lambda raw: quote(raw, safe="").encode(),
    "form": lambda raw: quote_plus(raw).encode(),
    "URL in URL": lambda raw: quote(quote(raw, safe=""), safe="").encode(),
    "HTML": lambda raw: html.escape(raw.decode()).encode(),
    "HTML numbers": lambda raw: "".join(f"&#{ord(c)};" for c in raw.decode()).encode(),
    "hex": lambda raw: raw.hex().encode(),
    "HEX": lambda raw: raw.hex().upper().encode(),
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zlib, not compressed": lambda raw: zlib.compress(raw, 0),
    "gzip in base64": lambda raw: base64.b64encode(gzip.compress(raw)),
    "base64 in JSON in gzip": lambda raw: gzip.compress(json.dumps(base64.b64encode(raw).decode()).encode()),
    "base64 in base64": lambda raw: base64.b64encode(base64.b64encode(raw)),
    "base64 in lines": base64.encodebytes,
}


@pytest.mark.parametrize("how", sorted(WRITTEN))
@given(secret=secrets, before=around, after=around)
def test_every_form_is_found(how: str, secret: str, before: bytes, after: bytes) -> None:
    """A secret is found however it was written, with anything before and after what it was written into."""
    written = WRITTEN[how](secret.encode())
    assert find(before + b" " + written + b" " + after, [secret])


@given(secret=secrets, before=around, after=around)
def test_base64_is_found_at_any_alignment(secret: str, before: bytes, after: bytes) -> None:
    """A secret in the middle of something is found when the whole was encoded, in either alphabet."""
    whole = before + secret.encode() + after
    assert find(base64.b64encode(whole), [secret])
    assert find(base64.urlsafe_b64encode(whole), [secret])


KEYS: dict[str, Callable[[bytes], bytes]] = {
    "the bytes": lambda raw: raw,
    "hex": lambda raw: raw.hex().encode(),
    "base64 for URLs": base64.urlsafe_b64encode,
    "base64 for URLs, not filled up": lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"="),
    "base64 in a URL": lambda raw: quote_plus(base64.b64encode(raw)).encode(),
    "base64 with escaped slashes": lambda raw: base64.b64encode(raw).replace(b"/", b"\\/"),
    "base64 in hex": lambda raw: base64.b64encode(raw).hex().encode(),
    "base64 in base64": lambda raw: base64.b64encode(base64.b64encode(raw)),
    "a connection string in JSON": lambda raw: json.dumps(f"AccountKey={base64.b64encode(raw).decode()};X=1").encode(),
    "bytes in a gzip": gzip.compress,
}


@pytest.mark.parametrize("how", sorted(KEYS))
@given(raw=st.binary(min_size=64, max_size=64), before=around, after=around)
def test_key_is_found_by_what_it_stands_for(how: str, raw: bytes, before: bytes, after: bytes) -> None:
    """A storage account's key, 64 bytes in base64, is found however these bytes were written."""
    assert find(before + b" " + KEYS[how](raw) + b" " + after, [base64.b64encode(raw).decode()])


@pytest.mark.parametrize("how", sorted(KEYS))
def test_key_that_is_gone_is_found_by_its_beginning(how: str) -> None:
    """A key that nobody has any more is found by what all keys of a run begin with, and by that only."""
    raw = base64.b64decode(new_key("Zq8~0123abcd-"))
    written = b"before " + KEYS[how](raw) + b" after"
    assert find(written, [start_of_keys("Zq8~0123abcd-")])
    assert find(written, [start_of_keys("Zq8~0123abce-")]) == []


@given(secret=secrets, start=st.integers(0, 200))
def test_gzip_cut_off_is_found(secret: str, start: int) -> None:
    """What can be read of a compressed member that was cut off counts."""
    content = bytes(start) + secret.encode() + bytes(range(256)) * 4
    packed = gzip.compress(content, compresslevel=0)
    assert find(packed[: 10 + 5 + start + len(secret.encode())], [secret])


@given(password=passwords, other=passwords)
def test_another_secret_is_not_found(password: str, other: str) -> None:
    """A place that has other secrets only is clean of this one."""
    if password in other:
        return
    assert find(other.encode(), [f"{password}#"]) == []


@given(password=passwords)
def test_hint_is_not_found(password: str) -> None:
    """The first three characters, which Graph shows to everybody, are no leak."""
    assert find(f'{{"hint": "{password[:3]}"}}'.encode(), [password]) == []


def test_short_secret_is_refused() -> None:
    """Something so short that chance would find it can't be looked for."""
    with pytest.raises(ValueError, match="8 or more"):
        forms("1234567")


@pytest.mark.parametrize("how", ["as it is", "URL", "JSON", "hex", "base64 in base64", "gzip"])
def test_access_token_is_found_unasked(how: str) -> None:
    """An access token is a leak even if nobody knows its value."""
    assert find(b"Authorization: Bearer " + WRITTEN[how](TOKEN.encode()), [])


@pytest.mark.parametrize("content", [b"eyJpZCI6ICIxIn0=", b'{"a": "eyJ0"}', b"eyJhbGciOiJSUzI1NiJ9.other.part"])
def test_base64_of_json_is_no_token(content: bytes) -> None:
    """An encoded JSON document, such as a queue message, is no access token."""
    assert find(content, []) == []


def test_leak_names_place_and_form_and_not_the_secret() -> None:
    """A report can be shown to anybody: it has the place, the form and at most the hint."""
    secret = "Zq8~0123456789abcdef"
    leaks = scan({"host.log": base64.b64encode(secret.encode()), "mails": b"nothing"}, [secret])
    told = " ".join(map(str, leaks))
    assert {leak.place for leak in leaks} == {"host.log"}
    assert "base64" in told
    assert "Zq8..." in told
    assert find(told.encode(), [secret[:SHORTEST]]) == []
