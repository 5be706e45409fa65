"""Step set_secret_version: the new value becomes the newest version, if nobody else was faster."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.new_value import issued_of, new_value
from activities.step import Desk, run_step
from rekey import names
from rekey.errors import NotYetError, PermanentError
from rekey.model import Published, Walk
from rekey.secret_value import SecretValue

if TYPE_CHECKING:
    from rekey.vault import Version

READ_BACK_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each look: another attempt would write another version, if only of the very same password."""


@blueprint.activity_trigger(input_name="payload", activity=names.SET_SECRET_VERSION)
async def set_secret_version_step(payload: dict) -> dict:
    """Publish the value, read it back, destroy the staged one."""
    return await run_step(names.SET_SECRET_VERSION, publish, payload)


async def publish(desk: Desk, walk: Walk) -> Published:
    """Return the new version; PermanentError `superseded` if the secret got another version meanwhile."""
    issued = issued_of(walk)
    current, value = await desk.vault(walk.rotation.vault).current(walk.rotation.secret)
    if current.tags.get(names.TAG_ROTATION_ID) != walk.rotation.id:
        current = await _set(desk, walk, current, value)
    elif current.tags.get(names.TAG_KEY_ID) != issued.key_id:
        raise PermanentError("key-mismatch", "the version this rotation wrote holds another key")
    if desk.credential_kind(walk).reveals_once:
        await desk.staging().destroy(names.staged_secret(walk.rotation.id))
    return Published(version=current.id, expires=current.expires or issued.expires)


async def _set(desk: Desk, walk: Walk, current: "Version", old: SecretValue) -> "Version":
    from rekey.policy import tags_for_new_version

    rotation, issued = walk.rotation, issued_of(walk)
    if current.id != rotation.old_version:
        raise PermanentError(
            "superseded",
            f"secret {rotation.secret} got version {current.id} from somebody else during the rotation",
            "Nothing to do if that was on purpose: the newest version stays, the new credential is removed.",
        )
    value = await _proved(desk, walk, old)
    await desk.vault(rotation.vault).set(
        rotation.secret,
        value,
        tags=tags_for_new_version(current.tags, rotation.id, issued.key_id),
        expires=issued.expires,
        not_before=datetime.now(UTC).replace(microsecond=0),
        content_type=current.content_type,
    )
    return await _read_back(desk, walk, value)


async def _proved(desk: Desk, walk: Walk, old: SecretValue) -> SecretValue:
    """Return what is published; what the issuer shows again is used again, for somebody may have changed it."""
    kind, value = desk.credential_kind(walk), await new_value(desk, walk)
    if not kind.reveals_once:
        await kind.verify(walk.rotation, value)
    return kind.published(walk.rotation, value, old)


async def _read_back(desk: Desk, walk: Walk, value: SecretValue) -> "Version":
    """What consumers will get is what an unversioned read gives; a replica may take a while until it does."""
    for pause in READ_BACK_PAUSES:
        await asyncio.sleep(pause)
        back, seen = await desk.vault(walk.rotation.vault).current(walk.rotation.secret)
        if back.tags.get(names.TAG_ROTATION_ID) == walk.rotation.id and seen.same_as(value):
            return back
    raise NotYetError("not-read-back", "the vault doesn't give back what was written yet")
