"""A connection that never has a secret: made once somebody else agreed, and undone if it can't sign in."""

from datetime import timedelta

import pytest

from rekey import names
from rekey.model import Ok, encode
from rekey.model.federation import FederationReading, Mode, Resolved
from tests.orchestrators.federating import APPROVER, INSTANCE, Federating
from tests.orchestrators.scripts import REFUSED

DAY, SOON = timedelta(days=1), timedelta(minutes=1)
MADE = [names.CREATE_IDENTITY, names.CREATE_CONNECTION, names.TRUST_CONNECTION, names.GRANT_ROLE]
UNDONE = [names.REVERT_CONNECTION, names.WITHDRAW_TRUST]


def vending(*, twin: bool = False, approved_after: timedelta | None = timedelta(0)) -> Federating:
    """Return what is asked for and approved."""
    return Federating(mode=Mode.VEND, twin=twin, approved_after=approved_after)


def test_identity_connection_trust_and_role_are_made_in_that_order_once_approved() -> None:
    """Nothing is made before; it is proven last, and who may use it is nobody's business here."""
    world = vending(approved_after=2 * DAY).heard(DAY, 2 * DAY)
    assert world.run().output["result"] == "done"
    before = [names.CHECK_VENDING, names.OPEN_FEDERATION, "told approve", "told starting"]
    assert world.steps == [*before, *MADE, names.PROVE_CONNECTION, "told done", names.CLOSE_FEDERATION]
    assert 2 * DAY <= world.after(names.CREATE_IDENTITY) < 2 * DAY + SOON
    news = world.told("approve")[0]["federation"]
    assert (news["role"], news["new_connection"], news["connection"]) == ("Contributor", "deploy", "")
    assert world.told("starting")[0]["federation"]["approved_by"] == APPROVER


def test_a_twin_follows_with_the_same_approval() -> None:
    """Whoever approves reads of both; the second is a walk with a record of its own."""
    world = vending(twin=True)
    assert world.run().output["result"] == "done"
    assert [step for step in world.steps if step == "told approve"] == ["told approve"]
    assert "deploy-readonly, which gets the role Reader" in world.told("approve")[0]["remarks"][0]
    assert world.told("done")[0]["remarks"] == []
    assert world.done.count(names.GRANT_ROLE) == 2
    ids = [c.payload["id"] for c in world.engine.calls if c.name == names.CLOSE_FEDERATION]
    assert len(set(ids)) == 2
    reads = [c.payload for c in world.engine.calls if c.name == names.READ_FEDERATION_DECISIONS]
    assert reads[-1]["approved_with"] == ids[0]


def test_a_twin_is_not_made_without_the_approval() -> None:
    """Whatever the first walk believed: the record is read again."""
    world = vending(twin=True)
    world.says(names.READ_FEDERATION_DECISIONS, Ok(encode(Resolved(approved_by=APPROVER))), Ok(encode(Resolved())))
    assert "not-approved" in world.run().failure
    assert world.done.count(names.CREATE_IDENTITY) == 1


@pytest.mark.parametrize("step", [*MADE, names.PROVE_CONNECTION])
def test_what_fails_is_undone_and_its_twin_is_not_begun(step: str) -> None:
    """The connection goes before what it signs in as."""
    world = vending(twin=True).says(step, REFUSED)
    assert world.run().failed
    assert world.steps[-4:] == [*UNDONE, "told failed", names.CLOSE_FEDERATION]
    assert world.steps.count(names.OPEN_FEDERATION) == 1


def test_what_is_reverted_before_it_is_approved_was_never_there() -> None:
    """Nothing is undone, for nothing was made; a twin isn't begun."""
    world = vending(twin=True, approved_after=None)
    world.reverted_after = DAY
    assert world.run().output["result"] == "reverted"
    assert not {*MADE, *UNDONE} & set(world.steps)
    assert world.steps.count(names.OPEN_FEDERATION) == 1


def test_what_cannot_be_vended_is_told() -> None:
    """A request that is refused when it is looked at again goes to the operators, with its names."""
    world = vending().says(names.CHECK_VENDING, REFUSED)
    assert world.run().failed
    (notice,) = world.told("failed")
    assert notice["federation"]["new_connection"] == "deploy"


def test_what_is_there_already_is_nothing_to_do() -> None:
    """Nobody is told, and no record is made."""
    world = Federating(mode=Mode.VEND, reading=FederationReading(nothing_to_do="it is there"))
    assert world.run().output["result"] == "nothing-to-do"
    assert world.steps == [names.CHECK_VENDING]


def test_another_instance_hands_over_and_bad_input_starts_nothing() -> None:
    """One connection of that name is dealt with by one instance."""
    world = vending()
    assert world.run("by-hand").output == {"result": "forwarded", "instance": INSTANCE}
    assert world.steps == [names.START_VENDING]
    bad = vending()
    assert (
        "role: missing"
        in bad.run(given={"organization": "o", "project": "p", "name": "n", "scope": "/subscriptions/0"}).failure
    )
