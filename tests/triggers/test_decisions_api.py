"""Operators' decisions over HTTP: what is put down, who is told, and what never decides anything."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from activities.read_decisions import decided
from activities.step import Desk
from rekey import names
from rekey.clients import clients
from rekey.model import ConsumerTarget, Facts, Published, Reason, Rotation, Undone, Walk, When, encode
from rekey.model.policy import CredentialRef, Policy
from rekey.records import Entry, Record, Records
from tests.triggers import asking
from tests.triggers.durable import FakeDurable, functions
from triggers.decisions_api import blueprint
from triggers.operator_api import blueprint as operator_blueprint

pytestmark = pytest.mark.usefixtures("app_settings")

INSTANCE = "rotate.kv-one.api-key"
ADA, BOB = "manual:Ada@contoso.example", "manual:bob@contoso.example"
MACHINE = "azdo-service-connection://contoso/Shop/deploy"
MOMENT = datetime(2030, 1, 1, tzinfo=UTC)


def done(step: str, detail: Any = None) -> Entry:
    """Return what a step that succeeded left on the record."""
    return Entry(step=step, outcome="ok", at=MOMENT, detail=detail)


def looked(*people: str) -> Entry:
    """Return what preflight left: a machine, and these people."""
    by_hand = (ConsumerTarget("manual", p, p, When.BY_HAND, (p.removeprefix("manual:"),)) for p in people)
    targets = (ConsumerTarget("azdo-service-connection", MACHINE, "id"), *by_hand)
    return done(names.PREFLIGHT, encode(Facts(object_id="o", display_name="Shop", consumers=targets)))


OUT = done(names.SET_SECRET_VERSION, encode(Published(version="v2", expires=MOMENT)))


async def rotation(records: Records, durable: FakeDurable, *entries: Entry, **changes: Any) -> Record:
    """Open the record of a rotation that runs; Ada and Bob act by hand, the new version is out."""
    kept = Record(
        rotation_id=str(uuid4()),
        instance_id=INSTANCE,
        deployment="dev",
        vault="kv-one",
        secret="api-key",
        reason=Reason.MANUAL,
        opened=MOMENT,
        policy_digest="d",
        old_version="v1",
        entries=entries or (looked(ADA, BOB), OUT),
        **changes,
    )
    await records.open(kept)
    durable.put(INSTANCE, custom_status={"rotation_id": kept.rotation_id, "step": "grace", "state": "waiting"})
    return kept


async def decide(
    durable: FakeDurable, wanted: str, body: object, *, decision: str = "acknowledge", by: str = "ops@contoso.example"
) -> tuple[int, Any]:
    """Take a decision; return status and JSON."""
    headers = {"X-MS-CLIENT-PRINCIPAL-NAME": by}
    return await asking.ask(
        blueprint, "post_decision", body, durable=durable, headers=headers, wanted=wanted, decision=decision
    )


async def acknowledged(kept: Record) -> dict[str, str]:
    """Return what the orchestrator is told when it asks."""
    policy = Policy(credential=CredentialRef("k", "t"))
    asked = Rotation(
        id=kept.rotation_id,
        vault="kv-one",
        secret="s",
        reason=Reason.MANUAL,
        started=MOMENT,
        policy=policy,
        old_version="v",
    )
    return (await decided(Desk(clients()), Walk(rotation=asked))).acknowledged


def test_the_host_is_told_of_the_route() -> None:
    """One method on one route, and none without a key."""
    trigger = functions(blueprint)["post_decision"].get_trigger().get_dict_repr()
    assert ([str(m) for m in trigger["methods"]], trigger["route"]) == (["POST"], "rotations/{id}/{decision}")
    assert trigger["authLevel"].name == "FUNCTION"


@pytest.mark.parametrize("by_instance", [False, True])
async def test_an_acknowledgement_is_put_down_and_told(
    durable: FakeDurable, records: Records, *, by_instance: bool
) -> None:
    """Who, what and when are on the record; the instance hears that there is something to read, and no more."""
    kept = await rotation(records, durable)
    wanted = "Rotate.KV-One.Api-Key" if by_instance else kept.rotation_id.upper()
    status, answer = await decide(durable, wanted, {"consumer": ADA, "requested_by": "someone else"})
    assert (status, answer["consumer"], answer["by"], answer["heard"]) == (200, ADA, "ops@contoso.example", True)
    assert answer["waiting_for"] == [BOB]
    found = await records.read(kept.rotation_id)
    assert found is not None
    (decision,) = found.decisions
    assert (decision.kind, decision.subject, decision.by) == ("acknowledge", ADA, "ops@contoso.example")
    assert answer["at"] == encode(decision)["at"]
    assert durable.raised == [(INSTANCE, names.DECISION_EVENT, None)]
    assert await acknowledged(kept) == {ADA: "ops@contoso.example"}


async def test_an_acknowledgement_before_the_notice_counts(durable: FakeDurable, records: Records) -> None:
    """From the moment at which the new version is out somebody may have it: the walk finds that later."""
    kept = await rotation(records, durable, looked(ADA), OUT)
    durable.put(INSTANCE, custom_status={"rotation_id": kept.rotation_id, "step": "update_consumer"})
    assert (await decide(durable, kept.rotation_id, {"consumer": ADA}))[0] == 200
    assert list(await acknowledged(kept)) == [ADA]


@pytest.mark.parametrize(
    "entries", [(), (looked(ADA, BOB),), (looked(ADA), done(names.UNDO_GENERATION, encode(Undone())))]
)
async def test_nobody_has_what_is_not_out_yet(
    durable: FakeDurable, records: Records, entries: tuple[Entry, ...]
) -> None:
    """Before the new version is published an acknowledgement can't be true: nothing is put down, nobody is told."""
    kept = await rotation(records, durable, *(entries or (done(names.OPEN_RECORD),)))
    status, answer = await decide(durable, kept.rotation_id, {"consumer": ADA})
    assert (status, answer["error"]["code"]) == ((409, "too-early") if entries else (400, "bad-input"))
    assert (await acknowledged(kept), durable.raised) == ({}, [])


