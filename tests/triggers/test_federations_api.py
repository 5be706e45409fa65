"""Federations over HTTP: what is shown of them, who may decide what, and what never decides anything."""

from datetime import timedelta
from typing import Any

import pytest

from rekey import names
from rekey.federation.records import FederationRecord, FederationRecords
from rekey.model.federation import Federation, Mode, New, Target
from rekey.operator_requests import UNNAMED
from rekey.records import Entry, Records
from tests.triggers import asking
from tests.triggers.durable import FakeDurable, functions
from tests.triggers.federating import ADA, BOB, INSTANCE, NOW, federation, record
from triggers.federations_api import blueprint

pytestmark = pytest.mark.usefixtures("app_settings")

GRANTING = {"mode": Mode.SIDE_BY_SIDE, "target": Target.MANAGED_IDENTITY, "new_name": "deploy-federated"}


@pytest.fixture
def evidence(records: Records) -> FederationRecords:
    """Return the app's records of federations: an empty container."""
    return FederationRecords(records._container)


async def kept(evidence: FederationRecords, durable: FakeDurable, one: FederationRecord) -> Federation:
    """Put a record there, and let its instance run."""
    await evidence.open(one)
    durable.put(one.federation.instance, name=names.FEDERATE_SERVICE_CONNECTION)
    return one.federation


async def ask(durable: FakeDurable, function: str, **options: Any) -> tuple[int, Any]:
    """Call a function; return status and JSON."""
    return await asking.ask(blueprint, function, durable=durable, **options)


async def decide(durable: FakeDurable, wanted: str, decision: str, by: str = BOB) -> tuple[int, Any]:
    """Take a decision; return status and JSON."""
    headers = {"X-MS-CLIENT-PRINCIPAL-NAME": by}
    return await ask(durable, "post_federation_decision", body={}, headers=headers, wanted=wanted, decision=decision)


@pytest.mark.parametrize(
    ("name", "method", "route"),
    [
        ("list_federations", "GET", "federations"),
        ("show_federation", "GET", "federations/{id}"),
        ("post_federation_decision", "POST", "federations/{id}/{decision}"),
    ],
)
def test_the_host_is_told_of_the_routes(name: str, method: str, route: str) -> None:
    """Each function takes one method on one route, and none without a key."""
    trigger = functions(blueprint)[name].get_trigger().get_dict_repr()
    assert ([str(m) for m in trigger["methods"]], trigger["route"]) == ([method], route)
    assert trigger["authLevel"].name == "FUNCTION"


async def test_federations_are_listed_with_their_instances(durable: FakeDurable, evidence: FederationRecords) -> None:
    """The newest first, open or closed or all; what is closed has no instance, what nothing drives has none either."""
    done = record(age=timedelta(days=9), state="closed", result="done", closed=NOW)
    left = record(walk=federation(instance="federate.contoso.shop.left", connection="left"), age=timedelta(days=1))
    await evidence.open(left)
    await evidence.open(done)
    running = await kept(evidence, durable, record())
    status, answer = await ask(durable, "list_federations")
    assert (status, [one["id"] for one in answer["federations"]]) == (
        200,
        [running.id, left.federation.id, done.federation.id],
    )
    shown = [one["instance"] and one["instance"]["runtime_status"] for one in answer["federations"]]
    assert shown == ["Running", None, None]
    for state, number in (("open", 2), ("closed", 1)):
        assert len((await ask(durable, "list_federations", query={"state": state}))[1]["federations"]) == number
    assert (await ask(durable, "list_federations", query={"state": "odd"}))[0] == 400


async def test_one_is_shown_by_its_id_or_its_instances(durable: FakeDurable, evidence: FederationRecords) -> None:
    """In any case of letters; of several federations of one connection, the instance's id means the newest."""
    await evidence.open(record(age=timedelta(days=9), state="closed", result="failed", closed=NOW))
    running = await kept(evidence, durable, record())
    for wanted in (running.id.upper(), INSTANCE.upper()):
        status, answer = await ask(durable, "show_federation", wanted=wanted)
        assert (status, answer["record"]["federation"]["id"], answer["instance"]["id"]) == (200, running.id, INSTANCE)
        assert (answer["record"]["state"], answer["open_to"]) == ("open", ["revert"])


async def test_one_that_has_no_record_yet_is_shown(durable: FakeDurable, evidence: FederationRecords) -> None:
    """Its instance is all there is; nothing can be decided about it."""
    del evidence
    durable.put(INSTANCE)
    status, answer = await ask(durable, "show_federation", wanted=INSTANCE)
    assert (status, answer["record"], answer["instance"]["id"]) == (200, None, INSTANCE)
    assert (await decide(durable, INSTANCE, "revert"))[0] == 409


@pytest.mark.parametrize("wanted", ["federate.contoso.shop.none", "00000000-0000-4000-8000-000000000000", "../x", ""])
async def test_what_is_not_known_is_a_404(durable: FakeDurable, evidence: FederationRecords, wanted: str) -> None:
    """Neither shown nor decided about."""
    del evidence
    assert (await ask(durable, "show_federation", wanted=wanted))[0] == 404
    assert (await decide(durable, wanted, "revert"))[0] == 404


async def test_a_decision_is_put_down_and_told(durable: FakeDurable, evidence: FederationRecords) -> None:
    """Who, what and when are on the record, the first one for good; the event itself says nothing."""
    running = await kept(evidence, durable, record(walk=federation(**GRANTING)))
    status, answer = await decide(durable, running.id, "approve")
    assert (status, answer["by"], answer["decision"], answer["heard"]) == (200, BOB, "approve", True)
    again, other = await decide(durable, running.id, "approve", by="carol@contoso.example")
    assert (again, other["by"], other["at"]) == (200, BOB, answer["at"])
    found = await evidence.read(running.id)
    assert found is not None
    assert [(one.kind, one.by) for one in found.decisions] == [("approve", BOB)]
    assert durable.raised == [(INSTANCE, names.DECISION_EVENT, None)] * 2


