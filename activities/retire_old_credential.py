"""Step retire_old_credential: the old credential, and whatever a dead attempt of this rotation left, stops working."""

from activities.blueprint import blueprint
from activities.new_value import issued_of
from activities.step import Desk, run_step
from rekey import names
from rekey.model import Retired, Walk

LEFT_ALONE = (
    "Which credential the old version held could not be proved, so it was left alone and works until it expires."
)


@blueprint.activity_trigger(input_name="payload", activity=names.RETIRE_OLD_CREDENTIAL)
async def retire_old_credential_step(payload: dict) -> dict:
    """Remove at the issuer, by key id."""
    return await run_step(names.RETIRE_OLD_CREDENTIAL, retire, payload)


async def retire(desk: Desk, walk: Walk) -> Retired:
    """Return the key ids that are gone now. The published one is never among them."""
    from rekey import nothing_left

    rotation, kept = walk.rotation, _kept(walk)
    kind = desk.credential_kind(walk)
    labelled = await kind.labelled(rotation, names.label(desk.settings.deployment, rotation.id))
    left_over = [key for key in labelled if key not in {kept, rotation.old_key_id}]
    for key_id in left_over:
        await kind.remove(rotation, key_id)
    old = [rotation.old_key_id] if rotation.old_key_id and rotation.old_key_id != kept else []
    for key_id in old:
        await kind.retire(rotation, key_id, kept)
    if old and not kept:
        await nothing_left.remember_gone(desk.clients.container(), rotation.vault, rotation.secret, old[0])
    record = await desk.records().read(rotation.id)
    return Retired(
        removed=(*left_over, *old),
        remark="" if rotation.old_key_id else (walk.facts and walk.facts.left_alone) or LEFT_ALONE,
        look_again=record is not None and record.attempts > 1,
    )


def _kept(walk: Walk) -> str:
    """Return the key id of the new credential; "" where nobody needs one any more."""
    return "" if walk.facts and walk.facts.nothing_left() else issued_of(walk).key_id
