"""Knows settings in which one team's vault is bound to its own things and another team's to theirs."""

import json
from collections.abc import Mapping
from typing import Any

from rekey.settings import Settings
from tests.rekey.toys import settings

OURS = "kv-ours"
THEIRS = "kv-theirs"
UNKNOWN = "kv-unknown"


def bound(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Settings:
    """Return settings with two scopes; each is what REKEY_SCOPES says of one team, its vaults aside."""
    return settings(REKEY_SCOPES=json.dumps([{"vaults": [OURS], **ours}, {"vaults": [THEIRS], **theirs}]))
