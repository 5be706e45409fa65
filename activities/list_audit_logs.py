"""Step list_audit_logs: where the audit logs of the vaults are that settings allow, and whose are nowhere."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.errors import RekeyError
from rekey.model.audit import Logs, Pass, Trouble

if TYPE_CHECKING:
    from rekey.model.audit import Place

KEPT = 3600.0
"""Seconds: a vault gets its first log once; one that has none yet is looked for each time."""


@blueprint.activity_trigger(input_name="payload", activity=names.LIST_AUDIT_LOGS)
async def list_audit_logs_step(payload: dict) -> dict:
    """Look through the accounts that settings name."""
    return await run_unrecorded(names.LIST_AUDIT_LOGS, Pass, find, payload)


async def find(desk: Desk, _pass: Pass) -> Logs:
    """Return the places, and the vaults, the staging vault among them, that have none."""
    wanted = frozenset({*desk.settings.vaults(), desk.settings.staging_vault.lower()})
    found, troubles = await _places(desk, wanted, anew=False)
    missing = wanted - {place.vault for place in found}
    if missing and not troubles:
        found, troubles = await _places(desk, wanted, anew=True)
        missing = wanted - {place.vault for place in found}
    return Logs(places=tuple(found), missing=() if troubles else tuple(sorted(missing)), troubles=tuple(troubles))


async def _places(desk: Desk, wanted: frozenset[str], *, anew: bool) -> "tuple[list[Place], list[Trouble]]":
    """One account that can't be looked through doesn't hide the others."""
    found, errors = list["Place"](), list[RekeyError]()
    accounts = range(len(desk.settings.audit.storage))
    for account in accounts:
        try:
            found += await _in_account(desk, account, wanted, anew=anew)
        except RekeyError as error:
            errors.append(error)
    if errors and len(errors) == len(accounts):
        raise errors[0]
    return found, [Trouble(code=e.code, message=e.message, what_to_do=e.what_to_do) for e in errors]


async def _in_account(desk: Desk, account: int, wanted: frozenset[str], *, anew: bool) -> "tuple[Place, ...]":
    from rekey.audit.places import places

    container = desk.clients.audit_logs(account)
    name = f"audit places {account}"
    return await desk.clients.remember(name, KEPT, lambda: places(container, account, wanted), anew=anew)
