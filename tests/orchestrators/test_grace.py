"""How long the old credential stays: extended for who still needs it, never beyond its end, never after a leak."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from rekey import names
from rekey.model import Ok, Outcome, Question, Reading, UseCheck, When, decode, encode
from tests.orchestrators.engine import BEGIN
from tests.orchestrators.scripts import BUSY, INSTANCE, READER, REFUSED, World, for_ever

GRACE = timedelta(days=7)
SOON = timedelta(minutes=1)
SEEN = BEGIN + timedelta(days=6)


def used(by: str = "application app-shop", **more: Any) -> Ok:
    """Return that the old version was still asked for."""
    return Ok(encode(UseCheck(checked=True, used_by=(by,), last=SEEN, **more)))


def refused(after: timedelta = timedelta(days=2), *, heard: bool = True, **more: Any) -> World:
    """Return a world in which a reader is refused the old version; `heard`: an event says so."""
    world = World(refused_after=after, **more)
    if heard:
        world.engine.raise_event(INSTANCE, names.DECISION_EVENT, after)
    return world


def without_end(world: World) -> World:
    """Let the old credential have no end of its own."""

    def judge(name: str, payload: Any) -> Outcome | None:
        if name != names.READ_POLICY:
            return None
        rotation = world._rotation(decode(payload, Question), BEGIN)
        return Ok(encode(Reading(rotation=msgspec.structs.replace(rotation, expires=None))))

    world.judge = judge
    return world


def after(world: World, what: str) -> timedelta:
    """Return when a step was first asked for."""
    return next(call.at for call in world.engine.calls if call.what == what) - BEGIN


def told(world: World, kind: str = "still-used") -> list[dict[str, Any]]:
    """Return the notices of a kind."""
    return [call.payload["notice"] for call in world.engine.calls if call.what == f"notify_owners {kind}"]


def test_use_extends_the_grace_and_names_who_it_is() -> None:
    """Seen once, it stays for the policy's grace again; the next look counts what came after the last use only."""
    world = World().says(names.CHECK_OLD_CREDENTIAL_USE, used())
    assert world.run().output["result"] == "done"
    assert 2 * GRACE <= after(world, "retire_old_credential") < 2 * GRACE + SOON
    (notice,) = told(world)
    assert (notice["code"], notice["message"]) == ("still-used", "application app-shop")
    assert datetime.fromisoformat(notice["old_valid_until"]) - BEGIN >= 2 * GRACE
    first, second = (c.payload["since"] for c in world.engine.calls if c.name == names.CHECK_OLD_CREDENTIAL_USE)
    assert datetime.fromisoformat(first) - BEGIN < SOON
    assert datetime.fromisoformat(second) == SEEN
    assert not any("still used" in remark for remark in told(world, "done")[0]["remarks"])


@pytest.mark.parametrize(("end", "limit"), [(timedelta(days=20), timedelta(days=20)), (None, 2 * GRACE)])
def test_use_extends_it_to_the_old_one_s_end_at_most(end: timedelta | None, limit: timedelta) -> None:
    """Used for ever, it ends with the old credential, or a week after the grace; the last notice says so."""
    world = World(lifetime_left=end) if end else without_end(World())
    world.says(names.CHECK_OLD_CREDENTIAL_USE, for_ever(used()))
    assert world.run().output["result"] == "done"
    assert limit <= after(world, "retire_old_credential") < limit + SOON
    (done,) = told(world, "done")
    assert any("still used when it was retired, by application app-shop" in remark for remark in done["remarks"])


def test_after_a_leak_use_keeps_nothing() -> None:
    """What leaked is retired whoever uses it, and the last notice says who that was."""
    world = World(reason="leak").says(names.CHECK_OLD_CREDENTIAL_USE, used(refused=(READER,)))
    assert world.run().output["result"] == "done"
    assert after(world, "retire_old_credential") < SOON
    assert told(world) == []
    assert names.ENABLE_OLD_VERSION not in world.steps
    assert any("application app-shop" in remark for remark in told(world, "done")[0]["remarks"])


