"""What a finding is, and how what others wrote is quoted in one."""

from enum import StrEnum

import msgspec

_LONGEST = 200
"""Characters of a quotation."""


class Severity(StrEnum):
    """How much a finding matters."""

    WRONG = "wrong"
    """It doesn't work, soon won't, or became worse: told every night until it is repaired."""
    ADVICE = "advice"
    """It works; told when it is new."""


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about one connection; `code` is kebab-case."""

    code: str
    severity: Severity
    message: str
    what_to_do: str


def shown(text: str) -> str:
    """Return what somebody wrote into a connection as text, of bounded length."""
    quoted = ascii(text)
    return quoted if len(quoted) <= _LONGEST else f"{quoted[:_LONGEST]}..."


def wrong(code: str, message: str, what_to_do: str) -> Flaw:
    """Return a finding that has to be repaired."""
    return Flaw(code=code, severity=Severity.WRONG, message=message, what_to_do=what_to_do)


def advice(code: str, message: str, what_to_do: str) -> Flaw:
    """Return a finding that says what would be better."""
    return Flaw(code=code, severity=Severity.ADVICE, message=message, what_to_do=what_to_do)
