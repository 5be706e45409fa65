"""The runbook: which steps are asked for, in which order, and what if one fails."""

import json
from datetime import datetime, timedelta
from itertools import pairwise

import msgspec
import pytest

from rekey import names
from rekey.model import BadPolicy, Ok, Permanent, Published, Reading, Span, Undone, encode
from tests.orchestrators.engine import BEGIN
from tests.orchestrators.scripts import BUSY, DIES, INSTANCE, LOST, NEW, REFUSED, World, for_ever

BEFORE = ["read_policy", "open_record", "preflight", "notify_owners starting"]
MADE = ["generate_credential", "verify_credential", "set_secret_version"]
SWITCH = ["disable_old_version", "update_consumer", "confirm_consumer", "notify_owners switched"]
END = ["check_old_credential_use", "retire_old_credential", "notify_owners done", "close_record"]


def test_rotation_walks_its_steps_in_order() -> None:
    """A rotation that goes well asks for every step of the design, once, in its order."""
    world = World()
    instance = world.run()
    assert world.steps == [*BEFORE, *MADE, *SWITCH, *END]
    assert instance.output["result"] == "done"


def test_old_credential_lives_through_the_grace() -> None:
    """Nothing is retired before the grace the policy gives is over, and hardly later."""
    world = World()
    world.run()
    switched, checked = (next(c.at for c in world.engine.calls if c.what == what) for what in (SWITCH[-1], END[0]))
    assert timedelta(days=7) <= checked - switched < timedelta(days=7, minutes=1)


def test_long_grace_is_one_wait() -> None:
    """A grace of months is slept through, however the SDK divides its timer."""
    world = World(lifetime_left=timedelta(days=300))
    world.policy = msgspec.structs.replace(world.policy, grace=Span(months=6))
    world.run()
    assert world.engine.now - BEGIN > timedelta(days=170)
    assert world.steps == [*BEFORE, *MADE, *SWITCH, *END]


def test_grace_ends_with_the_old_credential() -> None:
    """There is nothing to wait for beyond the old credential's own end."""
    world = World(lifetime_left=timedelta(days=2))
    world.run()
    assert world.engine.now - BEGIN < timedelta(days=2, hours=1)


def test_reader_that_pins_a_version_keeps_it_until_the_end() -> None:
    """With rekey-disable-old=at-retire the old version stays readable through the grace."""
    world = World()
    world.policy = msgspec.structs.replace(world.policy, disable_old="at-retire")
    world.run()
    assert world.steps == [*BEFORE, *MADE, *SWITCH[1:], END[0], "disable_old_version", *END[1:]]


def test_leak_skips_the_grace() -> None:
    """A leaked credential is retired as soon as the consumers are confirmed."""
    world = World(reason="leak")
    world.run()
    assert world.steps == [*BEFORE, *MADE, *SWITCH, *END]
    assert world.engine.now - BEGIN < timedelta(minutes=1)


def test_secret_that_is_not_due_is_left_alone() -> None:
    """Nothing is opened, told or changed, and the reason is the result."""
    world = World(reading=Reading(not_due="expires in a year"))
    assert world.run().output == {"result": "not-due", "reason": "expires in a year"}
    assert world.steps == ["read_policy"]


def test_bad_tags_are_told_and_end_the_rotation() -> None:
    """Bad tags are told to whom the readable ones name, once per version, and nothing else is done."""
    bad = BadPolicy(version="v1", errors=("rekey-grace: got 'x', expected a duration",), owners=("a@contoso.example",))
    world = World(reading=Reading(bad=bad))
    instance = world.run()
    assert "rekey-grace: got 'x'" in instance.failure
    assert world.steps == ["read_policy", "notify_owners bad-policy"]
    told = world.engine.calls[-1].payload
    assert (told["owners"], told["once"]) == (["a@contoso.example"], "bad-policy kv-shop deploy v1")


