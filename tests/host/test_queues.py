"""Queue triggers against Azurite."""

import base64
import os
import signal
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.queue import QueueClient

from local.processes import wait_until
from local.storage import Azurite
from tests.host.hosting import RunningHost


class _Queues:
    """A queue, its poison queue, and the host that polls the first."""

    def __init__(self, azurite: Azurite, make_host: Callable[..., RunningHost], **environment: str) -> None:
        name = f"q{uuid4().hex}"
        self.queue = QueueClient.from_connection_string(azurite.connection_string, name)
        self.poison = QueueClient.from_connection_string(azurite.connection_string, f"{name}-poison")
        self.host = make_host(SAMPLE_QUEUE=name, SAMPLE_STORAGE=azurite.connection_string, **environment).start()
        wait_until(self._created, "the host has created the queue")

    def _created(self) -> bool:
        try:
            self.queue.get_queue_properties()
        except ResourceNotFoundError:
            return False
        return True

    def wait_poison(self) -> str:
        """Wait for a message in the poison queue; its text."""

        def texts() -> list[str]:
            try:
                return [message.content for message in self.poison.peek_messages()]
            except ResourceNotFoundError:
                return []

        wait_until(lambda: bool(texts()), "a message is in the poison queue")
        return texts()[0]

    def wait_empty(self) -> None:
        """Wait until the queue holds nothing, visible or not."""
        wait_until(lambda: self.queue.get_queue_properties().approximate_message_count == 0, "the queue is empty")

    def close(self) -> None:
        """Close the clients."""
        self.queue.close()
        self.poison.close()


@pytest.fixture(scope="module")
def queues(azurite: Azurite, make_host: Callable[..., RunningHost]) -> Iterator[_Queues]:
    """A host that takes messages as they are."""
    made = _Queues(azurite, make_host)
    yield made
    made.close()


def test_message_is_taken_once_and_deleted(queues: _Queues) -> None:
    """A function gets body and metadata of a message, which is then deleted."""
    sent = queues.queue.send_message('{"plain": "<text> & ünïcode"}')
    (note,) = queues.host.wait_notes("message", 1, id=sent.id)
    assert (note["body"], note["count"]) == ('{"plain": "<text> & ünïcode"}', 1)
    assert note["inserted"].startswith(f"{sent.inserted_on:%Y-%m-%d %H:%M:%S}")
    queues.wait_empty()
    assert len(queues.host.wait_notes("message", 1, id=sent.id)) == 1


def test_failing_message_is_retried_then_poison(queues: _Queues) -> None:
    """A message whose function fails is delivered maxDequeueCount times and then moved, its neighbour unharmed."""
    bad = queues.queue.send_message("fail always")
    good = queues.queue.send_message("fine")
    assert queues.wait_poison() == "fail always"
    queues.wait_empty()
    assert [note["count"] for note in queues.host.wait_notes("message", 2, id=bad.id)] == [1, 2]
    assert len(queues.host.wait_notes("message", 1, id=good.id)) == 1


def test_message_in_a_killed_worker_comes_back(queues: _Queues) -> None:
    """A message whose function died with the worker is delivered again."""
    sent = queues.queue.send_message("hang the first time")
    queues.host.wait_notes("message", 1, id=sent.id)
    pid = queues.host.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert [note["count"] for note in queues.host.wait_notes("message", 2, id=sent.id)] == [1, 2]
    queues.wait_empty()


def test_long_running_message_is_not_delivered_again(azurite: Azurite, make_host: Callable[..., RunningHost]) -> None:
    """A message stays hidden while its function runs longer than the visibility timeout."""
    queues = _Queues(azurite, make_host, AzureFunctionsJobHost__extensions__queues__visibilityTimeout="00:00:02")
    slow = queues.queue.send_message("hang for long")
    queues.host.wait_notes("message", 1, id=slow.id)
    quick = [queues.queue.send_message(f"later {number}", visibility_timeout=number) for number in (3, 5)]
    for message in quick:
        queues.host.wait_notes("message", 1, id=message.id)
    assert len(queues.host.wait_notes("message", 1, id=slow.id)) == 1
    queues.close()


def test_stopped_host_gives_its_messages_back(azurite: Azurite, make_host: Callable[..., RunningHost]) -> None:
    """A message whose function was running when the host was stopped is visible again at once."""
    queues = _Queues(azurite, make_host, AzureFunctionsJobHost__extensions__queues__visibilityTimeout="00:00:00")
    sent = queues.queue.send_message("hang until stopped")
    queues.host.wait_notes("message", 1, id=sent.id)
    assert queues.host.process.stop() == 0
    assert [message.id for message in queues.queue.receive_messages()] == [sent.id]
    assert "Traceback" not in queues.host.process.output()
    queues.close()


def test_base64_messages(azurite: Azurite, make_host: Callable[..., RunningHost]) -> None:
    """With messageEncoding base64 bodies are decoded; what isn't base64 goes to the poison queue untried."""
    queues = _Queues(azurite, make_host, AzureFunctionsJobHost__extensions__queues__messageEncoding="base64")
    sent = queues.queue.send_message(base64.b64encode(b"encoded").decode())
    assert queues.host.wait_notes("message", 1, id=sent.id)[0]["body"] == "encoded"
    garbage = queues.queue.send_message("not base64!")
    assert queues.wait_poison() == "not base64!"
    assert [note for note in queues.host.notes("message") if note["id"] == garbage.id] == []
    queues.close()
