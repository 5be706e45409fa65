"""People who act by hand, and consumers that come after others: whom a rotation asks, and what it waits for."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from rekey import names
from rekey.model import Ok, Outcome, Question, Reading, When, decode, encode
from tests.orchestrators.engine import BEGIN, Call
from tests.orchestrators.scripts import INSTANCE, OWNER, PARTNER, REFUSED, World

BY_HAND = "toy://place/1"
GRACE = timedelta(days=7)


def by_hand(acknowledged_after: timedelta | None, *, heard: bool = True, **more: Any) -> World:
    """Return a world whose second consumer is a person; `heard`: an event says when the acknowledgement is there."""
    world = World(whens=(When.WITH_OTHERS, When.BY_HAND), acknowledged_after=acknowledged_after, **more)
    if heard and acknowledged_after:
        world.engine.raise_event(INSTANCE, names.DECISION_EVENT, acknowledged_after)
    return world


def first(world: World, what: str) -> Call:
    """Return the first call of a step."""
    return next(call for call in world.engine.calls if call.what == what)


def notices(world: World, kind: str) -> list[dict[str, Any]]:
    """Return the notices of a kind, each with whom it is for alone."""
    calls = [call for call in world.engine.calls if call.what == f"notify_owners {kind}"]
    return [{**call.payload["notice"], "only": call.payload["third_parties"]} for call in calls]


def test_people_are_asked_at_the_switch_and_never_updated() -> None:
    """No activity touches them; they get a notice of their own that has nothing of others, the owners get theirs."""
    world = by_hand(timedelta(days=1))
    assert world.run().output["result"] == "done"
    updated = [c.payload["target"]["uri"] for c in world.engine.calls if c.name == names.UPDATE_CONSUMER]
    assert updated == ["toy://place/0"]
    owners, asked = notices(world, "switched")
    assert [(c["uri"], c["by_hand"]) for c in owners["consumers"]] == [("toy://place/0", False), (BY_HAND, True)]
    assert (owners["only"], owners["to_act"]) == ([], False)
    assert [(c["uri"], c["by_hand"]) for c in asked["consumers"]] == [(BY_HAND, True)]
    assert (asked["only"], asked["to_act"], asked["contacts"], asked["remarks"]) == ([PARTNER], True, [OWNER], [])
    assert (asked["new_version"], asked["key"]) == ("version-2", BY_HAND)
    assert [c["by_hand"] for c in notices(world, "starting")[0]["consumers"]] == [False, True]
    assert len([c for c in world.engine.calls if PARTNER in str(c.payload.get("third_parties"))]) == 1


def test_acknowledged_in_time_changes_nothing() -> None:
    """Who acts within the grace is not reminded, and the grace lasts no longer."""
    world = by_hand(timedelta(days=2))
    world.run()
    assert GRACE <= first(world, "retire_old_credential").at - BEGIN < GRACE + timedelta(minutes=1)
    assert "notify_owners needs-you" not in world.steps


def test_grace_lasts_until_it_is_acknowledged() -> None:
    """The old credential isn't retired before; owners and the person are reminded once, however many days it takes."""
    world = by_hand(timedelta(days=12, hours=5))
    world.run()
    retired = first(world, "retire_old_credential").at - BEGIN
    assert timedelta(days=12, hours=5) <= retired < timedelta(days=12, hours=5, minutes=1)
    owners, person = notices(world, "needs-you")
    assert (owners["code"], owners["only"]) == ("not-acknowledged", [])
    assert BY_HAND in owners["message"]
    assert (person["only"], person["to_act"], person["message"]) == ([PARTNER], True, "")
    assert person["code"] == "not-acknowledged"
    assert owners["old_valid_until"] == person["old_valid_until"]


def test_an_event_that_got_lost_costs_a_day() -> None:
    """Without an event the record is read again every day."""
    world = by_hand(timedelta(days=9, hours=5), heard=False)
    world.run()
    assert first(world, "retire_old_credential").at - BEGIN < timedelta(days=10, minutes=1)


@pytest.mark.parametrize("after", [timedelta(milliseconds=50), timedelta(hours=1), timedelta(days=8)])
def test_a_raw_event_decides_nothing(after: timedelta) -> None:
    """Early, late, or in the middle: only what is on the record counts."""
    world = by_hand(timedelta(days=11))
    for number in range(3):
        world.engine.raise_event(INSTANCE, names.DECISION_EVENT, after + timedelta(seconds=number))
    world.run()
    assert timedelta(days=11) <= first(world, "retire_old_credential").at - BEGIN < timedelta(days=11, minutes=1)
    assert world.steps.count("notify_owners needs-you") == 2


