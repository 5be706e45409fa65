"""Step find_waiting_notices: mails that could not be sent for a day, events that could not be understood."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.looking import ledger
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Finding
from rekey.model.night import Looked, Part

if TYPE_CHECKING:
    from rekey.notices.outbox import Waiting

blueprint = df.Blueprint()

LATE = timedelta(days=1)


@blueprint.activity_trigger(input_name="payload", activity=names.FIND_WAITING_NOTICES)
async def find_waiting_notices_step(payload: dict) -> dict:
    """Look through the outbox."""
    return await run_unrecorded(names.FIND_WAITING_NOTICES, Part, find, payload)


async def find(desk: Desk, part: Part) -> Looked:
    """Report what nobody was told for a day, and how many events lie in the poison queue."""
    from rekey.notices.outbox import Outbox

    book, now = ledger(desk, part, "waiting"), datetime.now(UTC)
    for waiting in await Outbox(desk.clients.container()).pending():
        if now - waiting.since > LATE:
            book.find(_late(waiting))
    return await book.keep()


def _late(waiting: "Waiting") -> Finding:
    return Finding(
        code="notice-waiting",
        message=f"{waiting.notice.kind} could not be delivered since {waiting.since:%Y-%m-%d} ({waiting.reason})",
        what_to_do="Check the mail resource, its sender and its limits; it is sent as soon as the service takes it.",
        vault=waiting.notice.vault,
        secret=waiting.notice.secret,
        subject=waiting.notice.rotation_id,
    )
