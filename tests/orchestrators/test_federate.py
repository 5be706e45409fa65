"""One connection comes to need no secret: in which order, what is undone when, who is told, how long it waits."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from orchestrators import federate_service_connection, federation_steps
from rekey import names
from rekey.model import Ok, Permanent, encode
from rekey.model.federation import FederationReading, Mode, Trust
from tests.orchestrators.engine import BEGIN, replay
from tests.orchestrators.federating import (
    APPROVER,
    INSTANCE,
    NOT_YET,
    ORCHESTRATORS,
    OWNER,
    PIPELINE_OWNER,
    USED,
    WEEK,
    Federating,
    managed,
)
from tests.orchestrators.scripts import BUSY, DIES, LOST, REFUSED, for_ever

DAY, SOON = timedelta(days=1), timedelta(minutes=1)
BEFORE = [names.READ_CONNECTION, names.OPEN_FEDERATION, names.FIND_IDENTITY, names.CHECK_CONNECTION]
UNDONE = [names.REVERT_CONNECTION, names.WITHDRAW_TRUST]
END = [names.RETIRE_SECRETS, "told done", names.CLOSE_FEDERATION]
IN_PLACE = [names.CONVERT_CONNECTION, names.TRUST_CONNECTION, names.PROVE_CONNECTION]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what never works be given up after a day: each round costs the scripted engine more than the one before."""
    for module in (federation_steps, federate_service_connection):
        monkeypatch.setattr(module, "GIVES_UP", DAY)


def after_agreeing(world: Federating) -> list[str]:
    """Return the steps after it was said what is going to happen."""
    return world.steps[world.steps.index("told starting") + 1 :]


def closed(world: Federating) -> list[str]:
    """Return the results that records were closed with."""
    return [c.payload["result"] for c in world.engine.calls if c.name == names.CLOSE_FEDERATION]


@pytest.mark.parametrize(("shows", "first"), [(False, []), (True, [names.TRUST_CONNECTION])])
def test_in_place_it_is_converted_trusted_proven_and_proven_again(*, shows: bool, first: list[str]) -> None:
    """Entra trusts it before the conversion wherever it can be known what it is going to present."""
    world = Federating(shows_issuer=shows)
    instance = world.run()
    assert instance.output["result"] == "done"
    assert world.steps[:5] == [*BEFORE, "told starting"]
    soak = ["told converted", names.PROVE_CONNECTION]
    assert after_agreeing(world) == [*first, *IN_PLACE, *soak, *END]
    assert closed(world) == ["done"]


@pytest.mark.parametrize(("made", "waits"), [(True, timedelta(minutes=10)), (False, timedelta(0))])
def test_a_credential_that_was_just_made_may_spread_before_anything_needs_it(*, made: bool, waits: timedelta) -> None:
    """Until Entra knows it everywhere, a converted connection could sign in nobody; one that was there is known."""
    trust = Trust(principal="object", name="rekey-f", issuer="i", subject="s", made=made)
    world = Federating(shows_issuer=True).says(names.TRUST_CONNECTION, Ok(encode(trust)))
    assert world.run().output["result"] == "done"
    begun = {call.name: call.at for call in reversed(world.engine.calls)}
    waited = begun[names.CONVERT_CONNECTION] - begun[names.TRUST_CONNECTION]
    assert waits <= waited < waits + SOON


def test_what_is_not_converted_at_first_is_asked_again_once_it_is_trusted() -> None:
    """Azure DevOps may refuse until Entra trusts it, and that may take minutes to be known."""
    world = Federating().says(names.CONVERT_CONNECTION, NOT_YET, NOT_YET)
    assert world.run().output["result"] == "done"
    convert, trust = names.CONVERT_CONNECTION, names.TRUST_CONNECTION
    assert after_agreeing(world)[:5] == [convert, trust, convert, convert, names.PROVE_CONNECTION]


def test_what_is_never_converted_is_undone_and_told() -> None:
    """After ten minutes it is left as it was, with what to do instead."""
    world = Federating().says(names.CONVERT_CONNECTION, for_ever(NOT_YET))
    assert "not-converted" in world.run().failure
    assert world.steps[-4:] == [*UNDONE, "told failed", names.CLOSE_FEDERATION]
    assert "side-by-side" in world.told("failed")[0]["what_to_do"]