async def test_what_was_read_is_what_is_approved(durable: FakeDurable, evidence: FederationRecords) -> None:
    """An instance's id may stand for another request by now: the answer names the request and what it grants."""
    walk = federation(mode=Mode.VEND, connection="", new_name="deploy", role="Contributor", scope="/subscriptions/0/rg")
    running = await kept(evidence, durable, record(walk=walk))
    status, answer = await decide(durable, INSTANCE, "approve")
    assert (status, answer["error"]["field"]) == (400, "id")
    assert (
        f"{running.id} (asked for by {ADA}, it grants Contributor for /subscriptions/0/rg)"
        in answer["error"]["message"]
    )
    found = await evidence.read(running.id)
    assert found is not None
    assert (found.decisions, durable.raised) == ((), [])


@pytest.mark.parametrize(
    ("asked_by", "by", "code"),
    [
        (ADA, ADA.upper(), "own-request"),
        (ADA, "", "nameless"),
        (ADA, UNNAMED, "nameless"),
        (UNNAMED, BOB, "unknown-requester"),
        ("", BOB, "unknown-requester"),
    ],
)
async def test_nobody_approves_for_himself_or_without_a_name(
    durable: FakeDurable, evidence: FederationRecords, asked_by: str, by: str, code: str
) -> None:
    """Roles are granted by two people who can be told apart; what is refused is neither on the record nor told."""
    running = await kept(evidence, durable, record(walk=federation(**GRANTING, requested_by=asked_by)))
    status, answer = await decide(durable, running.id, "approve", by=by)
    assert (status, answer["error"]["code"]) == (403, code)
    found = await evidence.read(running.id)
    assert found is not None
    assert (found.decisions, durable.raised) == ((), [])


async def test_what_grants_nothing_waits_for_no_approval(durable: FakeDurable, evidence: FederationRecords) -> None:
    """An approval of it would mean nothing."""
    running = await kept(evidence, durable, record())
    status, answer = await decide(durable, running.id, "approve")
    assert (status, answer["error"]["code"]) == (409, "nothing-to-approve")


async def test_what_is_reverted_can_not_be_approved(durable: FakeDurable, evidence: FederationRecords) -> None:
    """Whoever says revert first is heard."""
    running = await kept(evidence, durable, record(walk=federation(**GRANTING)))
    await decide(durable, running.id, "revert", by=ADA)
    status, answer = await decide(durable, running.id, "approve")
    assert (status, answer["error"]["code"]) == (409, "reverted")


def converted(until: timedelta) -> Federation:
    """Return a federation whose connection can be converted back for that long."""
    return federation(new=New(id="1", name="deploy", issuer="i", subject="s", revert_until=NOW + until))


@pytest.mark.parametrize(
    ("one", "code", "advice"),
    [
        (record(walk=converted(-timedelta(minutes=1))), "too-late", "new secret"),
        (record(asking={names.RETIRE_SECRETS: NOW}), "too-late", "new secret"),
        (
            record(walk=federation(**GRANTING), entries=(Entry(step=names.RETIRE_CONNECTION, outcome="ok", at=NOW),)),
            "too-late",
            "old one's name",
        ),
        (record(state="closed", result="done", closed=NOW), "federation-closed", "new secret"),
    ],
)
async def test_what_is_final_can_not_be_reverted(
    durable: FakeDurable, evidence: FederationRecords, one: FederationRecord, code: str, advice: str
) -> None:
    """The answer says what can be done by hand instead."""
    running = await kept(evidence, durable, one)
    status, answer = await decide(durable, running.id, "revert")
    assert (status, answer["error"]["code"], durable.raised) == (409, code, [])
    assert advice in answer["error"]["message"]
    assert "revert" not in (await ask(durable, "show_federation", wanted=running.id))[1]["open_to"]


async def test_a_soak_can_be_reverted_by_whoever_asked(durable: FakeDurable, evidence: FederationRecords) -> None:
    """Going back takes nobody else; that the instance couldn't be told is said."""
    running = await kept(evidence, durable, record(walk=converted(timedelta(days=1))))
    durable.broken.add(INSTANCE)
    status, answer = await decide(durable, running.id, "revert", by=ADA)
    assert (status, answer["by"], answer["heard"]) == (200, ADA, False)


async def test_an_instance_that_walks_another_one_is_left_out(
    durable: FakeDurable, evidence: FederationRecords
) -> None:
    """A record that nobody walks any more has no instance, and nobody is told of a decision about it."""
    left = await kept(evidence, durable, record())
    durable.put(INSTANCE, custom_status={"federation_id": federation().id, "step": "soak"})
    assert (await ask(durable, "show_federation", wanted=left.id))[1]["instance"] is None
    assert (await ask(durable, "list_federations"))[1]["federations"][0]["instance"] is None
    status, answer = await decide(durable, left.id, "revert")
    assert (status, answer["heard"], durable.raised) == (200, False, [])


async def test_an_unknown_decision_is_a_404(durable: FakeDurable, evidence: FederationRecords) -> None:
    """The answer names those that there are."""
    running = await kept(evidence, durable, record())
    status, answer = await decide(durable, running.id, "abandon")
    assert (status, "approve, revert" in answer["error"]["message"]) == (404, True)
