"""Knows which kinds the demo can seed a company for, and what else lives there and has to stay as it is."""

from collections.abc import Callable, Mapping
from typing import Any

from local.scenario import Scenario
from rekey.registry import CREDENTIAL_KINDS

GRACE = "PT5S"
"""So that nobody has to watch for a week, the default."""

COMPANIES: Mapping[str, Callable[[], Scenario]] = {"entra-app-password": lambda: Scenario(grace=GRACE)}


class UnknownKindError(Exception):
    """There is no such kind, or the demo can't show it; the sentence lists those it can."""


def company_for(kind: str) -> Scenario:
    """Return a company, with new names, whose managed secret is of that kind."""
    if kind in COMPANIES:
        return COMPANIES[kind]()
    if kind in CREDENTIAL_KINDS:
        raise UnknownKindError(f"kind: got {kind!r}, which the demo can't show yet; it can: {', '.join(COMPANIES)}")
    raise UnknownKindError(f"kind: got {kind!r}, expected one of {', '.join(CREDENTIAL_KINDS)}")


def bystanders(scenario: Scenario) -> dict[str, Any]:
    """Return the seed document of neighbours that a rotation may not touch."""
    other = f"{scenario.application}-neighbour"
    passwords = [{"display_name": "by hand", "days": 300}, {"display_name": "rekey/elsewhere/0", "days": 90}]
    secrets = {
        f"{scenario.secret}-neighbour": {"value": {"password_of": other}, "expires_with_password": True},
        f"{scenario.secret}-untagged": {"expires_in_days": 200},
    }
    endpoints = {f"{scenario.connection}-neighbour": {"application": other}}
    return {
        "applications": {other: {"owners": ["rekey"], "passwords": passwords}},
        "vaults": {scenario.vault: {"secrets": secrets}},
        "organizations": {scenario.organization: {"projects": {scenario.project: {"endpoints": endpoints}}}},
    }
