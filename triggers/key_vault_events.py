"""Takes Key Vault's events out of their queue and starts the rotations they hint at.

An event starts nothing but a look: whether the secret is tagged and due is read from the vault by the rotation itself.
"""

import logging
from typing import Any

import azure.durable_functions as df
import azure.functions as func
import msgspec

from rekey import names
from rekey.key_vault_events import Event, GarbageEventError, parse
from rekey.model import Reason, RotationRequest
from rekey.settings import settings
from rekey.starting import DurableClient, start_rotation

blueprint = df.Blueprint()
_log = logging.getLogger(__name__)


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the log, as JSON: whatever an event holds stays on its line."""

    message_id: str
    dequeue_count: int | None
    outcome: str = ""
    event: Event | None = None
    instance: str = ""
    problem: str = ""


@blueprint.queue_trigger(arg_name="message", queue_name=names.NEAR_EXPIRY_QUEUE, connection="AzureWebJobsStorage")
@blueprint.durable_client_input(client_name="client")
async def key_vault_events(message: func.QueueMessage, client: df.DurableFunctionsClient) -> None:
    """Start a rotation for each event about a secret's end; raise if one can't be read, so that the host retries.

    After five tries the host moves the message to the poison queue; what could be read has been started by then.
    """
    line = Line(message_id=message.id or "", dequeue_count=message.dequeue_count)
    problems: list[Exception] = []
    try:
        events = parse(message.get_body())
    except GarbageEventError as garbage:
        events = garbage.readable
        problems.append(garbage)
        _write(logging.WARNING, line, outcome="garbage", problem=str(garbage))
    for event in events:
        try:
            outcome, instance = await _take(event, client)
        except Exception as problem:  # noqa: BLE001 - the message's other events are started nevertheless
            problems.append(problem)
            _write(logging.WARNING, line, outcome="failed", event=event, problem=type(problem).__name__)
        else:
            _write(logging.INFO, line, outcome=outcome, event=event, instance=instance)
    if problems:
        raise problems[0]


async def _take(event: Event, client: DurableClient) -> tuple[str, str]:
    """Return what became of the event, and the instance that is about it."""
    if not event.hints_at_end:
        return "acknowledged", ""
    if event.vault not in settings().vaults():
        return "unknown-vault", ""
    request = RotationRequest(vault=event.vault, secret=event.secret, reason=Reason.EVENT, requested_by="Event Grid")
    instance, started = await start_rotation(client, request)
    return "started" if started else "running-already", instance


def _write(level: int, line: Line, **more: Any) -> None:
    _log.log(level, "%s", msgspec.json.encode(msgspec.structs.replace(line, **more)).decode())
