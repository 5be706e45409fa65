"""How a part of the nightly check gets what earlier parts found, whom it asks, and where it writes."""

from typing import TYPE_CHECKING

from activities.step import Desk
from rekey.model.night import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rekey.reconcile.ledger import Ledger
    from rekey.reconcile.memory import Due, Reference, Result
    from rekey.reconcile.witness import Witness
    from rekey.starting import DurableClient


class Before:
    """What the parts before this one found."""

    def __init__(self, kept: "Mapping[str, Result]") -> None:
        self.references: tuple[Reference, ...] = tuple(r for result in kept.values() for r in result.references)
        self.due: tuple[Due, ...] = tuple(due for result in kept.values() for due in result.due)
        self.left = frozenset(rotation for result in kept.values() for rotation in result.left)
        self.vaults = frozenset(part.removeprefix(VAULT) for part in kept if part.startswith(VAULT))


VAULT = "vault/"
"""Before a vault's name: the part that listed it."""


async def night(desk: Desk, part: Part) -> Before:
    """Return what was found before in this night."""
    from rekey.reconcile.memory import Memory

    return Before(await Memory(desk.clients.container()).kept(part.run_id))


def ledger(desk: Desk, part: Part, name: str) -> "Ledger":
    """Return where this part writes."""
    from rekey.reconcile.ledger import Ledger
    from rekey.reconcile.memory import Memory

    return Ledger(Memory(desk.clients.container()), part, name)


def witness(desk: Desk, engine: "DurableClient", references: "Iterable[Reference]") -> "Witness":
    """Return whom to ask."""
    from rekey.nothing_left import ever, is_gone
    from rekey.reconcile.witness import Witness

    async def gone(claim: "Reference") -> bool:
        """The app that makes connections retires for good, too, and keeps what it did for itself."""
        if await is_gone(desk.clients.container(), claim.vault, claim.secret, claim.key):
            return True
        return ever(await desk.records().listing(), claim.vault, claim.secret)

    return Witness(desk.records(), engine, desk.vault, desk.settings.deployment, references, gone)
