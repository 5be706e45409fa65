"""Step list_places: where the nightly check looks; what earlier nights kept is removed."""

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.night import Night, Places


@blueprint.activity_trigger(input_name="payload", activity=names.LIST_PLACES)
async def list_places_step(payload: dict) -> dict:
    """Begin a night."""
    return await run_unrecorded(names.LIST_PLACES, Night, begin, payload)


async def begin(desk: Desk, night: Night) -> Places:
    """Return the vaults that settings allow, and the number of groups of what issuers issue for, if the app rotates."""
    from rekey.federation_settings import Duty
    from rekey.reconcile.memory import Memory
    from rekey.reconcile.targets import groups

    await Memory(desk.clients.container()).forget_nights(but=night.run_id)
    if desk.settings.federating.duty is not Duty.ROTATION:
        return Places(vaults=(), groups=0, rotates=False)
    return Places(vaults=desk.settings.vaults(), groups=len(groups(desk.settings)))
