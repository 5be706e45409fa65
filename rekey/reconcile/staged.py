"""Finds values in the staging vault that nobody reads any more, and destroys those that two nights saw."""

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from rekey import names
from rekey.reconcile import leftovers, wording
from rekey.reconcile.ledger import Ledger
from rekey.reconcile.leftovers import Verdict
from rekey.reconcile.witness import Testimony, Witness

if TYPE_CHECKING:
    from rekey.vault import Listed, Vault


class StagedSearch:
    """One look through the staging vault."""

    def __init__(self, staging: "Vault", deployment: str, witness: Witness, ledger: Ledger) -> None:
        self._staging = staging
        self._deployment = deployment
        self._witness = witness
        self._ledger = ledger

    async def run(self) -> None:
        """Judge everything that this deployment staged."""
        now = await self._staging.time()
        async for listed in self._staging.listing():
            rotation_id = self._rotation_of(listed)
            if rotation_id:
                await self._judge(listed, rotation_id, now)

    def _rotation_of(self, listed: "Listed") -> str:
        """Return the rotation that staged it, "" for what isn't certainly this deployment's."""
        rotation_id = listed.tags.get(names.TAG_ROTATION_ID, "")
        ours = listed.tags.get(names.TAG_DEPLOYMENT) == self._deployment
        named = names.ROTATION_ID.fullmatch(rotation_id) and listed.name == names.staged_secret(rotation_id)
        return rotation_id if ours and named else ""

    async def _judge(self, listed: "Listed", rotation_id: str, now: datetime | None) -> None:
        said = await self._witness.testimony(rotation_id)
        age = now - listed.created if now else None
        verdict = leftovers.of_staged(said.evidence, age, None)
        if verdict is Verdict.WAIT:
            watched = await self._ledger.watched(f"staged {rotation_id}", now)
            verdict = leftovers.of_staged(said.evidence, age, watched)
        await self._act(verdict, listed.name, rotation_id, said)

    async def _act(self, verdict: Verdict, name: str, rotation_id: str, said: Testimony) -> None:
        if verdict is Verdict.IN_USE:
            return
        finding = wording.staged(verdict, name, said.evidence, said.record)
        if verdict is Verdict.REMOVE:
            await self._ledger.do(
                f"staged {rotation_id}", finding, partial(self._destroy, name, rotation_id), rotation_id
            )
        else:
            self._ledger.find(finding, rotation_id)

    async def _destroy(self, name: str, rotation_id: str) -> None:
        await self._witness.lock_out(rotation_id, name)
        await self._staging.destroy(name)
