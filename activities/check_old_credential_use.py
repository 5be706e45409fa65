"""Step check_old_credential_use: is anybody still using the old credential. Not looked at yet, and said so."""

from activities.blueprint import blueprint
from activities.step import Desk, run_step
from rekey import names
from rekey.model import UseCheck, Walk

NOT_CHECKED = (
    "Whether anybody still uses the old credential was not checked: this version of Rekey doesn't read the vault's "
    "audit log or Entra's sign-in reports yet."
)


@blueprint.activity_trigger(input_name="payload", activity=names.CHECK_OLD_CREDENTIAL_USE)
async def check_old_credential_use_step(payload: dict) -> dict:
    """Look for evidence of use, never silently skip it."""
    return await run_step(names.CHECK_OLD_CREDENTIAL_USE, check, payload)


async def check(desk: Desk, walk: Walk) -> UseCheck:  # noqa: ARG001 - the signature every step has
    """Return that nothing was looked at; the notice and the record say so."""
    return UseCheck(checked=False, remark=NOT_CHECKED)
