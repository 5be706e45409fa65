"""Step settle_alert: a notice that is out, or waits in the outbox, is no longer to be sent."""

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.audit import Settling


@blueprint.activity_trigger(input_name="payload", activity=names.SETTLE_ALERT)
async def settle_alert_step(payload: dict) -> dict:
    """Forget one notice."""
    return await run_unrecorded(names.SETTLE_ALERT, Settling, settle, payload)


async def settle(desk: Desk, settling: Settling) -> None:
    """Take the notice out of the vault's state; one that is gone already is no error."""
    from rekey.audit.alerts import settled
    from rekey.audit.state import States

    states = States(desk.clients.container())
    state, etag = await states.read(settling.place)
    new = settled(state, settling.alert)
    if new != state:
        await states.write(settling.place, new, etag)
