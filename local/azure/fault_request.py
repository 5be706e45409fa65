"""Knows what `POST /_sim/faults` takes: the kinds of faults there are, and which fields go with which."""

import re
from enum import StrEnum
from typing import Any

import msgspec

EVERYTHING = "*"
"""In place of a service: the whole cloud, which can only be refused."""

OLDEST = 120.0
"""Seconds: how stale a read can be made."""


class When(StrEnum):
    """Whether a fault strikes before the service did its work, or after it, when only the answer is lost."""

    BEFORE = "before"
    AFTER = "after"


class Reset(StrEnum):
    """Where a connection is reset: in place of the answer, or after the first half of its body."""

    ANSWER = "answer"
    BODY = "body"


class Malformed(StrEnum):
    """How an answer is spoiled."""

    TRUNCATED = "truncated"
    HTML = "html"
    EMPTY = "empty"
    TEXT = "text"
    UTF_16 = "utf-16"
    GZIP = "gzip"


class RetryAfterForm(StrEnum):
    """How a Retry-After header says when: by a number of seconds, or by a date."""

    SECONDS = "seconds"
    DATE = "date"


SPOILS_AN_ANSWER = frozenset({Malformed.TRUNCATED, Malformed.UTF_16, Malformed.GZIP})
"""These need the service's own answer, so that its work must have been done."""

_STATUSES = frozenset({None, 408, 429, *range(500, 600)})
_KINDS = ("status", "hold", "delay", "timeout", "reset", "refuse", "malformed", "stale")
_GOES_WITH: dict[str, frozenset[str]] = {
    "retry_after": frozenset({"status"}),
    "retry_after_form": frozenset({"status"}),
    "jitter": frozenset({"delay"}),
    "when": frozenset({"status", "hold", "delay", "timeout", "reset", "malformed"}),
    "method": frozenset(_KINDS) - {"refuse", "stale"},
    "path": frozenset(_KINDS) - {"refuse"},
    "seconds": frozenset({"refuse"}),
}
"""Field -> the kinds of faults that it says something about."""


class FaultRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `POST /_sim/faults` takes; exactly one of the fields from `status` to `stale` says what happens."""

    service: str
    method: str | None = None
    path: str | None = None
    count: int | None = 1
    skip: int = 0
    chance: float | None = None
    seed: int = 1
    when: When = When.BEFORE
    status: int | None = None
    retry_after: int | None = None
    retry_after_form: RetryAfterForm = RetryAfterForm.SECONDS
    hold: bool = False
    delay: float | None = None
    jitter: float = 0.0
    timeout: bool = False
    reset: Reset | None = None
    refuse: bool = False
    seconds: float | None = None
    malformed: Malformed | None = None
    stale: float | None = None

    @property
    def kind(self) -> str:
        """The field that says what happens."""
        return self._chosen()[0]

    def check(self) -> None:
        """Raise ValueError naming the field that doesn't hold together."""
        if len(self._chosen()) != 1:
            raise ValueError(f"fault: got {self._chosen()}, expected exactly one of {', '.join(_KINDS)}")
        for problem in (*self._out_of_range(), *self._out_of_place()):
            raise ValueError(problem)
        try:
            re.compile(self.path or "")
        except re.error as error:
            raise ValueError(f"path: {self.path!r} is not a regular expression: {error}") from None

    def _chosen(self) -> list[str]:
        return [kind for kind in _KINDS if getattr(self, kind) not in (None, False)]

    def _out_of_range(self) -> list[str]:
        status = self.status
        table: list[tuple[str, Any, bool, str]] = [
            (
                "status",
                status,
                status is None or status in {408, 429} or 500 <= status <= 599,
                "408, 429 or 500 to 599",
            ),
            ("count", self.count, self.count is None or self.count > 0, "a number above 0, or null"),
            ("skip", self.skip, self.skip >= 0, "a number from 0"),
            ("chance", self.chance, self.chance is None or 0 < self.chance <= 1, "a number above 0, up to 1"),
            ("retry_after", self.retry_after, (self.retry_after or 0) >= 0, "seconds from 0"),
            ("delay", self.delay, (self.delay or 0) >= 0, "seconds from 0"),
            ("jitter", self.jitter, self.jitter >= 0, "seconds from 0"),
            ("seconds", self.seconds, self.seconds is None or self.seconds > 0, "seconds above 0"),
            ("stale", self.stale, self.stale is None or 0 < self.stale <= OLDEST, f"seconds above 0, up to {OLDEST:g}"),
        ]
        return [f"{field}: got {value!r}, expected {wanted}" for field, value, fits, wanted in table if not fits]

    def _out_of_place(self) -> list[str]:
        defaults = msgspec.structs.asdict(FaultRequest(self.service))
        given = [field for field in _GOES_WITH if getattr(self, field) != defaults[field]]
        problems = [
            f"{field}: got {getattr(self, field)!r}, expected only with {', '.join(sorted(_GOES_WITH[field]))}"
            for field in given
            if self.kind not in _GOES_WITH[field]
        ]
        if self.retry_after is None and self.retry_after_form is not RetryAfterForm.SECONDS:
            problems.append("retry_after: got None, expected seconds from now, which the date is made of")
        if (self.malformed in SPOILS_AN_ANSWER or self.reset is Reset.BODY) and self.when is When.BEFORE:
            problems.append(
                f"when: got 'before', expected 'after': {self.malformed or 'body'} needs an answer to spoil"
            )
        return problems + self._out_of_place_everywhere()

    def _out_of_place_everywhere(self) -> list[str]:
        if self.service != EVERYTHING:
            return ["seconds: expected only with service '*'"] if self.seconds is not None else []
        if not self.refuse:
            return [f"service: got '*' with {self.kind}, expected one service: everything can only be refused"]
        return ["seconds: got None, expected how long: nobody can clear it meanwhile"] if self.seconds is None else []