def test_side_by_side_another_one_takes_its_place() -> None:
    """It is made, trusted and proven before anybody may use it; the old one goes when nothing ran through it."""
    world = Federating(mode=Mode.SIDE_BY_SIDE)
    assert world.run().output["result"] == "done"
    made = [names.CREATE_CONNECTION, names.TRUST_CONNECTION, names.PROVE_CONNECTION, names.COPY_ACCESS]
    gone = [names.LOOK_AT_RUNS, names.RETIRE_CONNECTION]
    assert after_agreeing(world) == [*made, "told converted", *gone, *END]
    assert world.told("converted")[0]["federation"]["new_connection"] == "deploy-federated"


def test_roles_are_copied_once_somebody_else_approved() -> None:
    """With a managed identity it waits; afterwards everything is looked at again before anything is made."""
    world = managed(approved_after=3 * DAY).heard(DAY, 3 * DAY)
    assert world.run().output["result"] == "done"
    assert world.steps[: len(BEFORE) + 1] == [*BEFORE, "told approve"]
    assert 3 * DAY <= world.after(names.CREATE_CONNECTION) < 3 * DAY + SOON
    begun = [*BEFORE[2:], names.CREATE_CONNECTION, names.TRUST_CONNECTION, names.COPY_ROLES, names.PROVE_CONNECTION]
    assert after_agreeing(world)[: len(begun)] == begun
    assert world.told("starting")[0]["federation"]["approved_by"] == APPROVER
    assert "Owner was not copied." in world.told("done")[0]["remarks"]


def test_a_repair_trusts_and_proves_and_takes_nothing_away() -> None:
    """There is no old way in to leave open."""
    world = Federating(mode=Mode.REPAIR)
    assert world.run().output["result"] == "done"
    rest = [names.TRUST_CONNECTION, names.PROVE_CONNECTION, "told done", names.CLOSE_FEDERATION]
    assert after_agreeing(world) == rest


@pytest.mark.parametrize(
    ("world", "step"),
    [
        (Federating(), names.CONVERT_CONNECTION),
        (Federating(), names.TRUST_CONNECTION),
        (Federating(), names.PROVE_CONNECTION),
        (Federating(mode=Mode.SIDE_BY_SIDE), names.CREATE_CONNECTION),
        (Federating(mode=Mode.SIDE_BY_SIDE), names.PROVE_CONNECTION),
        (managed(approved_after=timedelta(0)), names.COPY_ROLES),
    ],
    ids=lambda value: value.mode if isinstance(value, Federating) else value,
)
def test_what_fails_before_it_is_proven_is_undone(world: Federating, step: str) -> None:
    """The old way in works again before Entra's trust goes; then it is told, and the record is closed."""
    instance = world.says(step, REFUSED).run()
    assert "forbidden" in instance.failure
    assert world.steps[-4:] == [*UNDONE, "told failed", names.CLOSE_FEDERATION]
    (notice,) = world.told("failed")
    assert (notice["failed_step"], notice["what_to_do"]) == (step, "Grant it.")
    assert notice["federation"]["undone"] == "it has its secret again; its trust is gone"
    assert closed(world) == ["failed"]


def test_a_repair_that_fails_takes_back_its_own_trust_alone() -> None:
    """The connection itself was never touched."""
    world = Federating(mode=Mode.REPAIR).says(names.PROVE_CONNECTION, REFUSED)
    assert world.run().failed
    assert names.REVERT_CONNECTION not in world.steps
    assert world.steps[-3:] == [names.WITHDRAW_TRUST, "told failed", names.CLOSE_FEDERATION]


@pytest.mark.parametrize("step", [names.FIND_IDENTITY, names.CHECK_CONNECTION])
def test_what_fails_before_anything_was_changed_undoes_nothing(step: str) -> None:
    """It is told, and closed."""
    world = Federating().says(step, REFUSED)
    assert world.run().failed
    assert world.steps[-2:] == ["told failed", names.CLOSE_FEDERATION]
    assert world.told("failed")[0]["federation"]["changed"] is False


def test_without_a_record_operators_are_told_all_the_same() -> None:
    """What can't be read, and what can't be written down, changes nothing and is never silent."""
    unread, unopened = (Federating().says(s, REFUSED) for s in (names.READ_CONNECTION, names.OPEN_FEDERATION))
    for world in (unread, unopened):
        assert world.run().failed
        (telling,) = world.tellings
        assert (telling["notice"]["federation"]["stage"], telling["has_record"]) == ("failed", False)
        assert world.steps[-1] == "told failed"


