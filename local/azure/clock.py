"""Knows what time it is in the simulated Azure, which can be moved ahead of the machine's own."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass
class Clock:
    """The simulated Azure's clock: the machine's, plus an offset that only grows."""

    offset: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        """Return the simulated time (UTC, aware)."""
        return datetime.now(UTC) + self.offset

    def advance(self, by: timedelta) -> None:
        """Move the clock ahead; a negative duration is a ValueError."""
        if by < timedelta():
            raise ValueError(f"the clock only moves ahead, got {by}")
        self.offset += by
