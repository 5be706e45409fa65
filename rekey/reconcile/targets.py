"""What every issuer is asked about: all targets that settings allow, in groups that one activity gets through."""

import itertools

import msgspec

from rekey.registry import CREDENTIAL_KINDS, credential_kind
from rekey.settings import Settings

AT_ONCE = 200
"""Targets of one group: a request each, some tens of seconds."""


class Target(msgspec.Struct, frozen=True):
    """What a credential kind issues for."""

    kind: str
    target: str

    @property
    def place(self) -> str:
        """Return how people call it."""
        return f"{self.kind} of {self.target}"


def groups(settings: Settings) -> list[tuple[Target, ...]]:
    """Return all targets of all kinds; the same settings give the same groups."""
    every = (Target(kind, target) for kind in CREDENTIAL_KINDS for target in credential_kind(kind).targets(settings))
    return list(itertools.batched(every, AT_ONCE, strict=False))
