"""Cron expressions: what is accepted, and when it occurs, against a definition that only looks at single seconds."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from local.host.ncrontab import NEVER, Crontab, NotCronError, parse_crontab

_LIMITS = ((0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_MOMENTS = st.datetimes(datetime(1999, 1, 1), datetime(2101, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (bounds are naive)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@st.composite
def _field(draw: st.DrawFn, low: int, high: int) -> tuple[str, frozenset[int]]:
    """Return a field's text and the values that it means."""
    texts: list[str] = []
    values: set[int] = set()
    for _ in range(draw(st.integers(1, 3))):
        start, end, step = (draw(st.integers(*span)) for span in ((low, high), (low, high), (1, high + 2)))
        text, meant = draw(
            st.sampled_from(
                [
                    ("*", range(low, high + 1)),
                    (f"*/{step}", range(low, high + 1, step)),
                    (f"{start}", [start]),
                    (f"{start}/{step}", range(start, high + 1, step)),
                    (f"{start}-{end}", range(min(start, end), max(start, end) + 1)),
                    (f"{start}-{end}/{step}", range(min(start, end), max(start, end) + 1, step)),
                ]
            )
        )
        texts.append(text)
        values.update(meant)
    return ",".join(texts), frozenset(values)


_EXPRESSIONS = st.tuples(*(_field(low, high) for low, high in _LIMITS))


def _fits(values: list[frozenset[int]], moment: datetime) -> bool:
    weekday = moment.isoweekday() % 7
    parts = (moment.second, moment.minute, moment.hour, moment.day, moment.month, weekday)
    return all(part in allowed for part, allowed in zip(parts, values, strict=True))


@given(_EXPRESSIONS)
def test_fields_mean_what_they_say(fields: tuple[tuple[str, frozenset[int]], ...]) -> None:
    """Lists, ranges in both directions and steps are exactly the values that they name."""
    texts, values = zip(*fields, strict=True)
    assert parse_crontab(" ".join(texts)) == Crontab(*values)


@given(_EXPRESSIONS, _MOMENTS, st.lists(st.floats(0, 1), max_size=50))
def test_next_occurrence_is_the_first_that_fits(
    fields: tuple[tuple[str, frozenset[int]], ...], moment: datetime, probes: list[float]
) -> None:
    """The answer fits every field, and no second before it does: all of a near one, samples and edges of a far one."""
    values = [value for _, value in fields]
    found = parse_crontab(" ".join(text for text, _ in fields)).after(moment)
    assume(found != NEVER)
    assert _fits(values, found)
    first = moment.replace(microsecond=0) + timedelta(seconds=1)
    gap = int((found - first).total_seconds())
    assert gap >= 0
    seconds = {*range(min(gap, 2_000)), *range(max(gap - 2_000, 0), gap), *(int(probe * gap) for probe in probes)}
    assert not [second for second in seconds if second < gap and _fits(values, first + timedelta(seconds=second))]


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 */5 * * * *", "2026-01-01T10:02:31", "2026-01-01T10:05:00"),
        ("*/5 * * * *", "2026-01-01T10:05:00", "2026-01-01T10:10:00"),
        ("0 30 9 * * Mon-Fri", "2026-01-02T10:00:00", "2026-01-05T09:30:00"),
        ("0 30 9 * * fri-mon", "2026-01-02T10:00:00", "2026-01-05T09:30:00"),
        ("0 0 0 13 * 5", "2026-01-01T00:00:00", "2026-02-13T00:00:00"),
        ("0 0 0 29 feb *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 31 * *", "2026-01-31T00:00:00", "2026-03-31T00:00:00"),
        ("0 0 0 1 j *", "2026-06-01T00:00:00", "2027-01-01T00:00:00"),
        ("0 0 0 * * 0", "2026-01-01T00:00:00", "2026-01-04T00:00:00"),
        ("59 59 23 31 12 *", "2026-12-31T23:59:59", "2027-12-31T23:59:59"),
        (" 0  0   3 * * * ", "2026-12-31T03:00:00", "2027-01-01T03:00:00"),
        ("0/20 * * * * *", "2026-01-01T00:00:20.5", "2026-01-01T00:00:40"),
        ("* * * * * *", "2026-01-01T00:00:00.999", "2026-01-01T00:00:01"),
        ("0 5-/-1 * * * *", None, None),
        ("*/0 * * * * *", "2026-01-01T00:00:00", "2026-01-01T00:00:01"),
        ("50-10/20 * * * * *", "2026-01-01T00:00:10", "2026-01-01T00:00:30"),
    ],
)
def test_occurrences(expression: str, after: str | None, expected: str | None) -> None:
    """Named days, prefixes, backward ranges, both day fields at once, leap days, fractions of a second."""
    if after is None or expected is None:
        with pytest.raises(NotCronError):
            parse_crontab(expression)
    else:
        assert parse_crontab(expression).after(_at(after)) == _at(expected)


@pytest.mark.parametrize("expression", ["0 0 0 30 2 *", "0 0 0 31 4,6,9,11 *", "0 0 0 30-31 feb mon"])
def test_what_never_occurs_ends(expression: str) -> None:
    """A date that no year has is NEVER, and is found out."""
    assert parse_crontab(expression).after(_at("2026-01-01")) == NEVER
    assert parse_crontab("* * * * * *").after(NEVER) == NEVER


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 0 0 * * 7", "'7' is no day of week: 7 is out of range, expected 0 to 6 or one of Sunday, "),
        ("60 * * * * *", "'60' is no second: 60 is out of range, expected 0 to 59"),
        ("* * * 0 * *", "'0' is no day: 0 is out of range, expected 1 to 31"),
        ("* * * * foo *", "'foo' is no month: 'foo' is no value, expected 1 to 12 or one of January, "),
        ("* * * ? * *", "no day"),
        ("0 0 0 L * *", "no day"),
        ("0 0 0 * * 1#2", "no whole number"),
        ("0 0 0 * * mon,", "'' is no value"),
        ("0 ,1 0 * * *", "no minute"),
        ("0 1- 0 * * *", "no minute"),
        ("0 -1 0 * * *", "no minute"),
        ("0 /5 0 * * *", r"expected \*, a value or a range before the /"),
        ("0 */ 0 * * *", "'' is no whole number"),
        ("0 */x 0 * * *", "'x' is no whole number"),
        ("0 1/2/3 0 * * *", "'2/3' is no whole number"),
        ("0 1-2-3 0 * * *", "'2-3' is no whole number"),
        ("0 99999999999 0 * * *", "no whole number"),
        ("0 *-5 * * * *", "no minute"),
        ("", "it has 0 fields, expected six: second, minute, hour, day, month, day of week"),
        ("@daily", "it has 1 fields"),
        ("0 0 0 * * * 2026", "it has 7 fields"),
        ("0 0 \u0663 * * *", "no hour"),
    ],
)
def test_refused_expressions_say_why(expression: str, message: str) -> None:
    """What NCrontab refuses is refused, with the field, the text and what was expected."""
    with pytest.raises(NotCronError, match=message):
        parse_crontab(expression)
