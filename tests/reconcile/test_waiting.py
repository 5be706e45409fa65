"""What nobody was told for a day, and events that nobody understood."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from azure.storage.queue.aio import QueueClient

from activities import find_waiting
from activities.notify_owners import tell
from rekey import names
from rekey.model import Notice, NoticeKind, Telling
from tests.reconcile.nights import Nights, codes


@pytest.fixture
async def queue(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[QueueClient]:
    """Return a client of the poison queue, which isn't there yet."""
    monkeypatch.setattr(names, "POISON_QUEUE", f"t{uuid4().hex}")
    async with QueueClient.from_connection_string(nights.company.settings.storage, names.POISON_QUEUE) as client:
        yield client


async def test_mail_that_waits_is_told_after_a_day(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be delivered today is no news yet; after that it is told, about which secret and why."""
    notice = Notice(kind=NoticeKind.DONE, rotation_id=str(uuid4()), vault="kv", secret="build-sp", to=())
    await tell(nights.company.desk, Telling(notice=notice, keep=True, has_record=False))
    assert codes(await nights.night()) == []
    monkeypatch.setattr(find_waiting, "LATE", timedelta())
    (late,) = await nights.night()
    assert (late.code, late.vault, late.secret) == ("notice-waiting", "kv", "build-sp")


async def test_poison_messages_are_counted_and_not_shown(nights: Nights, queue: QueueClient) -> None:
    """How many lie there is told, whatever is in them; no queue is no news."""
    assert codes(await nights.night()) == []
    await queue.create_queue()
    for _ in range(2):
        await queue.send_message("pasted-password")
    (found,) = await nights.night()
    assert found.code == "poison-messages"
    assert found.message.startswith("2 events")
    assert "pasted" not in str(found)
    assert await queue.receive_message() is not None
