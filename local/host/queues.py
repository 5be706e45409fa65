"""Queue triggers: polling, visibility, retries and the poison queue, as the Storage Queues extension does them."""

import asyncio
import base64
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient

from local.host.functions import FunctionInfo
from local.host.settings import QueueSettings, resolve
from local.host.settings_error import SettingsError
from local.host.wire import QueueCall
from local.storage import ACCOUNT, ACCOUNT_KEY

_LOG = logging.getLogger(__name__)
_SHORTEST_POLL = 0.1
_UNREACHABLE_POLL = 2.0
_RELEASE_SECONDS = 2.0
# How long a message is hidden while it is worked on, if host.json names no time: the real extension's constant.
_LOCK_SECONDS = 600
# https://learn.microsoft.com/azure/storage/common/storage-use-azurite#connection-strings
_DEVELOPMENT_STORAGE = (
    f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};"
    f"QueueEndpoint=http://127.0.0.1:10001/{ACCOUNT};"
)

type Run = Callable[[QueueCall], Awaitable[bool]]


def open_listener(
    info: FunctionInfo, settings: QueueSettings, environment: Mapping[str, str], run: Run
) -> "QueueListener":
    """Make the listener of a queue trigger; SettingsError if its connection isn't set.

    `run` runs the function for a message and returns whether it ended well.
    """
    name = str(info.trigger.get("connection") or "AzureWebJobsStorage")
    names = (f"ConnectionStrings:{name}", f"AzureWebJobs{name}", name)
    connection = next((environment[each] for each in names if environment.get(each)), "")
    if not connection:
        raise SettingsError(
            f"function {info.name}: the setting {name} has no connection string; set it in local.settings.json"
        )
    if connection.strip().rstrip(";").lower() == "usedevelopmentstorage=true":
        connection = _DEVELOPMENT_STORAGE
    queue = resolve(str(info.trigger["queueName"]), environment)
    return QueueListener(connection, queue, settings, run)


class QueueListener:
    """Polls one queue until it is cancelled."""

    def __init__(self, connection: str, queue: str, settings: QueueSettings, run: Run) -> None:
        self._queue = _client(connection, queue)
        self._poison = _client(connection, f"{queue}-poison")
        self._settings = settings
        self._run = run
        self._lock_seconds = int(settings.visibility_timeout) or _LOCK_SECONDS
        self._working: set[asyncio.Task[None]] = set()
        self._reachable = True

    async def listen(self) -> None:
        """Poll for ever. The queue is created if it is missing, which the real host does not do."""
        async with self._queue, self._poison:
            try:
                await self._poll_for_ever()
            finally:
                await self._release()

    async def _poll_for_ever(self) -> None:
        delay = _SHORTEST_POLL
        while True:
            try:
                found = await self._poll()
                self._reachable = True
                delay = _SHORTEST_POLL if found else min(delay * 2, self._settings.max_polling_interval)
            except ResourceNotFoundError:
                await _create(self._queue)
            except AzureError as error:
                self._warn_once(error)
                delay = _UNREACHABLE_POLL
            await asyncio.sleep(delay)

    async def _release(self) -> None:
        """Let what the stopped worker left be seen by another host soon, not only when its lock ends."""
        if self._working:
            await asyncio.wait(self._working, timeout=_RELEASE_SECONDS)

    def _warn_once(self, error: AzureError) -> None:
        if self._reachable:
            _LOG.warning("queue %s can't be read: %s", self._queue.queue_name, type(error).__name__)
        self._reachable = False

    async def _poll(self) -> bool:
        """Fetch a batch if there is room for one; whether there was any message."""
        if len(self._working) > self._settings.new_batch_threshold:
            await asyncio.wait(self._working, return_when=asyncio.FIRST_COMPLETED)
            return True
        batch = self._queue.receive_messages(
            max_messages=self._settings.batch_size, visibility_timeout=self._lock_seconds
        )
        found = False
        async for message in batch:
            found = True
            task = asyncio.create_task(self._process(message))
            self._working.add(task)
            task.add_done_callback(self._working.discard)
        return found

    async def _process(self, message: QueueMessage) -> None:
        try:
            body = self._decoded(message)
            if body is None or (message.dequeue_count or 0) > self._settings.max_dequeue_count:
                await self._give_up(message)
                return
            receipt = _Receipt(message.pop_receipt)
            renewal = asyncio.create_task(self._renew(message, receipt))
            try:
                succeeded = await self._run(QueueCall(body, _metadata(message, body)))
            finally:
                renewal.cancel()
                await asyncio.gather(renewal, return_exceptions=True)
            message.pop_receipt = receipt.value
            await self._finish(message, succeeded=succeeded)
        except AzureError as error:
            # It becomes visible again by itself.
            _LOG.warning("message %s could not be finished: %s", message.id, type(error).__name__)

    async def _finish(self, message: QueueMessage, *, succeeded: bool) -> None:
        if succeeded:
            await self._queue.delete_message(message)
        elif (message.dequeue_count or 0) >= self._settings.max_dequeue_count:
            await self._give_up(message)
        else:
            await self._queue.update_message(message, visibility_timeout=int(self._settings.visibility_timeout))

    async def _give_up(self, message: QueueMessage) -> None:
        _LOG.error("message %s is moved to %s", message.id, self._poison.queue_name)
        await _create(self._poison)
        await self._poison.send_message(message.content, time_to_live=-1)
        await self._queue.delete_message(message)

    async def _renew(self, message: QueueMessage, receipt: "_Receipt") -> None:
        """Keep a message hidden while its function runs; each renewal changes the pop receipt."""
        while True:
            await asyncio.sleep(self._lock_seconds / 2)
            with contextlib.suppress(AzureError):
                renewed = await self._queue.update_message(
                    message.id, receipt.value, visibility_timeout=self._lock_seconds
                )
                receipt.value = renewed.pop_receipt

    def _decoded(self, message: QueueMessage) -> bytes | None:
        text = str(message.content or "")
        if not self._settings.base64:
            return text.encode()
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            return None


class _Receipt:
    def __init__(self, value: Any) -> None:
        self.value = value


def _client(connection: str, queue: str) -> QueueClient:
    # Polling repeats by itself: the SDK's own retries would only hide for how long a queue is unreachable.
    return QueueClient.from_connection_string(connection, queue, retry_total=0)


async def _create(queue: QueueClient) -> None:
    with contextlib.suppress(ResourceExistsError):
        await queue.create_queue()


def _metadata(message: QueueMessage, body: bytes) -> dict[str, str | int]:
    def moment(value: datetime | None) -> str:
        return value.isoformat() if value else ""

    return {
        "QueueTrigger": body.decode(errors="replace"),
        "Id": message.id,
        "DequeueCount": message.dequeue_count or 0,
        "InsertionTime": moment(message.inserted_on),
        "ExpirationTime": moment(message.expires_on),
        "NextVisibleTime": moment(message.next_visible_on),
        "PopReceipt": message.pop_receipt or "",
    }
