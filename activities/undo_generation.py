"""Step undo_generation: what was made is unmade, unless it is published after all."""

from uuid import uuid4

from activities.blueprint import blueprint
from activities.step import Desk, run_step
from rekey import names
from rekey.errors import PermanentError
from rekey.model import Published, Rotation, Undone, Walk


@blueprint.activity_trigger(input_name="payload", activity=names.UNDO_GENERATION)
async def undo_generation_step(payload: dict) -> dict:
    """Leave nothing behind that works and that nobody knows."""
    return await run_step(names.UNDO_GENERATION, undo, payload)


async def undo(desk: Desk, walk: Walk) -> Undone:
    """Remove the new credential and the staged value; a version that did get published is reported instead."""
    rotation = walk.rotation
    if published := await _published(desk, rotation):
        return Undone(published=published)
    # Whoever is still generating finds that somebody took over, and removes what it made.
    record = await desk.records().begin_generating(rotation.id, f"undone {uuid4()}")
    kind = desk.credential_kind(walk)
    labelled = await kind.labelled(rotation, names.label(desk.settings.deployment, rotation.id))
    doomed = tuple(dict.fromkeys([*labelled, *([walk.issued.key_id] if walk.issued else [])]))
    for key_id in doomed:
        await kind.remove(rotation, key_id)
    if not kind.reveals_once:
        return Undone()  # the issuer keeps as many keys as before; nobody was given this one
    await desk.staging().destroy(names.staged_secret(rotation.id))
    return Undone(removed=doomed, look_again=record.attempts > 1)


async def _published(desk: Desk, rotation: Rotation) -> Published | None:
    try:
        current, _ = await desk.vault(rotation.vault).current(rotation.secret)
    except PermanentError as error:
        if error.code == "not-found":  # somebody deleted the secret: nothing of ours is out there
            return None
        raise
    if current.tags.get(names.TAG_ROTATION_ID) != rotation.id or current.expires is None:
        return None
    return Published(version=current.id, expires=current.expires)