def test_policy_that_cannot_be_read_is_told_to_the_operators() -> None:
    """There is no record and no owner yet: the operators hear of it."""
    world = World().says(names.READ_POLICY, REFUSED)
    instance = world.run()
    assert instance.failed
    assert world.steps == ["read_policy", "notify_owners failed"]
    assert world.engine.calls[-1].payload["has_record"] is False


def test_superseded_rotation_is_undone_and_no_failure() -> None:
    """Somebody who wrote a version meanwhile wins: what was made is removed, and the rotation ends in peace."""
    world = World().says(names.SET_SECRET_VERSION, Permanent("superseded", "got version 9 from somebody else"))
    instance = world.run()
    assert world.steps == [*BEFORE, *MADE, "undo_generation", "notify_owners failed", "close_record"]
    assert instance.output["result"] == "superseded"
    assert world.engine.calls[-1].payload["result"] == "superseded"


@pytest.mark.parametrize("step", MADE)
def test_failure_before_publication_is_undone(step: str) -> None:
    """Before the new version is out a failure removes what was made, is told, and ends the rotation."""
    world = World().says(step, REFUSED)
    instance = world.run()
    done = [*BEFORE, *MADE[: MADE.index(step) + 1]]
    assert world.steps == [*done, "undo_generation", "notify_owners failed", "close_record"]
    assert instance.failure.endswith(f"{step}: forbidden: it may not")
    told, closed = world.engine.calls[-2].payload["notice"], world.engine.calls[-1].payload
    assert (told["failed_step"], told["code"], told["what_to_do"]) == (step, "forbidden", "Grant it.")
    assert closed["result"] == "failed"


@pytest.mark.parametrize("step", ["open_record", "preflight"])
def test_failure_before_anything_was_made_needs_no_undoing(step: str) -> None:
    """Nothing was made, so nothing is removed."""
    world = World().says(step, REFUSED)
    assert world.run().failed
    assert world.steps == [*BEFORE[: BEFORE.index(step) + 1], "notify_owners failed", "close_record"]


def test_undoing_that_finds_the_version_published_goes_on() -> None:
    """A version whose write was taken for failed is out: the walk goes on from there and tears nothing down."""
    world = World().says(names.SET_SECRET_VERSION, REFUSED)
    published = Published(version=NEW, expires=BEGIN + timedelta(days=180))
    world.says(names.UNDO_GENERATION, Ok(encode(Undone(published=published))))
    assert world.run().output["result"] == "done"
    assert world.steps == [*BEFORE, *MADE, "undo_generation", *SWITCH, *END]


def test_undoing_that_fails_is_said() -> None:
    """What could not be removed is named in the notice, with what becomes of it."""
    world = World().says(names.VERIFY_CREDENTIAL, REFUSED).says(names.UNDO_GENERATION, REFUSED)
    instance = world.run()
    assert "verify_credential" in instance.failure
    remarks = world.engine.calls[-2].payload["notice"]["remarks"]
    assert any("reconcile" in remark for remark in remarks)


@pytest.mark.parametrize("step", [SWITCH[0], *END[:2], END[-1]])
def test_failure_after_publication_is_told_once_and_tried_until_it_works(step: str) -> None:
    """After the new version is out nothing is torn down: somebody is told once, and the step is repeated."""
    world = World().says(step, REFUSED, REFUSED, REFUSED)
    assert world.run().output["result"] == "done"
    assert world.steps.count("notify_owners needs-you") == 1
    assert world.steps.count(step) == 4
    assert "undo_generation" not in world.steps
    at = [c.at for c in world.engine.calls if c.name == step]
    pauses = [(later - earlier).total_seconds() for earlier, later in pairwise(at)]
    assert [round(p / 60) for p in pauses] == [5, 10, 20]


