"""Step notify_owners: people are told; mail that fails never blocks a rotation."""

import azure.durable_functions as df
import msgspec

from activities.step import Desk, run_telling
from rekey import names
from rekey.model import Notice, Telling, Told

blueprint = df.Blueprint()


@blueprint.activity_trigger(input_name="payload", activity=names.NOTIFY_OWNERS)
async def notify_owners_step(payload: dict) -> dict:
    """Send one notice to whom it concerns."""
    return await run_telling(names.NOTIFY_OWNERS, tell, payload)


async def tell(desk: Desk, telling: Telling) -> Told:
    """Return who was told; repeating it sends nothing twice, for the mail's id follows from what it says to whom."""
    notice = _addressed(desk, telling)
    if telling.keep:
        told = Told(kind=notice.kind, undelivered=await _keep(desk, notice))
    else:
        told = await _send(desk, notice, telling.once)
    return told


def _addressed(desk: Desk, telling: Telling) -> Notice:
    from rekey.notices.recipients import recipients

    to = recipients(
        telling.notice.kind,
        owners=telling.owners,
        notify=telling.notify,
        application_owners=telling.application_owners,
        settings=desk.settings,
    )
    return msgspec.structs.replace(telling.notice, to=to)


async def _send(desk: Desk, notice: Notice, once: str) -> Told:
    from rekey.notices.mail_channel import MailChannel
    from rekey.notices.told import Told as Markers

    markers = Markers(desk.clients.container())
    if once and await markers.before(once):
        return Told(kind=notice.kind)
    delivery = await MailChannel(desk.clients.mail(), desk.settings).send(notice)
    if once:
        await markers.first_time(once)
    return Told(kind=notice.kind, accepted=delivery.accepted, refused=delivery.refused)


async def _keep(desk: Desk, notice: Notice) -> str:
    from rekey.notices.outbox import Outbox

    return await Outbox(desk.clients.container()).put(notice, "undelivered")
