"""Knows how events get into a storage queue: at least once, in any order, again and again until it works."""

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.azure.eventgrid_state import Event, Schema

if TYPE_CHECKING:
    from azure.storage.queue.aio import QueueClient

ATTEMPTS = 30
_LONGEST_PAUSE = 10.0
_SPREAD = 0.2
_SECOND_COPY_AFTER = 0.5
_AT_ONCE = 8


@dataclass(frozen=True)
class Subscription:
    """Where events go, and how they are written."""

    connection_string: str
    queue: str
    base64: bool
    schema: Schema
    duplicates: bool

    def client(self) -> "QueueClient":
        """Return a client of the queue; imported here because the SDK takes a second that few need."""
        from azure.storage.queue import TextBase64EncodePolicy  # noqa: PLC0415
        from azure.storage.queue.aio import QueueClient  # noqa: PLC0415

        policy = TextBase64EncodePolicy() if self.base64 else None
        return QueueClient.from_connection_string(
            self.connection_string, self.queue, retry_total=0, message_encode_policy=policy
        )


@dataclass
class Delivery:
    """One copy of an event on its way; `error` is what went wrong last."""

    event: Event
    copy: int
    attempts: int = 0
    status: str = "pending"
    error: str | None = None

    def told(self) -> dict[str, Any]:
        """Return the delivery as the state shows it."""
        return {
            "event": self.event.id,
            "type": str(self.event.kind),
            "copy": self.copy,
            "attempts": self.attempts,
            "status": self.status,
            "error": self.error,
        }


@dataclass
class Deliveries:
    """All deliveries of one subscription after another; owns their tasks."""

    origin: Callable[[str], str]
    """Turns a vault's name into its URL."""
    made: list[Delivery] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _waiting: list[tuple[Subscription, Delivery]] = field(default_factory=list)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    def send(self, subscription: Subscription, events: list[Event]) -> None:
        """Start delivering; outside an event loop the events wait for the next call inside one."""
        for event in events:
            for copy in range(1 + subscription.duplicates):
                delivery = Delivery(event, copy + 1)
                self.made.append(delivery)
                self._waiting.append((subscription, delivery))
        self._start()

    async def settled(self) -> None:
        """Return when nothing is under way any more."""
        self._start()
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def aclose(self) -> None:
        """Give up what is under way."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        for subscription, delivery in self._waiting:
            task = loop.create_task(self._deliver(subscription, delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._waiting.clear()

    async def _deliver(self, subscription: Subscription, delivery: Delivery) -> None:
        await asyncio.sleep(random.uniform(0, _SPREAD) + _SECOND_COPY_AFTER * (delivery.copy - 1))  # noqa: S311
        event = delivery.event
        text = json.dumps(event.envelope(subscription.schema, self.origin(event.subject.vault.name)))
        while delivery.attempts < ATTEMPTS:
            delivery.attempts += 1
            try:
                async with self._slots:
                    await _put(subscription, text)
            except Exception as problem:  # noqa: BLE001 - whatever it was, Event Grid tries again and never falls over
                delivery.error = f"{type(problem).__name__}: {str(problem).splitlines()[0] if str(problem) else ''}"
                await asyncio.sleep(min(0.2 * 2**delivery.attempts, _LONGEST_PAUSE))
            else:
                delivery.status = "delivered"
                return
        delivery.status = "dropped"


async def _put(subscription: Subscription, text: str) -> None:
    """Put one message; a queue that isn't there yet is made, as the infrastructure would have done."""
    from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError  # noqa: PLC0415

    async with subscription.client() as queue:
        try:
            await queue.send_message(text)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await queue.create_queue()
            await queue.send_message(text)
