"""Whatever a federation loses on its way, a process or an answer, it ends as if nothing had been lost."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from activities import step
from local.storage import Azurite
from rekey.federation.records import CLOSED
from tests.core import company as companies
from tests.faults.federation_engine import Walk
from tests.faults.federation_looks import differences
from tests.faults.federation_scenario import WAYS, FederationScenario
from tests.faults.federation_writes import BACK, CHANGES, FORWARD, UNDONE

TOLD = {
    "in place": ["starting", "converted", "done"],
    "in place, refused first": ["starting", "converted", "done"],
    "repair": ["starting", "done"],
    "side by side": ["starting", "replaced", "done"],
    "side by side, another identity": ["needs approval", "starting", "replaced", "done"],
    "vend": ["needs approval", "starting", "done"],
}
"""The notices of a walk that nothing keeps from its end."""
LOSSES: dict[str, dict[str, Any]] = {
    "the process": {},
    "the answer": {"reset": "answer"},
    "half the answer": {"reset": "body"},
    "the gateway": {"status": 503},
}
"""What is lost once a request was done: nobody hears of it."""

type Begin = Callable[..., Awaitable[Walk]]


@pytest_asyncio.fixture
async def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Begin]:
    """Make a company and a walk in it; takes the way and what Walk does."""
    async with AsyncExitStack() as stack:

        async def make(way: str, **how: Any) -> Walk:
            scenario = FederationScenario(**WAYS[way])
            running = companies.company(tmp_path, monkeypatch, scenario, azurite.connection_string)
            company = await stack.enter_async_context(running)
            monkeypatch.setattr(step, "clients", lambda: company.clients)
            return Walk(company, **how)

        yield make


async def check_done(walk: Walk, way: str) -> None:
    """Walk, and hold the company to all that must be true then."""
    instance = await walk.run()
    assert not instance.failed, (instance.failure, walk.asked)
    assert instance.output["result"] == "done"
    assert walk.wrong == []
    assert walk.look().unfinished() == []
    assert walk.told() == TOLD[way]
    await check_closed(walk, "done")


async def check_undone(walk: Walk, result: str) -> None:
    """Walk, and hold the company to being as it was before."""
    before = walk.look()
    instance = await walk.run()
    assert instance.failed == (result == "failed"), (instance.failure, walk.asked)
    assert walk.wrong == []
    assert differences(before, walk.look()) == []
    assert walk.told()[-1] == result
    assert len(set(walk.told())) == len(walk.told())
    await check_closed(walk, result)


async def check_closed(walk: Walk, result: str) -> None:
    """The evidence is complete."""
    record = await walk.record()
    assert (record.state, record.result) == (CLOSED, result)


async def never_signs_in(walk: Walk) -> None:
    """Let Azure DevOps test no connection any more."""
    await walk.company.fault("azuredevops", method="POST", path="/endpointproxy", count=None, status=500)


def lag(walk: Walk) -> None:
    """Let everything that is written take as long to be known everywhere as it may in Azure."""
    switches = walk.company.azure.cloud.switches
    switches.set({"service": "entra", "propagation": {"seconds": 20, "federated_seconds": 240}})
    switches.set({"service": "graph", "propagation": {"seconds": 15, "principal_seconds": 60}})
    switches.set({"service": "arm", "propagation": {"seconds": 1200}})


async def lose(walk: Walk, purpose: str, loss: str) -> None:
    """Let that request be done, and nobody hear of it."""
    request = CHANGES[purpose]
    if loss == "the process":
        walk.dies_at = request
        return
    where = {"method": request.method, "path": request.path, "skip": request.skip}
    walk.lost = await walk.company.fault(request.service, when="after", **where, **LOSSES[loss])


def _places(purposes: dict[str, tuple[str, ...]], loss: str) -> list[tuple[str, str, str]]:
    return [(way, purpose, loss) for way, some in purposes.items() for purpose in some]


SAMPLE = (
    ("in place", "convert", "the process"),
    ("side by side, another identity", "make the connection", "the process"),
    ("vend", "make the connection", "the answer"),
)
EVERY = [place for loss in LOSSES for place in _places(FORWARD, loss)]


@pytest.mark.parametrize("way", ["in place", "side by side, another identity", "vend"])
async def test_every_result_is_lost_once(begin: Begin, way: str) -> None:
    """A process that dies each time an activity has done all it does leaves nothing behind, nor anything twice."""
    await check_done(await begin(way, loses_results=True), way)


@pytest.mark.parametrize("way", ["side by side, another identity"])
async def test_what_is_reverted_is_as_before(begin: Begin, way: str) -> None:
    """A revert after the proof, with every result lost once, puts everything back and leaves nothing of ours."""
    await check_undone(await begin(way, loses_results=True, reverts=True), "reverted")


async def test_what_was_made_goes_if_it_never_works(begin: Begin) -> None:
    """A vended connection that never signs in is undone, with every result lost once: nothing of it is left."""
    walk = await begin("vend", loses_results=True)
    await never_signs_in(walk)
    await check_undone(walk, "failed")


@pytest.mark.parametrize(("way", "purpose", "loss"), SAMPLE)
async def test_a_change_that_nobody_heard_of_is_made_once(begin: Begin, way: str, purpose: str, loss: str) -> None:
    """What was done and not answered is found, never made again: there is one of everything."""
    walk = await begin(way)
    await lose(walk, purpose, loss)
    await check_done(walk, way)
    assert await walk.struck(), f"there was no request to {purpose}"


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", ["in place, refused first", "repair", "side by side"])
async def test_every_result_is_lost_once_every_way(begin: Begin, way: str) -> None:
    """The same, the other ways."""
    await check_done(await begin(way, loses_results=True), way)


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", ["in place", "in place, refused first", "side by side"])
async def test_what_is_reverted_is_as_before_every_way(begin: Begin, way: str) -> None:
    """The same, the other ways."""
    await check_undone(await begin(way, loses_results=True, reverts=True), "reverted")


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("loses_results", [False, True])
async def test_what_is_known_late_is_waited_for(begin: Begin, way: str, *, loses_results: bool) -> None:
    """Trust, principals and roles that take minutes to count, and reads that lag behind, are no reason to give up."""
    walk = await begin(way, loses_results=loses_results)
    lag(walk)
    await check_done(walk, way)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("way", "purpose", "loss"), [place for place in EVERY if place not in SAMPLE])
async def test_any_change_that_nobody_heard_of_is_made_once(begin: Begin, way: str, purpose: str, loss: str) -> None:
    """The same, wherever it may happen."""
    await test_a_change_that_nobody_heard_of_is_made_once(begin, way, purpose, loss)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("way", "purpose", "loss"), [p for loss in LOSSES for p in _places(BACK, loss)])
async def test_any_undoing_that_nobody_heard_of_is_done(begin: Begin, way: str, purpose: str, loss: str) -> None:
    """What is reverted is as before, whichever of its changes is done without anybody hearing of it."""
    walk = await begin(way, reverts=True)
    await lose(walk, purpose, loss)
    await check_undone(walk, "reverted")
    assert await walk.struck(), f"there was no request to {purpose}"


@pytest.mark.exhaustive
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("purpose", UNDONE)
async def test_any_cleaning_up_that_nobody_heard_of_is_done(begin: Begin, purpose: str, loss: str) -> None:
    """Likewise where a vended connection never signs in."""
    walk = await begin("vend")
    await never_signs_in(walk)
    await lose(walk, purpose, loss)
    await check_undone(walk, "failed")
    assert await walk.struck(), f"there was no request to {purpose}"