async def test_a_version_that_undoing_finds_published_is_out(durable: FakeDurable, records: Records) -> None:
    """A publication whose answer was lost is one all the same."""
    undone = done(names.UNDO_GENERATION, encode(Undone(published=Published(version="v2", expires=MOMENT))))
    kept = await rotation(records, durable, looked(ADA), undone)
    assert (await decide(durable, kept.rotation_id, {"consumer": ADA}))[0] == 200


async def test_the_first_who_said_so_stays(durable: FakeDurable, records: Records) -> None:
    """Said again, by whomever, in whatever case and at once or later, it is one decision, of the first."""
    kept = await rotation(records, durable)
    first = await decide(durable, kept.rotation_id, {"consumer": ADA}, by="first@contoso.example")
    again = [decide(durable, kept.rotation_id, {"consumer": ADA.upper()}, by=f"{n}@contoso.example") for n in range(4)]
    for status, answer in await asyncio.gather(*again):
        assert (status, answer["by"], answer["at"]) == (200, "first@contoso.example", first[1]["at"])
    assert await acknowledged(kept) == {ADA: "first@contoso.example"}


async def test_a_closed_rotation_takes_no_decision(durable: FakeDurable, records: Records) -> None:
    """What ended isn't changed any more; what was acknowledged before is still told as that."""
    kept = await rotation(records, durable)
    await decide(durable, kept.rotation_id, {"consumer": ADA})
    await records.close(kept.rotation_id, "done")
    durable.raised.clear()
    status, answer = await decide(durable, kept.rotation_id, {"consumer": BOB})
    assert (status, answer["error"]["code"]) == (409, "rotation-closed")
    assert "ended done" in answer["error"]["message"]
    status, answer = await decide(durable, kept.rotation_id, {"consumer": ADA}, by="other")
    assert (status, answer["by"], answer["heard"]) == (200, "ops@contoso.example", False)
    assert (list(await acknowledged(kept)), durable.raised) == ([ADA], [])


async def test_another_rotations_consumer_is_refused(durable: FakeDurable, records: Records) -> None:
    """A consumer of another rotation, or one that a machine updates, isn't somebody whom this one waits for."""
    other = await rotation(records, durable, looked("manual:eve@contoso.example"), OUT)
    kept = await rotation(records, durable)
    for consumer in ("manual:eve@contoso.example", MACHINE, "Ada@contoso.example", "", f"{ADA}\n", f"{ADA},{BOB}"):
        status, answer = await decide(durable, kept.rotation_id, {"consumer": consumer})
        assert (status, answer["error"]["field"]) == (400, "consumer")
        assert f"expected one of {ADA}, {BOB}" in answer["error"]["message"]
    assert (await acknowledged(kept), await acknowledged(other), durable.raised) == ({}, {}, [])


async def test_a_rotation_without_people_says_so(durable: FakeDurable, records: Records) -> None:
    """There is nothing to acknowledge where machines do it all."""
    kept = await rotation(records, durable, looked(), OUT)
    status, answer = await decide(durable, kept.rotation_id, {"consumer": ADA})
    assert (status, "nothing of this rotation is changed by hand" in answer["error"]["message"]) == (400, True)


@pytest.mark.parametrize(
    "decision", ["approve", "retry", "complete-now", "", "acknowledge/x", "../acknowledge", "\x1b[2J"]
)
async def test_an_unknown_decision_is_named(durable: FakeDurable, records: Records, decision: str) -> None:
    """What can't be decided is a 404 that says what can, whatever it was called."""
    kept = await rotation(records, durable)
    status, answer = await decide(durable, kept.rotation_id, {"consumer": ADA}, decision=decision)
    assert (status, answer["error"]["code"], answer["error"]["field"]) == (404, "unknown-decision", "decision")
    assert answer["error"]["message"].endswith("expected acknowledge")
    assert answer["error"]["message"].isprintable()
    assert await acknowledged(kept) == {}


