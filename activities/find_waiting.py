"""Step find_waiting_notices: mails that could not be sent for a day, events that could not be understood."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.looking import ledger
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Finding
from rekey.model.night import Looked, Part

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueClient

    from rekey.notices.outbox import Waiting

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
    for finding in await _poison(desk):
        book.find(finding)
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


async def _poison(desk: Desk) -> list[Finding]:
    """Count the messages, without reading any: they may hold anything."""
    from rekey.blobs import translated
    from rekey.errors import PermanentError

    queue = desk.clients.poison_queue()
    if queue is None:
        return []
    try:
        with translated(f"queue {names.POISON_QUEUE}"):
            number = await _count(queue)
    except PermanentError as error:
        return [_unseen(error.message)]
    return [_poisoned(number)] if number else []


async def _count(queue: "QueueClient") -> int:
    from azure.core.exceptions import ResourceNotFoundError

    try:
        return (await queue.get_queue_properties()).approximate_message_count or 0
    except ResourceNotFoundError:  # the host makes it for its first message
        return 0


def _poisoned(number: int) -> Finding:
    return Finding(
        code="poison-messages",
        message=f"{number} events could not be understood or started nothing",
        what_to_do="Look at them, then clear the queue: what is due is found by the nightly sweep in any case.",
        subject=f"queue {names.POISON_QUEUE}",
    )


def _unseen(message: str) -> Finding:
    return Finding(
        code="poison-queue-unreadable",
        message=message,
        what_to_do="Grant the storage identity the role Storage Queue Data Reader on the app's storage account.",
        subject=f"queue {names.POISON_QUEUE}",
    )