def test_never_acknowledged_ends_with_the_old_credential() -> None:
    """At the old credential's own end there is nothing left to keep: the rotation ends, and says who never did."""
    world = by_hand(None, lifetime_left=timedelta(days=9))
    assert world.run().output["result"] == "done"
    assert timedelta(days=9) <= first(world, "retire_old_credential").at - BEGIN < timedelta(days=9, minutes=1)
    (done,) = notices(world, "done")
    assert any(BY_HAND in remark and "Nobody acknowledged" in remark for remark in done["remarks"])
    assert [c["confirmed_by"] for c in done["consumers"]] == ["a sign-in", ""]


def test_an_old_credential_without_an_end_is_kept_a_week_after_the_grace() -> None:
    """Where nothing ends the old one, people are reminded and have time to act all the same."""
    world = by_hand(None)

    def judge(name: str, payload: Any) -> Outcome | None:
        if name != names.READ_POLICY:
            return None
        rotation = world._rotation(decode(payload, Question), BEGIN)
        return Ok(encode(Reading(rotation=msgspec.structs.replace(rotation, expires=None))))

    world.judge = judge
    assert world.run().output["result"] == "done"
    assert world.steps.count("notify_owners needs-you") == 2
    assert 2 * GRACE <= first(world, "retire_old_credential").at - BEGIN < 2 * GRACE + timedelta(minutes=1)


def test_the_end_says_who_acknowledged() -> None:
    """A consumer that people changed counts as confirmed, by whoever said so."""
    world = by_hand(timedelta(days=8))
    instance = world.run()
    (done,) = notices(world, "done")
    assert [c["confirmed_by"] for c in done["consumers"]] == ["a sign-in", "an acknowledgement (ops)"]
    assert instance.statuses[-1]["consumers"] == {"total": 2, "confirmed": 2, "failed": 0}


def test_status_says_what_is_waited_for_and_names_nobody() -> None:
    """The custom status counts who is missing: no URI and no address is for everybody to read."""
    instance = by_hand(timedelta(days=9)).run()
    waiting = next(s for s in instance.statuses if s["state"] == "needs-you")
    assert (waiting["step"], waiting["waiting_for"]) == ("grace", "1 to be acknowledged")
    assert waiting["consumers"] == {"total": 2, "confirmed": 1, "failed": 0}
    assert waiting["next"]
    assert "@" not in json.dumps(instance.statuses)
    assert "://" not in json.dumps(instance.statuses)


def test_a_leak_waits_for_people_too_but_for_no_grace() -> None:
    """After a leak the old credential is retired as soon as everybody has the new one, people included."""
    world = by_hand(timedelta(hours=2), reason="leak")
    world.run()
    assert timedelta(hours=2) <= first(world, "retire_old_credential").at - BEGIN < timedelta(hours=2, minutes=1)
    assert [notice["old_valid_until"] for notice in notices(world, "switched")] == [None, None]


def test_one_of_many_asks_people_at_once() -> None:
    """What the owners read in the next digest, those who have to act read now."""
    world = by_hand(timedelta(days=1))

    def judge(name: str, payload: Any) -> Outcome | None:
        if name != names.READ_POLICY:
            return None
        rotation = world._rotation(decode(payload, Question), BEGIN)
        return Ok(encode(Reading(rotation=msgspec.structs.replace(rotation, digest=True))))

    world.judge = judge
    world.run()
    switched = [c.payload["digest"] for c in world.engine.calls if c.what == "notify_owners switched"]
    assert switched == [True, False]


def test_consumers_that_try_others_out_wait_for_all_of_them() -> None:
    """They begin only when all the others are confirmed, however long one of these takes."""
    world = World(whens=(When.AFTER_OTHERS, When.WITH_OTHERS, When.WITH_OTHERS, When.AFTER_OTHERS))
    failures = iter([REFUSED] * 3)
    world.judge = lambda name, payload: (
        next(failures, None) if name == "confirm_consumer" and payload["target"]["uri"].endswith("/2") else None
    )
    assert world.run().output["result"] == "done"
    begun = [c.at for c in world.engine.calls if c.name == "update_consumer" and c.payload["target"]["uri"][-1] in "03"]
    confirmed = [
        c.at
        for c in world.engine.calls
        if c.name == "confirm_consumer" and c.payload["target"]["uri"][-1] in "12" and c.outcome["outcome"] == "ok"
    ]
    assert (len(begun), len(confirmed)) == (2, 2)
    assert min(begun) > max(confirmed)
    switched = next(c for c in world.engine.calls if c.what == "notify_owners switched").payload["notice"]
    assert [c["uri"][-1] for c in switched["consumers"]] == ["0", "1", "2", "3"]