@pytest.mark.parametrize(
    "wanted", ["0b7e9f3c-8f0a-4e4e-9d5e-0123456789ab", "rotate.kv-one.unknown", "reconcile", "../leases/x", ""]
)
async def test_an_unknown_rotation_is_not_found(durable: FakeDurable, records: Records, wanted: str) -> None:
    """An id of nothing, or of what is no rotation, is a 404 and wakes nobody."""
    del records
    durable.put("reconcile")
    status, answer = await decide(durable, wanted, {"consumer": ADA})
    assert (status, answer["error"]["code"], durable.raised) == (404, "unknown-rotation", [])


async def test_an_instance_without_a_record_waits_for_nobody(durable: FakeDurable, records: Records) -> None:
    """A rotation that hasn't begun, or ended before it did, can't be acknowledged."""
    del records
    durable.put(INSTANCE, custom_status={"step": "read_policy"})
    status, answer = await decide(durable, INSTANCE, {"consumer": ADA})
    assert (status, answer["error"]["code"], durable.raised) == (409, "too-early", [])


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        (b"", "body", "0 bytes that aren't JSON, expected an object with consumer"),
        (b" " * 20000, "body", "20000 bytes, expected at most 16384"),
        ([ADA], "body", "got a list, expected an object"),
        ({}, "consumer", "missing, expected the URI of a consumer"),
        ({"consumer": 7}, "consumer", "got 7, expected the URI"),
        ({"consumer": [ADA]}, "consumer", "got ['manual:Ada@contoso.example'], expected the URI"),
        ({"consumer": None}, "consumer", "got None, expected the URI"),
        ({"consumer": ADA, "\x1b[2J": 1}, "'\\x1b[2J'", "unknown, expected consumer"),
        ({"consumer": ADA, "by": "eve"}, "by", "unknown, expected consumer"),
        ({"consumer": "\x1b[2J\u202e"}, "consumer", "got '\\x1b[2J\\u202e', expected one of"),
    ],
)
async def test_bad_input_is_named(durable: FakeDurable, records: Records, body: object, field: str, said: str) -> None:
    """A request that can't be used is a 400 that says field, value and what was expected, and decides nothing."""
    kept = await rotation(records, durable)
    status, answer = await decide(durable, kept.rotation_id, body)
    assert (status, answer["error"]["field"]) == (400, field)
    assert answer["error"]["message"].startswith(f"{field}: {said}")
    assert (await acknowledged(kept), durable.raised) == ({}, [])


@pytest.mark.parametrize("state", ["broken", "ended", "went on"])
async def test_a_rotation_that_can_not_be_told_finds_it_later(
    durable: FakeDurable, records: Records, state: str
) -> None:
    """What is put down counts, also if the engine is away; an instance that isn't this rotation's is left in peace."""
    kept = await rotation(records, durable)
    match state:
        case "broken":
            durable.broken.add(INSTANCE)
        case "ended":
            durable.put(INSTANCE, "FAILED", custom_status={"rotation_id": kept.rotation_id})
        case _:
            durable.put(INSTANCE, custom_status={"rotation_id": str(uuid4())})
    status, answer = await decide(durable, kept.rotation_id, {"consumer": ADA})
    assert (status, answer["heard"], durable.raised) == (200, False, [])
    assert list(await acknowledged(kept)) == [ADA]


async def test_a_raw_event_puts_nothing_down(durable: FakeDurable, records: Records) -> None:
    """Whoever may raise events on the engine can wake a rotation; what it then reads is the record."""
    kept = await rotation(records, durable)
    await durable.raise_orchestration_event(INSTANCE, names.DECISION_EVENT, data={"acknowledge": ADA})
    assert await acknowledged(kept) == {}


@pytest.mark.parametrize(("name", "put_down"), [("", "operator API"), ("a\r\nb\u2028c", "abc"), ("x" * 500, "x" * 200)])
async def test_who_decides_is_one_short_line(durable: FakeDurable, records: Records, name: str, put_down: str) -> None:
    """The caller's name goes into evidence and mails: printable, at most 200 characters, and never empty."""
    kept = await rotation(records, durable)
    assert (await decide(durable, kept.rotation_id, {"consumer": ADA}, by=name))[1]["by"] == put_down


async def test_a_rotation_shows_who_is_waited_for_and_who_acknowledged(durable: FakeDurable, records: Records) -> None:
    """Each of those who act by hand, with who said so and when, or that nobody has."""
    kept = await rotation(records, durable)
    _, answer = await decide(durable, kept.rotation_id, {"consumer": BOB})
    _, shown = await asking.ask(operator_blueprint, "show_rotation", durable=durable, wanted=kept.rotation_id)
    assert shown["acknowledgements"] == [
        {"consumer": ADA, "by": None, "at": None},
        {"consumer": BOB, "by": "ops@contoso.example", "at": answer["at"]},
    ]
    assert json.dumps(shown).count("manual:bob") >= 1
