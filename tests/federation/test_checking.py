"""What preflight finds around a connection, and what ran through one."""

from datetime import UTC, datetime, timedelta

import pytest

from local.azure.azuredevops_state import Permission
from rekey.errors import PermanentError
from rekey.federation.checking import check
from rekey.federation.runs import look
from rekey.model import Reason
from rekey.model.federation import Mode
from rekey.records import Record, Records
from tests.federation.asking import Asking

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_pipelines_that_use_it_and_their_authors_are_found(here: Asking) -> None:
    """By a run, a permission, or a step that names it, by id as well as by name; addresses only where mail may go."""
    name = here.company.scenario.connection
    pipelines = {
        "ran": {"uses": [{"endpoint": name}], "author": "ran@contoso.example"},
        "permitted": {"author": "stranger@elsewhere.example"},
        "by-id": {"type": "designerJson", "steps": [{"connections": {"connectedServiceNameARM": name}}]},
        "by-name": {"variables": {"serviceConnection": {"value": name}}},
        "other": {"variables": {"serviceConnection": {"value": "another"}}},
    }
    await here.seed(pipelines=pipelines, endpoints={"other": {"application": here.company.scenario.application}})
    here.permit("permitted", "ran")
    here.run("ran")
    stages = {"production": {"uses": [{"endpoint": name}]}}
    await here.seed(
        rights=["administer", "view-builds", "view-releases"],
        releases={"classic": {"stages": stages}, "unrelated": {"stages": {name: {}}}},
    )
    found = await check(here.clients, await here.walk())
    by_name = {one.name: one for one in found.pipelines}
    assert set(by_name) == {"ran", "permitted", "by-id", "by-name", "classic"}
    assert found.pipelines[0].name == "ran"
    assert by_name["ran"].last_run
    assert by_name["ran"].owner == "ran@contoso.example"
    assert by_name["ran"].known_by == "ran through it; is permitted to use it"
    assert by_name["permitted"].owner == ""
    assert "names it" in by_name["by-id"].known_by
    assert (by_name["classic"].owner, by_name["classic"].id[:8]) == ("releases@contoso.example", "release ")
    assert "names it" in by_name["by-name"].known_by
    assert found.owners == (here.company.scenario.owner,)


async def test_more_pipelines_than_a_page_are_read(here: Asking) -> None:
    """Lists go on where a page ends, and what is told of is bounded."""
    name = here.company.scenario.connection
    many = {f"p{number}": {"variables": {"c": {"value": name.upper()}}} for number in range(220)}
    await here.seed(pipelines=many)
    found = await check(here.clients, await here.walk())
    assert len(found.pipelines) == 100
    assert "120 more pipelines use it than are named" in found.remarks


async def test_what_there_is_to_know_is_said(here: Asking) -> None:
    """That others share it, that Azure DevOps made its application, that something runs just now."""
    scenario = here.company.scenario
    other = {"projects": {"Other": {}}, "members": {"rekey": {"projects": {"Other": ["administer", "view-builds"]}}}}
    await here.company.azure.seed({"organizations": {scenario.organization: other}})
    await here.connection("shared", shared_with=["Other"], creation_mode="Automatic", all_pipelines=True)
    here.runs_now("shared")
    found = await check(here.clients, await here.walk("shared"))
    said = "\n".join(found.remarks)
    assert "shared with Other: for them it is converted, too" in said
    assert "made its application itself" in said
    assert "1 run through it just now" in said
    assert "every pipeline is permitted to use it" in said


async def test_what_may_not_be_seen_is_said(here: Asking) -> None:
    """Without a look at builds the pipelines are unknown, and nothing is stopped by that."""
    await here.seed(rights=["administer"])
    assert (await check(here.clients, await here.walk())).pipelines == ()


async def test_rights_that_are_missing_are_named(here: Asking) -> None:
    """Administrator of the connection; beside it, making connections in the project."""
    walk = await here.walk()
    beside = await here.walk(mode=Mode.SIDE_BY_SIDE)
    for rights in here.organization.members.values():
        rights[here.company.scenario.project.lower()] = Permission.ALL ^ Permission.CREATE
    with pytest.raises(PermanentError) as refused:
        await check(here.clients, beside)
    assert refused.value.code == "not-creator"
    await here.seed(rights=["use"])
    for one in (walk, beside):
        with pytest.raises(PermanentError) as refused:
            await check(here.clients, one)
        assert refused.value.code == "not-administrator"
        assert "Administrator" in refused.value.what_to_do
    assert (await check(here.clients, walk.but(mode=Mode.REPAIR))).owners


async def test_a_rotation_of_its_secret_comes_first(here: Asking) -> None:
    """A rotation that is under way writes a key into what would have none: it is named; another's doesn't matter."""
    walk, scenario = await here.walk(), here.company.scenario
    records = Records(here.clients.container())

    def record(rotation_id: str, secret: str) -> Record:
        return Record(
            rotation_id=rotation_id,
            instance_id="i",
            deployment="local",
            vault=scenario.vault,
            secret=secret,
            reason=Reason.MANUAL,
            opened=datetime.now(UTC),
            policy_digest="",
            old_version="",
        )

    await records.open(record("other", "other"))
    await check(here.clients, walk)
    await records.open(record("mine", scenario.secret))
    with pytest.raises(PermanentError, match="is being rotated") as refused:
        await check(here.clients, walk)
    assert "python -m rekey show mine" in refused.value.what_to_do
    await check(here.clients, await here.walk(mode=Mode.SIDE_BY_SIDE))


async def test_runs_since_it_was_proven_are_counted(here: Asking) -> None:
    """Over all pages; what began before and goes on counts as running, what ended before doesn't count."""
    days = [0.5 + number / 1000 for number in range(70)]
    executions = [{"days_ago": one, "pipeline": f"p{n % 3}"} for n, one in enumerate(days)]
    executions += [{"days_ago": 0.1, "result": "failed"}, {"days_ago": 3.0}, {"days_ago": 2.0, "seconds": 999999}]
    await here.connection("busy", executions=executions)
    walk = (await here.walk("busy")).but(since=datetime.now(UTC) - timedelta(days=1))
    found = await look(here.clients, walk)
    assert (found.finished, found.failed) == (71, 1)
    assert found.last
    assert set(found.by) >= {"p0", "p1", "p2", "nightly"}
    quiet = await look(here.clients, walk.but(since=datetime.now(UTC)))
    assert (quiet.finished, quiet.failed, quiet.running) == (0, 0, 1)


async def test_a_history_that_cannot_be_read_is_no_silence(here: Asking) -> None:
    """Not knowing is not the same as nothing."""
    walk = await here.walk()
    await here.seed(rights=[])
    with pytest.raises(PermanentError):
        await look(here.clients, walk)
