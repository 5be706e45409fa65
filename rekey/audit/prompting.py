"""Tells a rotation in its grace that somebody who may read the secret was refused the old version it disabled.

Who, and when, is put into the rotation's record, which is what the rotation acts on; the durable event that follows
only says that there is something to read. All of it may be done twice: a pass that dies is repeated.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rekey import names
from rekey.audit.access import Access
from rekey.audit.ports import Known, Watched
from rekey.audit.readers import READ
from rekey.model import Refusal
from rekey.starting import DurableClient, is_busy

if TYPE_CHECKING:
    from rekey.records import Record, Records

_log = logging.getLogger(__name__)


async def prompt(
    records: "Records", engine: DurableClient, vault: str, accesses: Sequence[Access], known: Known
) -> None:
    """Put down who was refused and wake the rotations up; NotYetError, PermanentError of the records' storage."""
    refused: dict[str, list[Refusal]] = {}
    for rotation, refusal in _refusals(accesses, known):
        refused.setdefault(rotation, []).append(refusal)
    for rotation, refusals in refused.items():
        record = await records.read(rotation)
        if record is None or record.vault.lower() != vault or not record.may_enable():
            continue
        await _wake(engine, await records.refuse(rotation, refusals))


def _refusals(accesses: Sequence[Access], known: Known) -> Iterator[tuple[str, Refusal]]:
    for access in accesses:
        watched = known.secret(access.secret)
        if _was_refused(access, watched) and _may_read(access, watched, known):
            caller = access.caller
            refusal = Refusal(app_id=caller.app_id, object_id=caller.object_id, name=caller.name, at=access.last)
            yield watched.rotation, refusal


def _was_refused(access: Access, watched: Watched) -> bool:
    """Tell whether it is about the version that the rotation disabled, and not one that was disabled before."""
    refused = access.disabled and access.operation == READ and access.version == watched.previous != ""
    since = watched.in_grace and watched.switched is not None and access.last >= watched.switched
    return bool(refused and since and names.ROTATION_ID.fullmatch(watched.rotation))


def _may_read(access: Access, watched: Watched, known: Known) -> bool:
    """Where no list of readers is given, whoever has the right in the vault may: others aren't told it is disabled."""
    ids = access.caller.known_as()
    readers = watched.readers if watched.readers is not None else known.readers
    return bool(ids) and not known.is_own(access.caller) and (readers is None or bool(ids & readers))


async def _wake(engine: DurableClient, record: "Record") -> None:
    """Raise the event for the instance if it still runs; one that doesn't hear of it is told by the next refusal."""
    try:
        if await is_busy(engine, record.instance_id):
            await engine.raise_orchestration_event(record.instance_id, names.DECISION_EVENT)
    except Exception as error:  # noqa: BLE001 - it is on the record, whatever the engine says
        _log.warning("rotation %s was not told of a refusal (%s)", record.rotation_id, type(error).__name__)