def test_the_failure_of_an_undoing_is_told_and_tried_again() -> None:
    """It is said why it is being undone, once; when it is, both are over."""
    world = Federating().says(names.PROVE_CONNECTION, REFUSED).says(names.REVERT_CONNECTION, REFUSED, REFUSED, LOST)
    assert world.run().failed
    assert world.done.index(names.REVERT_CONNECTION) < world.done.index(names.WITHDRAW_TRUST)
    (needs,) = world.told("needs-you")
    assert needs["failed_step"] == names.REVERT_CONNECTION
    assert any("because of this: prove_connection" in remark for remark in needs["remarks"])
    (failed,) = world.told("failed")
    assert failed["federation"]["undone"]
    assert not any("because of this" in remark for remark in failed["remarks"])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("wanted", [False, True])
def test_an_undoing_that_never_works_is_said_so(*, wanted: bool) -> None:
    """After weeks it is given up: the last notice doesn't claim that all is as before."""
    world = Federating(reverted_after=DAY if wanted else None).says(names.REVERT_CONNECTION, for_ever(REFUSED))
    if not wanted:
        world.says(names.PROVE_CONNECTION, REFUSED)
    assert world.run().failed
    assert names.WITHDRAW_TRUST not in world.steps
    news = world.told("failed")[0]["federation"]
    assert (news["changed"], news["undone"], news["proof"]) == (True, "", "")
    assert closed(world) == ["failed"]


@pytest.mark.parametrize("heard", [True, False])
def test_reverting_in_the_soak_puts_everything_back(*, heard: bool) -> None:
    """At once if the event comes, within a day if it is lost; the instance ends well."""
    world = Federating(reverted_after=2 * DAY + SOON)
    if heard:
        world.heard(2 * DAY + SOON)
    assert world.run().output["result"] == "reverted"
    assert world.steps[-5:] == ["told converted", *UNDONE, "told reverted", names.CLOSE_FEDERATION]
    assert world.after(names.REVERT_CONNECTION) < (2 * DAY + 2 * SOON if heard else 3 * DAY + SOON)
    assert world.told("reverted")[0]["federation"]["reverted_by"] == APPROVER
    assert closed(world) == ["reverted"]


def test_reverting_is_heard_wherever_people_are_waited_for() -> None:
    """While it waits for an approval, for pipelines to move, for somebody to repair a step: each time all is undone."""
    approval = managed(reverted_after=DAY)
    used = Federating(mode=Mode.SIDE_BY_SIDE, reverted_after=9 * DAY).says(names.LOOK_AT_RUNS, for_ever(USED))
    stuck = Federating(mode=Mode.SIDE_BY_SIDE, reverted_after=DAY).says(names.COPY_ACCESS, for_ever(REFUSED))
    again = Federating(reverted_after=WEEK).says(names.PROVE_CONNECTION, Ok({"proof": "yes"}), for_ever(REFUSED))
    for world in (approval, used, stuck, again):
        assert world.run().output["result"] == "reverted"
        assert world.steps[-2:] == ["told reverted", names.CLOSE_FEDERATION]
    assert not set(UNDONE) & set(approval.steps)
    assert all(world.done[-3:-1] == UNDONE for world in (used, stuck, again))


def test_a_decision_that_nobody_heard_of_is_read_before_there_is_no_way_back() -> None:
    """The record is read once more before a secret or a connection goes, and until it can be read."""
    for mode in (Mode.IN_PLACE, Mode.SIDE_BY_SIDE):
        world = Federating(mode=mode, soak=DAY / 2, reverted_after=DAY / 2 - SOON)
        world.says(names.READ_FEDERATION_DECISIONS, REFUSED, REFUSED)
        assert world.run().output["result"] == "reverted"
        assert not {names.RETIRE_CONNECTION, names.RETIRE_SECRETS} & set(world.steps)


def test_raw_events_do_nothing() -> None:
    """However often and wherever an event is raised by hand: without a decision on the record nothing moves."""
    world = managed(approved_after=5 * DAY).heard(*(n * DAY / 2 for n in range(1, 22)))
    assert world.run().output["result"] == "done"
    assert world.after(names.CREATE_CONNECTION) >= 5 * DAY
    assert world.after(names.RETIRE_CONNECTION) >= 12 * DAY
    assert not set(UNDONE) & set(world.steps)


