"""Knows settings that bind one team's vault to its own things and another's to theirs, and what tags may name."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rekey.settings import Settings
from tests.rekey.toys import settings

OURS = "kv-ours"
THEIRS = "kv-theirs"
UNKNOWN = "kv-unknown"


def bound(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Settings:
    """Return settings with two scopes; each is what REKEY_SCOPES says of one team, its vaults aside."""
    return settings(REKEY_SCOPES=json.dumps([{"vaults": [OURS], **ours}, {"vaults": [THEIRS], **theirs}]))


@dataclass(frozen=True)
class Corpus:
    """What people may write in a tag to name one kind's thing; scopes are as in REKEY_SCOPES, the vaults aside."""

    scope: Mapping[str, Any]
    """Lets our vault name all that is `good`."""
    foreign_scope: Mapping[str, Any]
    good: Mapping[str, str]
    """As people write it, and its normal form."""
    malformed: Sequence[str]
    foreign: str
    """Only `foreign_scope` allows it."""

    def settings(self) -> Settings:
        """Return settings with both scopes."""
        return bound(self.scope, self.foreign_scope)
