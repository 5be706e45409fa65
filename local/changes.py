"""Finds what changed in a company that was not to change; knows which parts one rotation may."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from local.company import Company
from local.onlooker import IDENTITY
from local.scenario import Scenario

ONLOOKER = (f"entra/identities/{IDENTITY}/", f"arm/.*/userAssignedIdentities/{IDENTITY}/")
"""Who looks at what came of it may have come meanwhile, too."""


def unexpected(scenario: Scenario, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the paths of everything that changed between two states and isn't the rotation's to change."""
    return beyond(_rotation_may_change(scenario, Company.of(before)), before, after)


def beyond(allowed: Iterable[str], before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the paths of everything that changed between two states, without those that match what is allowed.

    A field that is absent is the same as one that is false, null or empty.
    """
    mine = re.compile("|".join(allowed))
    was, now = dict(_leaves(before)), dict(_leaves(after))
    changed = sorted(path for path in was.keys() | now.keys() if was.get(path) != now.get(path))
    return [path for path in changed if not mine.match(path)]


def _rotation_may_change(scenario: Scenario, before: Company) -> Iterator[str]:
    """Yield regular expressions of paths."""
    secret = f"keyvault/vaults/{scenario.vault}/secrets/{scenario.secret}"
    versions = len(before.keyvault.vaults[scenario.vault].secrets[scenario.secret].versions)
    yield f"{secret}/latest$"
    yield f"{secret}/versions/{versions}/"
    yield f"{secret}/versions/{versions - 1}/(enabled$|updated$|reads/)"
    yield f"keyvault/vaults/{scenario.staging}/(purged|deleted|secrets)/"
    yield from scenario.credential.may_change(before)
    for consumer in scenario.consumers:
        yield from consumer.may_change()
    yield from ONLOOKER
    yield "email/outbox/|eventgrid/(events|deliveries)/"


def _leaves(document: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield from _leaves(value, f"{path}/{name}".lstrip("/"))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from _leaves(value, f"{path}/{index}")
    elif document not in (None, False, ""):
        yield path, document