def test_what_nobody_approves_is_given_up_after_a_month() -> None:
    """One notice asks, one says that nothing was done."""
    world = managed()
    assert "not-approved" in world.run().failure
    assert [s for s in world.steps if s.startswith("told")] == ["told approve", "told failed"]
    assert 30 * DAY <= world.after(names.CLOSE_FEDERATION) < 30 * DAY + SOON
    assert names.CREATE_CONNECTION not in world.steps


@pytest.mark.parametrize(
    ("soak", "revert", "until"),
    [(WEEK, WEEK, WEEK - DAY / 2), (DAY, WEEK, DAY), (2 * WEEK, None, 2 * WEEK), (WEEK, DAY / 4, timedelta(0))],
)
def test_in_place_the_soak_ends_before_the_way_back_does(
    soak: timedelta, revert: timedelta | None, until: timedelta
) -> None:
    """Half a day before Azure DevOps' own deadline, so that there is time to go back by it; the notice says when."""
    world = Federating(soak=soak, revert_after=revert)
    world.run()
    said = datetime.fromisoformat(world.told("converted")[0]["federation"]["soak_until"]) - BEGIN
    assert -DAY / 2 <= said - until < SOON
    assert until <= world.after(names.RETIRE_SECRETS) < until + SOON


def test_use_keeps_the_old_connection_day_by_day() -> None:
    """It is told once who still runs through it; what counts is a soak's length without a run."""
    world = Federating(mode=Mode.SIDE_BY_SIDE).says(names.LOOK_AT_RUNS, USED, USED)
    assert world.says(names.RETIRE_CONNECTION, REFUSED).run().output["result"] == "done"
    (notice,) = world.told("still-used")
    assert notice["message"] == "Shop release"
    assert WEEK + 2 * DAY <= world.after(names.RETIRE_CONNECTION) < WEEK + 2 * DAY + SOON
    since = [c.payload["since"] for c in world.engine.calls if c.name in {names.LOOK_AT_RUNS, names.RETIRE_CONNECTION}]
    moments = [datetime.fromisoformat(moment) - BEGIN for moment in since]
    assert moments[0] < SOON
    assert 2 * DAY <= moments[-1] < 2 * DAY + SOON


@pytest.mark.usefixtures("impatient")
def test_use_that_does_not_end_is_somebodys_to_decide() -> None:
    """After four soaks somebody is needed, weeks later it is given up; both connections stay."""
    world = Federating(mode=Mode.SIDE_BY_SIDE, soak=2 * DAY).says(names.LOOK_AT_RUNS, for_ever(USED))
    assert "still-used" in world.run().failure
    needs = next(c.at for c in world.engine.calls if c.payload.get("notice", {}).get("key", "").startswith("needs-you"))
    assert 8 * DAY <= needs - BEGIN < 9 * DAY
    assert len(world.told("still-used")) == 1
    assert not {names.RETIRE_CONNECTION, *UNDONE} & set(world.steps)
    news = world.told("failed")[0]["federation"]
    assert (news["changed"], news["proof"]) == (True, "it signed in twice")


def test_a_run_just_before_the_end_is_waited_out() -> None:
    """The step that deletes looks itself: what it sees is looked at anew, a few times, then somebody is told."""
    used = Permanent("still-used", "a run went through it")
    once = Federating(mode=Mode.SIDE_BY_SIDE).says(names.RETIRE_CONNECTION, used, used)
    assert once.run().output["result"] == "done"
    assert once.told("needs-you") == []
    often = Federating(mode=Mode.SIDE_BY_SIDE).says(names.RETIRE_CONNECTION, *[used] * 5)
    assert often.run().output["result"] == "done"
    assert len(often.told("needs-you")) == 1


@pytest.mark.parametrize("step", [names.COPY_ACCESS, names.LOOK_AT_RUNS, names.RETIRE_CONNECTION, names.RETIRE_SECRETS])
def test_what_fails_once_it_is_proven_is_told_and_tried_again(step: str) -> None:
    """Nothing is torn down: one notice, and it goes on when it works."""
    world = Federating(mode=Mode.SIDE_BY_SIDE).says(step, REFUSED, REFUSED, REFUSED)
    assert world.run().output["result"] == "done"
    (notice,) = world.told("needs-you")
    assert (notice["failed_step"], notice["code"]) == (step, "forbidden")
    final = step in {names.RETIRE_CONNECTION, names.RETIRE_SECRETS}
    assert notice["federation"]["revertible"] == (not final)
    assert not set(UNDONE) & set(world.steps)


