"""Notices that couldn't go, or could wait, on the real host: nothing is held up by them, and each gets out once."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from azure.storage.blob import ContainerClient

from local.processes import wait_until
from rekey import names
from tests.e2e.company import Company, running
from tests.e2e.managed import Managed

NEVER = "0 0 0 1 1 *"


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    """Run a company in which only tests let what waits be sent."""
    with running(REKEY_SCHEDULES=json.dumps({names.DELIVER_NOTICES: NEVER})) as found:
        yield found


def outbox(company: Company) -> ContainerClient:
    """Return a client of the app's container."""
    return ContainerClient.from_connection_string(company.stack.storage.connection_string, names.CONTAINER)


def kept(company: Company) -> list[dict[str, Any]]:
    """Return everything that waits in the app's storage."""
    with outbox(company) as container:
        found = container.list_blob_names(name_starts_with="outbox")
        return [json.loads(container.download_blob(name).readall()) for name in found]


def empty(company: Company) -> bool:
    """Tell whether nothing waits."""
    with outbox(company) as container:
        return not list(container.list_blob_names(name_starts_with="outbox"))


def deliver(company: Company) -> None:
    """Fire the timer by hand, and wait until nothing waits any more."""
    company.ask("POST", f"/admin/functions/{names.DELIVER_NOTICES}_timer", {}, expected=202)
    wait_until(lambda: empty(company), "the outbox is empty", timeout=60)


def mails(company: Company, since: int) -> list[tuple[list[str], str, int]]:
    """Return recipients, subject and repeats of the mails after the first so many."""
    return [(m["to"], m["subject"], m["duplicates"]) for m in company.stack.control.outbox()[since:]]


def test_mail_that_was_down_arrives_later(company: Company) -> None:
    """A rotation completes without its mails; they wait, and arrive once each when the service is back."""
    owner, third_party = company.scenario.owner, company.scenario.third_party
    managed = company.manage(tags={"rekey-notify": third_party})
    before = len(company.stack.control.outbox())
    company.stack.control.fault("email", status=503, count=None, retry_after=600)
    status = company.rotate(managed)
    assert status["output"]["result"] == "done", status
    assert mails(company, before) == []
    assert [(w["notice"]["kind"], w["reason"]) for w in _in_order(kept(company))] == [
        ("starting", "undelivered"),
        ("switched", "undelivered"),
        ("done", "undelivered"),
    ]
    company.stack.control.clear_faults()
    deliver(company)
    assert sorted(mails(company, before)) == sorted(
        [
            ([owner], "[Rekey] news: 1 secret", 0),
            ([third_party], f"[Rekey] switched: {managed.vault}/{managed.secret} has a new password", 0),
        ]
    )


def test_rotations_among_many_are_told_together(company: Company) -> None:
    """What goes as planned waits, is on record as waiting, and comes as one mail about all of it."""
    owner, third_party = company.scenario.owner, company.scenario.third_party
    both = [company.manage(), company.manage()]
    before = len(company.stack.control.outbox())
    for managed in both:
        company.start({**managed.request, "reason": "manual", "digest": True}, managed.instance)
    for managed in both:
        assert managed.finished()["output"]["result"] == "done"
    assert mails(company, before) == []
    assert [_waits(managed) for managed in both] == [["starting", "switched", "done"]] * 2
    deliver(company)
    news = company.stack.control.outbox()[before:]
    assert sorted((m["to"], m["subject"], m["duplicates"]) for m in news) == sorted(
        ([to], "[Rekey] news: 2 secrets", 0) for to in (owner, third_party)
    )
    for mail in news:
        assert all(f"{managed.vault}/{managed.secret}" in mail["text"] for managed in both)
    (owners,) = (m["text"] for m in news if m["to"] == [owner])
    assert "Before that: starting, switched." in " ".join(owners.split())


def _in_order(waiting: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = ["starting", "switched", "done"]
    return sorted(waiting, key=lambda one: order.index(one["notice"]["kind"]))


def _waits(managed: Managed) -> list[str]:
    """Return which notices the record calls waiting for the next digest."""
    (record,) = managed.records()
    told = [e["detail"] for e in record["entries"] if e["step"] == names.NOTIFY_OWNERS]
    return [detail["kind"] for detail in told if detail["in_next_digest"]]
