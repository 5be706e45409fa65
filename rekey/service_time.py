"""A service's own time, from the Date header of its answer: what the dates it gives are to be compared with."""

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def said_by(headers: Iterable[str | None]) -> datetime | None:
    """Return the time (UTC) that the Date headers of one answer say; None if there isn't exactly one, or no date."""
    said = [header for header in headers if header]
    try:
        return parsedate_to_datetime(said[0]).astimezone(UTC) if len(said) == 1 else None
    except ValueError:
        return None