def test_a_step_that_needs_somebody_again_is_told_again() -> None:
    """A mail has its identity: the second of a kind would be taken for the first if nothing told them apart."""
    trouble = (REFUSED, USED, REFUSED)
    world = Federating(mode=Mode.SIDE_BY_SIDE).says(names.LOOK_AT_RUNS, *trouble)
    assert world.run().output["result"] == "done"
    assert len({notice["key"] for notice in world.told("needs-you")}) == 2


@pytest.mark.usefixtures("impatient")
def test_a_step_that_never_works_is_given_up_at_last() -> None:
    """What was proven stays, and it is said so."""
    world = Federating().says(names.RETIRE_SECRETS, for_ever(REFUSED))
    assert world.run().failed
    assert world.told("failed")[0]["federation"]["proof"] == "it signed in twice"
    assert not set(UNDONE) & set(world.steps)
    assert closed(world) == ["failed"]


@pytest.mark.usefixtures("impatient")
def test_a_record_that_cannot_be_closed_ends_the_instance_all_the_same() -> None:
    """The nightly check tells a record that is left open."""
    world = Federating().says(names.CLOSE_FEDERATION, for_ever(REFUSED))
    assert world.run().output["record_left_open"] == "forbidden"


def test_passing_trouble_is_waited_out() -> None:
    """Each step may be busy, lose an answer or die once, and nobody hears of it."""
    every = [value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)]
    approved = managed(approved_after=timedelta(0), soak=DAY)
    for trouble, world in (
        (BUSY, Federating(shows_issuer=True, soak=DAY)),
        (LOST, Federating(soak=DAY)),
        (DIES, approved),
    ):
        for step in every:
            world.says(step, trouble)
        assert world.run().output["result"] == "done"
        assert world.told("needs-you") == []


def test_owners_of_secrets_and_pipelines_are_told() -> None:
    """Each notice but the first of what could not be read goes to them; the pipelines are named while that matters."""
    world = Federating()
    world.run()
    assert all(telling["owners"] == [OWNER, PIPELINE_OWNER] for telling in world.tellings)
    assert world.told("converted")[0]["federation"]["pipelines"][0]["name"] == "Shop release"
    assert all(telling["has_record"] for telling in world.tellings)
    ids = {telling["notice"]["rotation_id"] for telling in world.tellings}
    assert len(ids) == 1


def test_nothing_to_do_says_why() -> None:
    """Nobody is told, and no record is made."""
    world = Federating(reading=FederationReading(nothing_to_do="it is federated"))
    assert world.run().output == {"result": "nothing-to-do", "reason": "it is federated"}
    assert world.steps == [names.READ_CONNECTION]


@pytest.mark.parametrize("given", [None, {"organization": "contoso"}, {"connection": 7}])
def test_what_cannot_be_read_starts_nothing(given: Any) -> None:
    """The instance fails with the field's name, as the operator API does."""
    world = Federating()
    instance = world.run(given=given or {})
    assert "FederationFailed" in instance.failure
    assert world.steps == []


def test_another_instance_hands_over() -> None:
    """One connection is federated by one instance."""
    world = Federating()
    assert world.run("by-hand").output == {"result": "forwarded", "instance": INSTANCE}
    assert world.steps == [names.START_FEDERATION]


def test_the_status_says_where_it_is_and_nothing_that_is_not_for_everybody() -> None:
    """Step, state, since, next, what it waits for and the federation's id: no address, no name of a person."""
    instance = managed(approved_after=DAY).run()
    assert all(
        s.keys() == {"federation_id", "step", "state", "since", "next", "waiting_for"} for s in instance.statuses
    )
    waits = [(s["step"], s["state"], s["waiting_for"]) for s in instance.statuses if s["waiting_for"]]
    assert (names.APPROVAL, "waiting", "approval") in waits
    assert (names.SOAK, "waiting", "the end of the soak") in waits
    assert instance.statuses[-1]["state"] == "done"
    assert "@" not in str(instance.statuses)


def test_replaying_decides_the_same() -> None:
    """Every episode of a walk with trouble, an approval and a revert gives the same actions again, byte for byte."""
    world = managed(approved_after=DAY, reverted_after=2 * DAY).says(names.PROVE_CONNECTION, BUSY, LOST)
    instance = world.run()
    for request, response in instance.episodes[::3]:
        again = replay(ORCHESTRATORS[names.FEDERATE_SERVICE_CONNECTION], request)
        assert again.SerializeToString() == response
