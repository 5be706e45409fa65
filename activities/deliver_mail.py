"""Step deliver_mail: one mail of what waits goes out, and only what was accepted waits no longer."""

import time
from collections.abc import Callable

import msgspec

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.errors import PermanentError
from rekey.model import Delivered, Parcel


@blueprint.activity_trigger(input_name="payload", activity=names.DELIVER_MAIL)
async def deliver_mail_step(payload: dict) -> dict:
    """Send one notice, or one digest, that waits."""
    return await run_unrecorded(names.DELIVER_MAIL, Parcel, deliver, payload)


async def deliver(desk: Desk, parcel: Parcel, clock: Callable[[], float] = time.time) -> Delivered:
    """Return who was told and who can't be; repeating it sends nothing twice, for the mail's id is the same."""
    from rekey.notices.allowance import FOR_WHAT_WAITED, Allowance
    from rekey.notices.mail_channel import MailChannel
    from rekey.notices.mail_errors import THIS_MAIL_REFUSED
    from rekey.notices.outbox import Outbox
    from rekey.notices.refusals import Refusals

    container = desk.clients.container()
    outbox, refusals = Outbox(container), Refusals(container, desk.settings)
    waiting = await outbox.read(parcel.id)
    if waiting is None:
        return Delivered()  # an earlier attempt was as far as this, and couldn't say so any more
    to = waiting.left(parcel.to)
    allowance = Allowance(container, desk.settings.nightly.mail_limits(), FOR_WHAT_WAITED, clock)
    channel = MailChannel(desk.clients.mail(), desk.settings, allowance)
    try:
        delivery = await channel.send(msgspec.structs.replace(waiting.notice, to=to))
    except PermanentError as error:
        if error.code != THIS_MAIL_REFUSED:
            raise
        if len(to) > 1:  # the service doesn't say which of them it is
            return Delivered(again=tuple(Parcel(parcel.id, (address,)) for address in to))
        await refusals.take(waiting, to, f"Communication Services refuses the mail: {error.message}.")
        return Delivered(refused=to)
    await refusals.take(waiting, delivery.refused, "REKEY_MAIL_DOMAINS doesn't allow mail to this address.")
    await outbox.settle(waiting, delivery.accepted)
    return Delivered(accepted=delivery.accepted, refused=delivery.refused)