@pytest.mark.parametrize("after_days", [2, 6])
def test_refused_reader_gets_the_old_version_back_at_once(after_days: int) -> None:
    """It is enabled when the event comes, owners are told who it was, it stays for the grace again, then goes."""
    came = timedelta(days=after_days)
    world = refused(came)
    instance = world.run()
    assert instance.output["result"] == "done"
    assert came <= after(world, names.ENABLE_OLD_VERSION) < came + SOON
    assert came + GRACE <= after(world, "retire_old_credential") < came + GRACE + SOON
    (notice,) = told(world)
    assert notice["code"] == "old-version-enabled"
    assert READER.who() in notice["message"]
    ends = [step for step in world.steps if step in {names.DISABLE_OLD_VERSION, names.RETIRE_OLD_CREDENTIAL}]
    assert ends == [names.DISABLE_OLD_VERSION, names.DISABLE_OLD_VERSION, names.RETIRE_OLD_CREDENTIAL]


def test_refusal_that_nobody_heard_of_is_found_before_retiring() -> None:
    """The event may get lost: what the check of use finds on the record counts as well."""
    world = World().says(names.CHECK_OLD_CREDENTIAL_USE, used(refused=(READER,)))
    assert world.run().output["result"] == "done"
    assert GRACE <= after(world, names.ENABLE_OLD_VERSION) < GRACE + SOON
    assert {notice["code"] for notice in told(world)} == {"still-used", "old-version-enabled"}


def test_raw_events_enable_nothing() -> None:
    """However often an event is raised by hand: without a note on the record the grace is what it was."""
    world = World()
    for hours in (1, 2, 100):
        world.engine.raise_event(INSTANCE, names.DECISION_EVENT, timedelta(hours=hours))
    world.run()
    assert names.ENABLE_OLD_VERSION not in world.steps
    assert GRACE <= after(world, "retire_old_credential") < GRACE + SOON
    assert told(world) == []


def test_the_same_refusal_is_told_once() -> None:
    """Each pass over the log raises the event again: the version is enabled and told of once."""
    world = refused()
    for hours in range(49, 60):
        world.engine.raise_event(INSTANCE, names.DECISION_EVENT, timedelta(hours=hours))
    world.run()
    assert world.steps.count(names.ENABLE_OLD_VERSION) == 1
    assert len(told(world)) == 1


def test_a_version_that_was_never_disabled_is_not_enabled() -> None:
    """With rekey-disable-old=at-retire the old version is readable all the time: whoever is refused, it isn't that."""
    world = refused()
    world.policy = msgspec.structs.replace(world.policy, disable_old="at-retire")
    world.run()
    assert names.ENABLE_OLD_VERSION not in world.steps
    assert told(world) == []


def test_failing_to_enable_is_told_once_and_stops_nothing() -> None:
    """The rotation goes on as planned; the next refusal tries again, and succeeds."""
    world = refused().says(names.ENABLE_OLD_VERSION, REFUSED, REFUSED)
    for hours in (49, 50):
        world.engine.raise_event(INSTANCE, names.DECISION_EVENT, timedelta(hours=hours))
    assert world.run().output["result"] == "done"
    assert [notice["code"] for notice in told(world)] == ["forbidden", "old-version-enabled"]
    assert world.steps.count(names.ENABLE_OLD_VERSION) == 3


def test_record_that_can_not_be_read_in_grace_stops_nothing() -> None:
    """An event whose record can't be read is forgotten: it is on the record for the check of use."""
    world = refused().says(names.READ_DECISIONS, for_ever(BUSY))
    assert world.run().output["result"] == "done"
    assert GRACE <= after(world, "retire_old_credential") < GRACE + SOON


def test_refusal_while_people_are_waited_for_is_heeded() -> None:
    """After the grace, while somebody has yet to acknowledge, a refused reader gets the old version back as well."""
    came = timedelta(days=9)
    world = refused(came, whens=(When.BY_HAND,), acknowledged_after=timedelta(days=10))
    world.engine.raise_event(INSTANCE, names.DECISION_EVENT, timedelta(days=10))
    assert world.run().output["result"] == "done"
    assert came <= after(world, names.ENABLE_OLD_VERSION) < came + SOON
    assert came + GRACE <= after(world, "retire_old_credential") < came + GRACE + SOON


def test_status_says_until_when_it_waits() -> None:
    """The custom status has the extended end."""
    instance = refused().run()
    ends = [status["next"] for status in instance.statuses if status["step"] == names.GRACE]
    waited = [datetime.fromisoformat(end) - BEGIN for end in ends]
    assert waited[0] < GRACE + SOON
    assert waited[-1] >= timedelta(days=2) + GRACE
