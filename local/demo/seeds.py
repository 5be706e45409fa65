"""Knows what else lives in a company of the demo, and has to stay as it is."""

from typing import Any

from local.scenario import Scenario


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
