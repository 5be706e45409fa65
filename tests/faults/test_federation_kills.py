"""The app's process is killed, at every place where a walk to a connection without a secret could be torn in two."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.processes import wait_until
from local.storage import AzuriteMissingError
from rekey import names
from rekey.federation.records import CLOSED
from tests.faults.federating import Federating
from tests.faults.federation_looks import Look, differences
from tests.faults.federation_scenario import WAYS, FederationScenario
from tests.faults.federation_writes import CHANGES, FORWARD
from tests.faults.invariants import kept_notices
from tests.faults.rotating import ENDED, Hit

APPROVED = {"side by side, another identity", "vend"}
"""The ways that wait for an approval."""
_FIRST = (names.READ_CONNECTION, names.OPEN_FEDERATION, names.FIND_IDENTITY, names.CHECK_CONNECTION)
_LAST = (names.NOTIFY_OWNERS, names.CLOSE_FEDERATION)
STEPS: dict[str, tuple[str, ...]] = {
    "in place, refused first": (
        *_FIRST,
        names.CONVERT_CONNECTION,
        names.TRUST_CONNECTION,
        names.PROVE_CONNECTION,
        names.READ_FEDERATION_DECISIONS,
        names.RETIRE_SECRETS,
        *_LAST,
    ),
    "side by side": (
        *_FIRST,
        names.CREATE_CONNECTION,
        names.TRUST_CONNECTION,
        names.PROVE_CONNECTION,
        names.COPY_ACCESS,
        names.LOOK_AT_RUNS,
        names.READ_FEDERATION_DECISIONS,
        names.RETIRE_CONNECTION,
        names.RETIRE_SECRETS,
        *_LAST,
    ),
    "side by side, another identity": (names.CREATE_CONNECTION, names.COPY_ROLES, names.COPY_ACCESS),
    "vend": (
        names.CHECK_VENDING,
        names.CREATE_IDENTITY,
        names.CREATE_CONNECTION,
        names.TRUST_CONNECTION,
        names.GRANT_ROLE,
        names.PROVE_CONNECTION,
        *_LAST,
    ),
}
"""Where each way is killed; what one has in common with another is killed there.

In place, where Entra can trust the connection beforehand, ten minutes pass that nothing here can shorten.
"""
BACK = (names.REVERT_CONNECTION, names.WITHDRAW_TRUST)

type Begin = Callable[..., Federating]


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Begin]:
    """Make a running company; takes the way, and what is to go wrong."""
    with ExitStack() as stack:

        def make(way: str, hits: list[Hit] | None = None, **more: Any) -> Federating:
            scenario = FederationScenario(**WAYS[way], **{"soak": "PT1S", **more})
            try:
                return stack.enter_context(Federating(tmp_path, scenario, hits or []))
            except AzuriteMissingError as error:
                pytest.skip(str(error))

        yield make


def every_end(steps: tuple[str, ...]) -> list[Hit]:
    """Return a kill at the end of each step: all it did is done, and nobody knows."""
    return [Hit(step, "end") for step in steps]


def begun(federating: Federating, way: str) -> Federating:
    """Ask for it, and approve what has to be."""
    federating.begin()
    if way in APPROVED:
        federating.decide("approve", names.APPROVAL)
    return federating


def check_done(federating: Federating) -> None:
    """Wait for the end, then hold the company to all of it."""
    ended = federating.wait_end()
    assert ended["runtimeStatus"] == "Completed", ended
    assert ended["output"]["result"] == "done", ended
    assert federating.watch.wrong == []
    assert federating.look().unfinished() == []
    check_told(federating, "done")
    record = federating.record()
    assert (record.state, record.result) == (CLOSED, "done")
    assert federating.hits_left() == []


def check_told(federating: Federating, result: str) -> None:
    """No notice was mailed twice; the last one was mailed, or waits to be if mail did not go."""
    mailed = federating.told()
    waiting = [one["notice"]["federation"]["stage"] for one in kept_notices(federating)]
    assert len(set(mailed)) == len(mailed), mailed
    assert mailed[-1] == result or result in waiting, (mailed, waiting)


def check_reverted(federating: Federating) -> None:
    """Wait for the end, then hold the company to being as it was before."""
    ended = federating.wait_end()
    assert ended["output"]["result"] == "reverted", ended
    assert federating.watch.wrong == []
    before = Look(federating.asked, federating.before)
    assert differences(before, federating.look()) == []
    check_told(federating, "reverted")
    record = federating.record()
    assert (record.state, record.result) == (CLOSED, "reverted")
    assert federating.hits_left() == []


def killed_at_request(federating: Federating, way: str, purpose: str) -> None:
    """Kill the app between that change and its answer."""
    request = CHANGES[purpose]
    held = federating.hold(request.service, method=request.method, path=request.path, skip=request.skip, when="after")
    first_of_all = way in APPROVED and purpose == "tell"
    if first_of_all:
        federating.begin()
    else:
        begun(federating, way)
    wait_until(
        lambda: held.holds() or federating.status().get("runtimeStatus") in ENDED, f"{purpose} is held", timeout=120
    )
    assert held.holds(), f"there was no request to {purpose}"
    federating.kill_worker()
    held.release()
    if first_of_all:
        federating.decide("approve", names.APPROVAL)
    check_done(federating)


def test_a_connection_is_vended_by_an_app_that_dies_having_made_it(company: Begin) -> None:
    """A process that is killed when a connection is made, and nobody knows of it, leaves it to the next one to find."""
    check_done(begun(company("vend", every_end((names.CREATE_CONNECTION,))), "vend"))


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", STEPS)
def test_a_walk_survives_a_kill_at_every_end(company: Begin, way: str) -> None:
    """A walk whose every activity is killed once it has done all it does completes as if nothing had been."""
    check_done(begun(company(way, every_end(STEPS[way])), way))


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", STEPS)
def test_a_walk_survives_a_kill_at_every_start(company: Begin, way: str) -> None:
    """Likewise where each is killed before it has done anything."""
    check_done(begun(company(way, [Hit(step, "start") for step in STEPS[way]]), way))


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", ["in place, refused first", "side by side", "side by side, another identity"])
@pytest.mark.parametrize("at", ["start", "end"])
def test_a_revert_survives_kills(company: Begin, way: str, at: str) -> None:
    """A revert in the soak that dies at each of its steps puts everything back."""
    federating = company(way, [Hit(step, at) for step in BACK], soak="P7D")
    begun(federating, way).decide("revert", names.SOAK)
    check_reverted(federating)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("way", "purpose"), [(way, purpose) for way in STEPS for purpose in FORWARD[way]])
def test_a_kill_between_a_change_and_its_answer_leaves_no_trace(company: Begin, way: str, purpose: str) -> None:
    """What was done is found when the app is there again: nothing is made twice, nothing forgotten."""
    killed_at_request(company(way), way, purpose)
