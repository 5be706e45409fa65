"""Step check_old_credential_use: does anybody still ask for the old version, by the vault's audit log."""

from datetime import datetime

from activities.blueprint import blueprint
from activities.step import Desk, run_step
from rekey import names
from rekey.errors import PermanentError
from rekey.model import UseCheck, Walk

NOT_CHECKED = "Whether anybody still uses the old credential was not checked: {why}."


@blueprint.activity_trigger(input_name="payload", activity=names.CHECK_OLD_CREDENTIAL_USE)
async def check_old_credential_use_step(payload: dict) -> dict:
    """Look for evidence of use, never silently skip it."""
    return await run_step(names.CHECK_OLD_CREDENTIAL_USE, check, payload)


async def check(desk: Desk, walk: Walk) -> UseCheck:
    """Return who asked for the old version since the switch; whatever was not looked at is in the remark."""
    if not desk.settings.audit.storage:
        from rekey.audit.usage import NOT_CONFIGURED

        return UseCheck(checked=False, remark=NOT_CHECKED.format(why=NOT_CONFIGURED))
    try:
        return await _look(desk, walk, walk.since or walk.rotation.started)
    except PermanentError as error:
        return UseCheck(checked=False, remark=NOT_CHECKED.format(why=error.message))


async def _look(desk: Desk, walk: Walk, since: datetime) -> UseCheck:
    from rekey.audit import usage

    rotation, new = walk.rotation, walk.published.version if walk.published else ""
    found = await usage.usage(desk.clients, rotation.vault, rotation.secret, since_version=new)
    users = usage.users(found, rotation.old_version, since)
    record = await desk.records().read(rotation.id)
    return UseCheck(
        checked=not found.unseen,
        used_by=usage.sentences(users),
        last=max((reader.last for reader in users), default=None),
        refused=record.refusals if record else (),
        remark=NOT_CHECKED.format(why=found.unseen) if found.unseen else "",
    )
