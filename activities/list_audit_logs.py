"""Step list_audit_logs: where the audit logs of the vaults are that settings allow, and whose are nowhere."""

from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.audit import Logs, Pass

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
    found = await _places(desk, wanted, anew=False)
    if wanted - {place.vault for place in found}:
        found = await _places(desk, wanted, anew=True)
    return Logs(places=tuple(found), missing=tuple(sorted(wanted - {place.vault for place in found})))


async def _places(desk: Desk, wanted: frozenset[str], *, anew: bool) -> "list[Place]":
    return [
        place
        for account in range(len(desk.settings.audit.storage))
        for place in await _in_account(desk, account, wanted, anew=anew)
    ]


async def _in_account(desk: Desk, account: int, wanted: frozenset[str], *, anew: bool) -> "tuple[Place, ...]":
    from rekey.audit.places import places

    container = desk.clients.audit_logs(account)
    name = f"audit places {account}"
    return await desk.clients.remember(name, KEPT, lambda: places(container, account, wanted), anew=anew)
