"""How a sighting in an audit log is put: as rows of its own mail, in a sentence where there are many."""

from collections.abc import Iterator

from rekey.model import Notice
from rekey.model.notice import Sighting
from rekey.notices.wording import moment


def rows(notice: Notice) -> Iterator[tuple[str, str]]:
    """Return the labels and values of an alert's summary; a value may be empty."""
    seen = notice.sighting
    if seen is None:
        return
    yield "Vault", "" if notice.secret else notice.vault
    yield "Severity", seen.severity
    yield "Application id", seen.app_id
    yield "Object id", seen.object_id
    yield "Signed in as", seen.name
    yield "Times", _times(seen)
    yield "First", moment(seen.first)
    yield "Last", moment(seen.last)
    yield "Addresses", ", ".join(seen.addresses)
    yield "Operations", ", ".join(seen.operations)


def who(seen: Sighting) -> str:
    """Return the caller in one line: whatever is known, the application first; "" if nothing is."""
    known = (("application", seen.app_id), ("object", seen.object_id), ("signed in as", seen.name))
    return ", ".join(f"{what} {value}" for what, value in known if value)


def sentence(seen: Sighting) -> str:
    """Return how bad it is, how often it happened, when, from where and by which operations."""
    begin, end = moment(seen.first), moment(seen.last)
    parts = (
        f"{seen.severity}: {', '.join(seen.operations)} {_times(seen)}",
        begin if begin == end else f"between {begin} and {end}",
        f"from {', '.join(seen.addresses)}" if seen.addresses else "",
    )
    return f"{', '.join(filter(None, parts))}."


def _times(seen: Sighting) -> str:
    times = "once" if seen.times == 1 else f"{seen.times} times"
    if seen.refused in {0, seen.times}:
        return f"{times}, refused" if seen.refused else times
    return f"{times}, {seen.refused} of them refused"
