"""Knows what is told of an attempt to use a credential."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What a service answered; `text` is its own message where it refused, without ids that are new each time."""

    status: int
    text: str

    @property
    def ok(self) -> bool:
        """Whether it was granted."""
        return self.status == 200
