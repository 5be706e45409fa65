"""Takes the inventory: lists the allowed vaults side by side and judges every secret by its properties alone.

A listing asks for 25 secrets at a time, so one of 10,000 is 400 requests: the pages of an answer share one.
"""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from rekey.clients import Clients
from rekey.errors import RekeyError
from rekey.inventory import Item, judge
from rekey.vault import Listed, Vault

SHARED = 300.0
"""Seconds a listing is good for the following pages of an answer; the first page lists anew."""
AT_ONCE = 8
"""Vaults listed at the same time."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be looked at; the rest is shown nevertheless."""

    code: str
    message: str
    what_to_do: str
    vault: str = ""


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """Every secret of the vaults that could be listed, by vault and name, and which vaults could not."""

    items: tuple[Item, ...]
    problems: tuple[Problem, ...]


async def take(clients: Clients, vaults: Iterable[str], *, anew: bool) -> Inventory:
    """Return the inventory of these vaults; one that settings don't allow is a ScopeError."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def look(vault: str) -> tuple[str, tuple[Listed, ...] | RekeyError]:
        async with limit:
            return vault, await _listed(clients, vault, anew=anew)

    for vault in (vaults := tuple(dict.fromkeys(v.lower() for v in vaults))):
        clients.settings.scope_of(vault)
    found = await asyncio.gather(*map(look, vaults))
    now = datetime.now(UTC)
    items = [
        judge(vault, listed, clients.settings, now)
        for vault, listing in found
        if not isinstance(listing, RekeyError)
        for listed in listing
    ]
    problems = [problem(error, vault) for vault, error in found if isinstance(error, RekeyError)]
    return Inventory(items=tuple(sorted(items, key=place)), problems=tuple(problems))


def place(item: Item) -> tuple[str, str]:
    """Return what a secret is sorted by."""
    return item.vault, item.secret


def problem(error: RekeyError, vault: str = "") -> Problem:
    """Return what is told of an error."""
    return Problem(code=error.code, message=error.message, what_to_do=error.what_to_do, vault=vault)


async def _listed(clients: Clients, vault: str, *, anew: bool) -> tuple[Listed, ...] | RekeyError:
    async def ask() -> tuple[Listed, ...]:
        return tuple([listed async for listed in Vault(clients.vault(vault), vault).listing()])

    try:
        return await clients.remember(f"listing {vault}", SHARED, ask, anew=anew)
    except RekeyError as error:
        return error