@pytest.mark.parametrize("step", [SWITCH[0], END[1]])
def test_failure_that_outlasts_the_old_credential_ends_the_rotation(step: str) -> None:
    """At the old credential's end there is nothing left to wait for: it is told, and the record says failed."""
    world = World(lifetime_left=timedelta(hours=12)).says(step, for_ever(REFUSED))
    instance = world.run()
    assert instance.failed
    assert world.steps[-2:] == ["notify_owners failed", "close_record"]
    assert "undo_generation" not in world.steps
    assert world.engine.now <= BEGIN + timedelta(hours=12, minutes=1)


def test_needs_you_says_who_failed_and_why() -> None:
    """The notice names the step, the error and what to do about it."""
    world = World().says(names.DISABLE_OLD_VERSION, REFUSED)
    world.run()
    notice = next(c.payload["notice"] for c in world.engine.calls if c.what == "notify_owners needs-you")
    assert (notice["failed_step"], notice["message"], notice["what_to_do"]) == (
        "disable_old_version",
        "it may not",
        "Grant it.",
    )
    assert notice["new_version"] == NEW


def test_failing_consumer_never_stops_the_others() -> None:
    """Consumers go side by side: the healthy one is confirmed while the other is told about and tried again."""
    world = World(consumers=3)
    failures = iter([REFUSED] * 2)
    world.judge = lambda name, payload: (
        next(failures, None) if name == "update_consumer" and payload["target"]["uri"].endswith("/1") else None
    )
    assert world.run().output["result"] == "done"
    updates = [c.payload["target"]["uri"][-1] for c in world.engine.calls if c.name == "update_consumer"]
    confirmed = [c.payload["target"]["uri"][-1] for c in world.engine.calls if c.name == "confirm_consumer"]
    assert updates == ["0", "1", "2", "1", "1"]
    assert confirmed == ["0", "2", "1"]
    assert world.steps.count("notify_owners needs-you") == 1
    told = next(c.payload["notice"] for c in world.engine.calls if c.what == "notify_owners needs-you")
    assert sorted(r["uri"][-1] for r in told["consumers"] if r["confirmed_by"]) == ["0", "2"]


def test_nothing_is_retired_while_a_consumer_fails() -> None:
    """The old credential stays until every consumer is confirmed, or dies of age."""
    world = World(consumers=2, lifetime_left=timedelta(hours=12))
    world.judge = lambda name, payload: (
        REFUSED if name == "confirm_consumer" and payload["target"]["uri"].endswith("/1") else None
    )
    assert world.run().failed
    assert "retire_old_credential" not in world.steps
    assert "notify_owners switched" not in world.steps


def test_secret_without_consumers_is_rotated() -> None:
    """Whoever reads the vault directly needs no telling."""
    world = World(consumers=0)
    assert world.run().output["result"] == "done"
    assert world.steps == [*BEFORE, *MADE, SWITCH[0], SWITCH[-1], *END]


def test_other_instance_id_hands_over() -> None:
    """An instance under another id starts the right one and does nothing itself."""
    world = World()
    instance = world.run("by-hand-1")
    assert instance.output == {"result": "forwarded", "instance": INSTANCE}
    assert world.steps == ["start_rotation"]
    assert world.engine.calls[0].payload["secret"] == "Deploy"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("x", "input: got 'x', expected an object with vault, secret, reason, requested_by"),
        ({"secret": "s"}, "vault: missing, expected a Key Vault name"),
        ({"vault": "kv-shop", "secret": "a_b"}, "secret: got 'a_b', expected a secret's name"),
        ({"vault": "kv-shop", "secret": "s", "reason": "fun"}, "reason: got 'fun', expected one of event, "),
        ({"vault": "kv-shop", "secret": "s", "value": 1}, "value: unknown, expected vault, "),
    ],
)
def test_wrong_input_fails_with_what_was_expected(given: object, said: str) -> None:
    """The instance's failure names field, value and expectation, and no step is taken."""
    world = World()
    assert said in world.run(given=given).failure
    assert world.steps == []


