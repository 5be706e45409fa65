"""ISO 8601 durations: what is read, what is refused, and that nothing changes on the way out and in again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey import spans
from rekey.errors import InputError
from rekey.model import Span

DAY = 86400


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("P180D", Span(seconds=180 * DAY)),
        ("P6M", Span(months=6)),
        ("P1Y6M", Span(months=18)),
        ("P2W", Span(seconds=14 * DAY)),
        ("PT4H", Span(seconds=4 * 3600)),
        ("P1M1DT2H3M4S", Span(months=1, seconds=DAY + 2 * 3600 + 3 * 60 + 4)),
        ("PT1M", Span(seconds=60)),
        ("PT0S", Span()),
    ],
)
def test_a_duration_means_months_and_seconds(text: str, span: Span) -> None:
    """Months stay calendar months, M before and after the T are told apart, all else becomes seconds."""
    assert spans.parse(text) == span


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P1DT", "180", "180D", "p180d", "P1.5D", "P1,5D", "PT1.5S", "-P1D", "P-1D", "+P1D"),
        *(
            "P1D ",
            " P1D",
            "P1D\n",
            "P 1D",
            "P1S",
            "PT1D",
            "P1D1M",
            "P1H",
            "P²D",
            "P\u0661D",
            "P101Y",
            "P1201M",
            "P36526D",
        ),
        *("P999999999Y", "P9999999999D", "P1D\x00", "P1DT1H1H"),
    ],
)
def test_what_is_no_whole_positive_duration_is_refused(text: str) -> None:
    """A duration that could be misread is refused with the value and an example."""
    with pytest.raises(InputError, match="ISO 8601") as refused:
        spans.parse(text)
    assert refused.value.value == text


@given(st.integers(0, 600), st.integers(0, 50 * 365 * DAY))
def test_a_span_survives_being_written_and_read(months: int, seconds: int) -> None:
    """What `render` writes, `parse` reads back as the same span."""
    span = Span(months=months, seconds=seconds)
    assert spans.parse(spans.render(span)) == span


@given(st.text(alphabet="PTYMWDHS0123456789.-+ ", max_size=12))
def test_any_text_is_a_span_or_an_input_error(text: str) -> None:
    """No text makes the parser raise anything else, nor makes a span that can't be added to a date."""
    try:
        span = spans.parse(text)
    except InputError:
        return
    assert timedelta() <= spans.length(span) <= timedelta(days=36525)
    assert span.after(datetime(2030, 1, 31, tzinfo=UTC)).year <= 2130


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (Span(months=6), "6 months"),
        (Span(months=1, seconds=DAY + 60), "1 month 1 day 1 minute"),
        (Span(seconds=7 * DAY + 7200 + 5), "7 days 2 hours 5 seconds"),
        (Span(), "none"),
    ],
)
def test_a_span_is_said_in_words(span: Span, said: str) -> None:
    """People read units, in the singular where there is one."""
    assert spans.words(span) == said
