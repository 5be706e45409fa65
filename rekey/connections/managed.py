"""Which managed secrets name a service connection as their consumer."""

from collections.abc import Iterable, Mapping
from urllib.parse import unquote

import msgspec

from rekey.clients import Clients
from rekey.inventory import Item
from rekey.inventory_taking import Problem, take


class Managed(msgspec.Struct, frozen=True, kw_only=True):
    """The managed secrets by the consumers that their policies name, and which vaults could not be listed.

    A consumer's key is its URI, decoded and in lower case: Azure DevOps knows no upper case in names.
    """

    by_consumer: Mapping[str, tuple[Item, ...]]
    problems: tuple[Problem, ...]


async def managed(clients: Clients, vaults: Iterable[str], *, anew: bool = True) -> Managed:
    """Return what the secrets of these vaults name; one that settings don't allow is a ScopeError."""
    inventory = await take(clients, vaults, anew=anew)
    found: dict[str, tuple[Item, ...]] = {}
    for item in inventory.items:
        for consumer in item.policy.consumers if item.policy else ():
            key = unquote(consumer.uri).lower()
            found[key] = (*found.get(key, ()), item)
    return Managed(by_consumer=found, problems=inventory.problems)
