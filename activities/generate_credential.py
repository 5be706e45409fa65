"""Step generate_credential: of all attempts, however often killed or late, exactly one new credential counts.

An attempt takes generating over in the record, removes what earlier ones labelled, makes a credential, stages its value
and commits. It can commit only while nobody has taken over, so an attempt that wakes up late removes what it made.
"""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from activities.blueprint import blueprint
from activities.step import Desk, run_step
from rekey import names
from rekey.due import new_end
from rekey.errors import NotYetError, OvertakenError, RekeyError, UnclearError
from rekey.model import Issued, Walk

if TYPE_CHECKING:
    from rekey.ports import NewCredential

READS_LAG = 10.0
"""Seconds: after a lost answer, what was made may not be listed any sooner."""

WITHDRAW_PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between the tries of an overtaken attempt to remove what it made."""


@blueprint.activity_trigger(input_name="payload", activity=names.GENERATE_CREDENTIAL)
async def generate_credential_step(payload: dict) -> dict:
    """Make the new credential and put its value where only Rekey reads it."""
    return await run_step(names.GENERATE_CREDENTIAL, generate, payload)


async def generate(desk: Desk, walk: Walk) -> Issued:
    """Return the committed credential's key id and staged version id."""
    attempt = str(uuid4())
    before = await desk.records().begin_generating(walk.rotation.id, attempt)
    if before.issued:
        return before.issued
    label = names.label(desk.settings.deployment, walk.rotation.id)
    if before.generating:
        await _remove_leftovers(desk, walk, label)
    try:
        turn = Attempt(desk, walk.rotation.id, attempt, before.asked)
        made = await desk.credential_kind(walk).generate(walk.rotation, label, _end(walk), turn)
    except UnclearError as error:
        raise UnclearError(error.code, error.message, READS_LAG) from None
    return await _keep(desk, walk, attempt, made)


class Attempt:
    """The turn of one attempt, as the record has it."""

    def __init__(self, desk: Desk, rotation_id: str, attempt: str, before: datetime | None) -> None:
        self._desk, self._rotation_id, self._attempt = desk, rotation_id, attempt
        self.before = before

    async def ask(self) -> None:
        """Put on the record that the issuer is asked now; OvertakenError if another attempt has taken over."""
        await self._desk.records().asking(self._rotation_id, self._attempt)


def _end(walk: Walk) -> datetime:
    return new_end(walk.rotation.policy, datetime.now(UTC), walk.facts.longest if walk.facts else None)


async def _remove_leftovers(desk: Desk, walk: Walk, label: str) -> None:
    kind = desk.credential_kind(walk)
    for key_id in await kind.labelled(walk.rotation, label):
        await kind.remove(walk.rotation, key_id)


async def _keep(desk: Desk, walk: Walk, attempt: str, made: "NewCredential") -> Issued:
    """Stage and commit, unless another attempt has taken over meanwhile: then remove what this one made."""
    rotation_id = walk.rotation.id
    try:
        await _require_turn(desk, rotation_id, attempt)
        staged = await _stage(desk, rotation_id, made) if desk.credential_kind(walk).reveals_once else None
        issued = Issued(key_id=made.key_id, expires=made.expires, staged_version=staged)
        await desk.records().commit_issued(rotation_id, attempt, issued)
    except RekeyError:
        # Whatever went wrong: this attempt is repeated only if nobody has taken over. Else nobody cleans up after it.
        if not await _has_turn(desk, rotation_id, attempt):
            await _withdraw(desk, walk, made)
            raise OvertakenError from None
        raise
    return issued


async def _stage(desk: Desk, rotation_id: str, made: "NewCredential") -> str:
    """Put the value where only Rekey reads it and return the staged version's id."""
    version = await desk.staging().set(
        names.staged_secret(rotation_id),
        made.value,
        tags={
            names.TAG_KEY_ID: made.key_id,
            names.TAG_ROTATION_ID: rotation_id,
            names.TAG_DEPLOYMENT: desk.settings.deployment,
        },
        expires=made.expires,
    )
    return version.id


async def _has_turn(desk: Desk, rotation_id: str, attempt: str) -> bool:
    record = await desk.records().read(rotation_id)
    return record is not None and record.generating == attempt


async def _require_turn(desk: Desk, rotation_id: str, attempt: str) -> None:
    if not await _has_turn(desk, rotation_id, attempt):
        raise OvertakenError


async def _withdraw(desk: Desk, walk: Walk, made: "NewCredential") -> None:
    await _remove_patiently(desk, walk, made.key_id)
    if desk.credential_kind(walk).reveals_once and not await _awaited(desk, walk.rotation.id):
        await desk.staging().destroy(names.staged_secret(walk.rotation.id))


async def _remove_patiently(desk: Desk, walk: Walk, key_id: str) -> None:
    """Nobody repeats an attempt that was overtaken, and right after an addition the directory refuses a removal."""
    kind = desk.credential_kind(walk)
    for pause in WITHDRAW_PAUSES:
        try:
            return await kind.remove(walk.rotation, key_id)
        except NotYetError:
            await asyncio.sleep(pause)
    return await kind.remove(walk.rotation, key_id)


async def _awaited(desk: Desk, rotation_id: str) -> bool:
    """Tell whether somebody is going to use, and then destroy, what is staged; versions live no longer than that."""
    from rekey.records import OPEN

    record = await desk.records().read(rotation_id)
    if record is None or record.state != OPEN:
        return False
    if record.issued is None:
        return True
    return await desk.staging().read(names.staged_secret(rotation_id), record.issued.staged_version or "") is not None
