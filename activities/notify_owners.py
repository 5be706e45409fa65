"""Step notify_owners: people are told; mail that fails never blocks a rotation."""

import msgspec

from activities.blueprint import blueprint
from activities.step import Desk, run_telling
from rekey import names
from rekey.model import Notice, Telling, Told


@blueprint.activity_trigger(input_name="payload", activity=names.NOTIFY_OWNERS)
async def notify_owners_step(payload: dict) -> dict:
    """Send one notice to whom it concerns."""
    return await run_telling(names.NOTIFY_OWNERS, tell, payload)


async def tell(desk: Desk, telling: Telling) -> Told:
    """Return who was told; repeating it sends nothing twice, for the mail's id follows from what it says to whom."""
    from rekey.notices.told import Told as Markers

    notice = _addressed(desk, telling)
    markers = Markers(desk.clients.container())
    if telling.once and await markers.before(telling.once):
        return Told(kind=notice.kind)
    told = await _told(desk, notice, telling)
    if telling.once:
        await markers.first_time(telling.once)
    return told


async def _told(desk: Desk, notice: Notice, telling: Telling) -> Told:
    from rekey.notices.outbox import DIGEST, UNDELIVERED, Outbox

    outbox = Outbox(desk.clients.container())
    if telling.digest:
        return Told(kind=notice.kind, in_next_digest=await outbox.put(notice, DIGEST))
    if telling.keep:
        return Told(kind=notice.kind, undelivered=await outbox.put(notice, UNDELIVERED))
    return await _send(desk, notice)


def _addressed(desk: Desk, telling: Telling) -> Notice:
    from rekey.notices.recipients import recipients

    to = recipients(
        telling.notice.kind,
        owners=telling.owners,
        notify=telling.notify,
        application_owners=telling.application_owners,
        third_parties=telling.third_parties,
        settings=desk.settings,
    )
    return msgspec.structs.replace(telling.notice, to=to)


async def _send(desk: Desk, notice: Notice) -> Told:
    from rekey.notices.allowance import Allowance
    from rekey.notices.mail_channel import MailChannel

    allowance = Allowance(desk.clients.container(), desk.settings.nightly.mail_limits())
    delivery = await MailChannel(desk.clients.mail(), desk.settings, allowance).send(notice)
    return Told(kind=notice.kind, accepted=delivery.accepted, refused=delivery.refused)