@pytest.mark.parametrize("notice", ["starting", "switched", "done"])
def test_mail_that_fails_waits_and_blocks_nothing(notice: str) -> None:
    """A notice that can't be sent goes to the outbox; the rotation goes on within minutes."""
    world = World(reason="leak")
    world.judge = lambda name, payload: (
        BUSY if name == "notify_owners" and payload["notice"]["kind"] == notice and not payload["keep"] else None
    )
    assert world.run().output["result"] == "done"
    assert world.steps.count(f"notify_owners {notice} kept") == 1
    assert world.engine.now - BEGIN < timedelta(minutes=4)


def test_mail_that_can_neither_be_sent_nor_kept_is_said_in_the_next() -> None:
    """Even without an outbox the rotation goes on, and the next notice says what was not told."""
    world = World()
    world.judge = lambda name, payload: (
        REFUSED if name == "notify_owners" and payload["notice"]["kind"] == "starting" else None
    )
    assert world.run().output["result"] == "done"
    switched = next(c.payload["notice"] for c in world.engine.calls if c.what == "notify_owners switched")
    assert any("starting" in remark for remark in switched["remarks"])


def test_waits_that_are_not_built_are_refused_before_anything_is_made() -> None:
    """A policy that asks for an approval is not rotated without one."""
    world = World()
    world.policy = msgspec.structs.replace(world.policy, approval=True)
    assert "rekey-approval" in world.run().failure
    assert "generate_credential" not in world.steps


def test_rotation_id_is_new_for_each_run() -> None:
    """A second run under the same instance id is a rotation of its own."""
    ids: set[str] = set()
    for _ in range(2):
        world = World()
        world.engine.now += timedelta(seconds=len(ids))
        ids.add(world.run().output["rotation_id"])
    assert len(ids) == 2


@pytest.mark.parametrize("trouble", [BUSY, LOST, DIES], ids=["busy", "lost", "dies"])
def test_passing_trouble_is_no_ones_business(trouble: object) -> None:
    """A step that works on a later attempt is nobody's news, and what an activity throws is told to nobody."""
    world = World()
    for step in {c.split()[0] for c in (*BEFORE, *MADE, *SWITCH, *END)}:
        world.says(step, trouble)  # type: ignore[arg-type]
    instance = world.run()
    assert instance.output["result"] == "done"
    told = [s for s in world.steps if s.startswith("notify")]
    assert set(told) == {"notify_owners starting", "notify_owners switched", "notify_owners done"}
    payloads = "".join(str(c.payload) + str(c.outcome) for c in world.engine.calls)
    assert "canary" not in payloads + str(instance.statuses)


def test_status_says_where_the_rotation_is() -> None:
    """The custom status names step, state, what is waited for and until when, and counts the consumers."""
    world = World(consumers=2).says(names.DISABLE_OLD_VERSION, REFUSED)
    instance = world.run()
    seen = [(s["step"], s["state"], s["waiting_for"]) for s in instance.statuses]
    assert seen[0] == ("read_policy", "running", "")
    assert ("disable_old_version", "needs-you", "forbidden") in seen
    assert ("grace", "waiting", "the end of the grace period") in seen
    assert seen[-1] == ("close_record", "done", "")
    grace = next(s for s in instance.statuses if s["step"] == "grace")
    left = datetime.fromisoformat(grace["next"]) - datetime.fromisoformat(grace["since"])
    assert timedelta(days=7, seconds=-1) <= left <= timedelta(days=7)
    assert grace["consumers"] == {"total": 2, "confirmed": 2, "failed": 0}
    assert {s["rotation_id"] for s in instance.statuses} == {instance.output["rotation_id"]}


def test_status_is_small_and_shows_nobodys_address() -> None:
    """What everybody may read is short and holds no address and no URI."""
    instance = World(consumers=8).run()
    assert all(len(json.dumps(s)) < 500 for s in instance.statuses)
    assert "@" not in str(instance.statuses)
    assert "://" not in str(instance.statuses)
