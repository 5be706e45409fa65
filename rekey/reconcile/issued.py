"""Finds credentials that this deployment made and nothing references, and removes those that two nights saw.

What is seen and what is removed is one credential, by its id: one that is made meanwhile is another. Everything that
speaks for a credential is asked again right before it is removed.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from rekey import names
from rekey.errors import NotYetError, PermanentError
from rekey.model import Finding
from rekey.ports import CredentialKind, Held, Holdings
from rekey.reconcile import leftovers, wording
from rekey.reconcile.ledger import Ledger
from rekey.reconcile.leftovers import Known, Verdict
from rekey.reconcile.memory import Reference, hashed
from rekey.reconcile.targets import Target
from rekey.reconcile.witness import Testimony, Witness

if TYPE_CHECKING:
    from rekey.vault import Vault

SAME_END = timedelta(minutes=1)
"""How far a version's expiry may be from its credential's end: Key Vault counts whole seconds."""

SETTLED = timedelta(hours=1)
"""How old a version has to be before its credential is missed: issuers' lists lag behind their writes."""


class IssuedSearch:
    """One look at some targets. `everywhere`: every allowed vault was listed this night."""

    def __init__(
        self,
        kind: Callable[[str], CredentialKind],
        staging: "Vault",
        deployment: str,
        witness: Witness,
        ledger: Ledger,
        references: Sequence[Reference],
        *,
        everywhere: bool,
    ) -> None:
        self._kind = kind
        self._staging = staging
        self._prefix = names.label(deployment, "")
        self._witness = witness
        self._ledger = ledger
        self._references = references
        self._everywhere = everywhere

    async def run(self, targets: Iterable[Target]) -> None:
        """Judge everything that this deployment issued for these targets; one that can't be read is a finding.

        One that can't be read for now doesn't stop the others: its NotYetError comes at the end, or at once if the
        issuer asks everybody to go slower.
        """
        late: NotYetError | None = None
        for target in targets:
            try:
                await self._search(target)
            except NotYetError as error:
                if error.code == "throttled":
                    raise
                late = late or error
        if late:
            raise late

    async def _search(self, target: Target) -> None:
        try:
            holdings = await self._kind(target.kind).holdings(target.target)
        except PermanentError as error:
            if error.code != "no-application" or self._claims(target):
                self._ledger.find(_unreadable(target, error))
            return
        await self._compare(target, holdings)
        for held in holdings.credentials:
            rotation_id = self._rotation_of(held)
            if rotation_id and not self._witness.is_current(held.key_id):
                await self._judge(target, holdings, held, rotation_id)

    def _rotation_of(self, held: Held) -> str:
        """Return the rotation that made it, "" for what isn't certainly this deployment's."""
        rotation_id = held.label.removeprefix(self._prefix)
        ours = held.label.startswith(self._prefix) and names.ROTATION_ID.fullmatch(rotation_id)
        return rotation_id if ours else ""

    async def _judge(self, target: Target, holdings: Holdings, held: Held, rotation_id: str) -> None:
        said, known = await self._known(holdings, held, rotation_id)
        verdict = leftovers.of_issued(known)
        what = f"issued {target.kind} {target.target} {held.key_id}"
        if verdict is Verdict.WAIT:
            watched = await self._ledger.watched(what, holdings.answered)
            verdict = leftovers.of_issued(replace(known, watched=watched))
        if verdict is Verdict.IN_USE:
            return
        finding = wording.issued(verdict, held, target.place, said.evidence, said.record)
        if verdict is Verdict.REMOVE:
            remove = partial(self._remove, self._kind(target.kind), holdings, held.key_id, rotation_id)
            await self._ledger.do(what, finding, remove, rotation_id)
        else:
            self._ledger.find(finding, "" if verdict is Verdict.OLD else rotation_id)

    async def _known(self, holdings: Holdings, held: Held, rotation_id: str) -> tuple[Testimony, Known]:
        said = await self._witness.testimony(rotation_id)
        known = await self._witness.known(said, held.key_id, everywhere=self._everywhere)
        return said, replace(
            known,
            staged=await self._is_staged(rotation_id),
            owned=holdings.owned,
            age=holdings.answered - held.created if holdings.answered else None,
        )

    async def _is_staged(self, rotation_id: str) -> bool:
        """Without its staged value nobody can publish a credential any more, however late an attempt wakes up."""
        try:
            return bool(await self._staging.versions(names.staged_secret(rotation_id)))
        except PermanentError as error:
            if error.code != "not-found":
                raise
            return False

    async def _remove(self, kind: CredentialKind, holdings: Holdings, key_id: str, rotation_id: str) -> None:
        await self._witness.lock_out(rotation_id, key_id)
        await kind.discard(holdings, key_id)

    def _claims(self, target: Target) -> list[Reference]:
        return [r for r in self._references if r.key and (r.kind, r.target) == (target.kind, target.target)]

    async def _compare(self, target: Target, holdings: Holdings) -> None:
        """Hold what newest versions claim against what the issuer says: the same end, and there at all."""
        labelled = {hashed(held.key_id): held for held in holdings.credentials if self._rotation_of(held)}
        every = {hashed(held.key_id) for held in holdings.credentials}
        for claim in self._claims(target):
            held = labelled.get(claim.key)
            if held and claim.expires and abs(held.expires - claim.expires) > SAME_END:
                self._ledger.find(_differs(claim, held, target))
            elif await self._is_missed(claim, every, holdings):
                self._ledger.find(_missing(claim, target))

    async def _is_missed(self, claim: Reference, every: Collection[str], holdings: Holdings) -> bool:
        """Tell whether the issuer should have what a version claims; what was retired for good isn't missed."""
        absent = claim.key not in every and claim.rotation_id and _settled(claim, holdings)
        return bool(absent) and not await self._witness.is_gone(claim)


def _settled(claim: Reference, holdings: Holdings) -> bool:
    return holdings.answered is not None and holdings.answered - claim.created > SETTLED


def _unreadable(target: Target, error: PermanentError) -> Finding:
    return Finding(
        code="issuer-unreadable",
        message=f"what was issued could not be looked at: {error.message}",
        what_to_do=error.what_to_do,
        subject=target.place,
    )


def _differs(claim: Reference, held: Held, target: Target) -> Finding:
    return Finding(
        code="expiry-differs",
        message=f"expires {claim.expires:%Y-%m-%d %H:%M} UTC, its credential {held.expires:%Y-%m-%d %H:%M} UTC",
        what_to_do="Set the expiry date of the newest version to the credential's end, or rotate it by hand once.",
        vault=claim.vault,
        secret=claim.secret,
        subject=f"{target.place}, key {held.key_id}",
    )


def _missing(claim: Reference, target: Target) -> Finding:
    return Finding(
        code="credential-gone",
        message="its newest version holds a credential that its issuer doesn't have any more: it is refused by now",
        what_to_do="Rotate it by hand now: POST /api/rotations with reason manual. If no consumer needs a key any "
        "more, that finds nothing left to rotate, and this isn't told again.",
        vault=claim.vault,
        secret=claim.secret,
        subject=target.place,
    )
