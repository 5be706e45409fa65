"""Runs of pipelines and classic releases against the contract, and what only they have."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from local.azure.azuredevops_pipelines_state import Run
from local.azure.azuredevops_state import Organization, Project
from rekey.azure_devops import AzureDevOps
from rekey.consumers import azdo_pipeline
from rekey.consumers.azdo_pipeline import SCHEME, AzdoPipeline
from rekey.errors import InputError, NotYetError, PermanentError, UnclearError
from rekey.model import ConsumerTarget, Rotation
from rekey.ports import ConsumerKind
from rekey.secret_value import SecretValue
from tests.azure.contracts import needs_contracts, validate_request
from tests.consumers.contract import ConsumerContract, Forgotten, Wire
from tests.consumers.handed import Handed
from tests.core.binding import OURS, Corpus
from tests.core.company import Company
from tests.core.company import company as running

PIPELINES = "azure-devops-pipelines/specification/pipelines/7.1/pipelines.json"
RELEASES = "azure-devops-pipelines/specification/release/7.1/release.json"
PIPELINE = "smoke tests"
BRANCHES = ("refs/heads/main", "refs/heads/release/2")
MINUTE = 60.0


class HandedNothing(Handed):
    """What a run is handed: asking for the value is a failure."""

    def __init__(self) -> None:
        super().__init__("nobody asks for it")

    async def value(self) -> SecretValue:
        """Fail."""
        raise AssertionError("a pipeline is given no value")


class Dying(HandedNothing):
    """Dies once, right before keeping the note of that number."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._left = number

    async def keep(self, note: str) -> None:
        """Remember the note, or die."""
        self._left -= 1
        if self._left == -1:
            raise asyncio.CancelledError
        await super().keep(note)


def organization(company: Company) -> Organization:
    """Return the company's organisation as Azure DevOps keeps it."""
    return company.azure.cloud.azuredevops.organizations[company.scenario.organization]


def project(company: Company) -> Project:
    """Return the company's project as Azure DevOps keeps it."""
    (found,) = organization(company).projects.values()
    return found


def runs(company: Company) -> list[Run]:
    """Return the pipeline's runs, oldest first."""
    return list(project(company).pipelines[1].runs.values())


async def seed(company: Company, **parts: Any) -> None:
    """Give the company's project pipelines or releases that use its service connection."""
    scenario = company.scenario
    rights = {scenario.project: ["administer", "queue-builds", "create-releases"]}
    body = {"members": {"rekey": {"projects": rights}}, "projects": {scenario.project: parts}}
    await company.azure.seed({"organizations": {scenario.organization: body}})


def uses(company: Company) -> list[dict[str, str]]:
    """Return what a run signs in with."""
    return [{"endpoint": company.scenario.connection}]


def place(company: Company, name: str = PIPELINE, query: str = "") -> str:
    """Return a pipeline's URI."""
    path = f"{company.scenario.organization}/{company.scenario.project}/{name}"
    return f"{SCHEME}://{path}".replace(" ", "%20") + query


async def slow(company: Company, **fields: Any) -> None:
    """Let runs take a minute."""
    body = {"uses": uses(company), "branches": BRANCHES, "seconds": MINUTE, **fields}
    await seed(company, pipelines={PIPELINE: body})


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    """Return a company with a pipeline, and a release of two stages, that use its service connection."""
    monkeypatch.setattr(azdo_pipeline, "SETTLES", 0.0)
    async with running(tmp_path, monkeypatch) as made:
        stages = {"test": {"uses": uses(made)}, "production": {}, "by hand": {"automatic": False}}
        await seed(
            made,
            pipelines={PIPELINE: {"uses": uses(made), "branches": BRANCHES}},
            releases={"ship it": {"stages": stages}},
        )
        yield made


def _no_member(company: Company) -> None:
    organization(company).members.clear()


def _no_rights(company: Company) -> None:
    organization(company).granted.clear()


def _only_viewer(company: Company) -> None:
    granted = organization(company).granted
    for key in granted:
        granted[key] &= 1 | 32 | 1024


def _disabled(company: Company) -> None:
    project(company).pipelines[1].status = "disabled"


def _paused(company: Company) -> None:
    project(company).pipelines[1].status = "paused"


def _designer(company: Company) -> None:
    project(company).pipelines[1].kind = "designerJson"


def _twice(company: Company) -> None:
    pipelines = project(company).pipelines
    pipelines[2] = dataclasses.replace(pipelines[1], id=2, folder="\\nightly")


class TestAzdoPipeline(ConsumerContract):
    """The contract; a pipeline holds no value, so that its runs are looked at instead."""

    kind = AzdoPipeline
    corpus = Corpus(
        scope={"organizations": {"Contoso": ["Shop", "Web Shop"]}},
        foreign_scope={"organizations": {"fabrikam": ["Shop"], "contoso": ["Theirs"]}},
        good={
            f"{SCHEME}://Contoso/Shop/smoke": f"{SCHEME}://contoso/Shop/smoke",
            f"{SCHEME}://contoso/Web%20Shop/smoke%20tests": f"{SCHEME}://contoso/Web%20Shop/smoke%20tests",
            f"{SCHEME}://contoso/Shop/12": f"{SCHEME}://contoso/Shop/12",
            f"{SCHEME}://contoso/Shop/sm%6Fke": f"{SCHEME}://contoso/Shop/smoke",
        },
        malformed=(
            f"{SCHEME}://contoso/Shop",
            f"{SCHEME}://contoso/Shop/",
            f"{SCHEME}://contoso/Shop/%20smoke",
            f"{SCHEME}://contoso/Shop/smoke?",
            f"{SCHEME}://contoso/Shop/smoke?branch",
            f"{SCHEME}://contoso/Shop/smoke?branch=",
            f"{SCHEME}://contoso/Shop/smoke?branch=a&branch=b",
            f"{SCHEME}://contoso/Shop/smoke?branch=..",
            f"{SCHEME}://contoso/Shop/smoke?branch=a/../b",
            f"{SCHEME}://contoso/Shop/smoke?branch=-x",
            f"{SCHEME}://contoso/Shop/smoke?branch=a%0Ab",
            f"{SCHEME}://contoso/Shop/smoke?branch=a%26b",
            f"{SCHEME}://contoso/Shop/smoke?type=build",
            f"{SCHEME}://contoso/Shop/smoke?type=release&branch=main",
            f"{SCHEME}://contoso/Shop/smoke?variables=x",
        ),
        foreign=f"{SCHEME}://fabrikam/Shop/smoke",
    )
    forgotten = (
        Forgotten(_no_member, "unauthorized", "Add the app's identity to the Azure DevOps organization"),
        Forgotten(_no_rights, "no-pipeline", "Queue builds"),
        Forgotten(_only_viewer, "may-not-queue", "Queue builds"),
        Forgotten(_disabled, "pipeline-not-enabled", "Enable it"),
        Forgotten(_paused, "pipeline-not-enabled", "Enable it"),
        Forgotten(_designer, "not-yaml", "?type=release"),
        Forgotten(_twice, "ambiguous-name", "one of 1, 2"),
    )
    writes = Wire("azuredevops", "POST")

    def uri(self, rotation: Rotation) -> str:
        """Return the pipeline's URI."""
        connection = rotation.policy.consumers[0].uri.removeprefix("azdo-service-connection://")
        organization_name, project_name, _ = connection.split("/")
        return f"{SCHEME}://{organization_name}/{project_name}/smoke%20tests"

    def held(self, company: Company) -> str:  # noqa: ARG002 - a pipeline is given no value
        """Return nothing: a pipeline is given no value."""
        return ""

    def blank(self, company: Company, state: dict[str, Any]) -> None:
        """Take out the runs."""
        told = state["azuredevops"]["organizations"][company.scenario.organization]
        told["projects"][company.scenario.project]["pipelines"][PIPELINE]["runs"] = []

    def add_unknown(self, company: Company) -> None:
        """Add nothing: nothing is written back."""

    def delete(self, company: Company) -> None:
        """Delete the pipeline."""
        project(company).pipelines.clear()

    async def test_update_changes_the_value_and_nothing_else(
        self,
        company: Company,
        consumer: ConsumerKind,
        rotation: Rotation,
        target: ConsumerTarget,
        new: Handed,  # noqa: ARG002 - the contract's signature
    ) -> None:
        """One run is queued, on the default branch, and nothing else happens; the value isn't even asked for."""
        before = self.but_for_the_value(company)
        await consumer.update(rotation, target, HandedNothing())
        assert [run.branch for run in runs(company)] == ["refs/heads/main"]
        assert self.but_for_the_value(company) == before

    async def test_second_update_converges(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation, target: ConsumerTarget, new: Handed
    ) -> None:
        """Updating twice queues one run, be it under way or done."""
        await slow(company)
        for _ in range(2):
            await consumer.update(rotation, target, new)
            assert len(runs(company)) == 1
            company.settle(MINUTE + 1)

    @pytest.mark.parametrize(
        ("status", "when"), [(429, "before"), (500, "before"), (500, "after"), (503, "before"), (503, "after")]
    )
    async def test_update_whose_answer_fails_converges(
        self,
        company: Company,
        consumer: ConsumerKind,
        rotation: Rotation,
        target: ConsumerTarget,
        new: Handed,
        status: int,
        when: str,
    ) -> None:
        """A run whose answer was lost is found again; one that was never queued is queued by the next attempt."""
        await company.fault("azuredevops", method="POST", status=status, when=when, count=None, retry_after=3)
        with pytest.raises(NotYetError if status == 429 else UnclearError):
            await consumer.update(rotation, target, new)
        sent = [method for method, _ in await company.requests("azuredevops") if method == "POST"]
        assert len(sent) == 1
        await company.clear_faults()
        await consumer.update(rotation, target, new)
        assert len(runs(company)) == 1
        assert await consumer.confirm(rotation, target, new)


async def _inspected(company: Company, uri: str = "") -> tuple[AzdoPipeline, Rotation, ConsumerTarget]:
    kind, rotation = AzdoPipeline(company.clients), await company.rotation()
    uri = kind.check_uri(uri or place(company), company.scenario.vault, company.settings)
    found = await kind.inspect(rotation, uri)
    return kind, rotation, ConsumerTarget(SCHEME, uri, found.object_id)


def _break_connection(company: Company) -> None:
    (endpoint,) = project(company).endpoints.values()
    endpoint.secrets["serviceprincipalkey"] = "wrong"


async def test_run_is_waited_for_and_its_success_is_the_confirmation(company: Company) -> None:
    """Until the run is over it is looked at every so often; then its number and where to see it are told."""
    await slow(company)
    kind, rotation, target = await _inspected(company)
    handed = HandedNothing()
    with pytest.raises(NotYetError) as unqueued:
        await kind.confirm(rotation, target, handed)
    assert unqueued.value.code == "not-queued"
    await kind.update(rotation, target, handed)
    with pytest.raises(NotYetError) as running_still:
        await kind.confirm(rotation, target, handed)
    assert running_still.value.seconds == azdo_pipeline.LOOKS_AGAIN
    company.settle(MINUTE + 1)
    scenario, origin = company.scenario, company.settings.cloud.azure_devops
    link = f"{origin}/{scenario.organization}/{scenario.project}/_build/results?buildId=1"
    assert await kind.confirm(rotation, target, handed) == f"run 1 succeeded ({link})"


async def test_failed_run_is_told_and_the_next_round_queues_a_new_one(company: Company) -> None:
    """What the connection holds decides; once that is mended, another update queues another run."""
    kind, rotation, target = await _inspected(company)
    (endpoint,) = project(company).endpoints.values()
    good = dict(endpoint.secrets)
    _break_connection(company)
    handed = HandedNothing()
    await kind.update(rotation, target, handed)
    with pytest.raises(PermanentError) as failed:
        await kind.confirm(rotation, target, handed)
    assert (failed.value.code, "run 1 ended failed, see https://" in failed.value.message) == ("run-failed", True)
    assert "the next try queues a new run" in failed.value.what_to_do
    endpoint.secrets |= good
    await kind.update(rotation, target, handed)
    assert (await kind.confirm(rotation, target, handed)).startswith("run 2 succeeded")


@pytest.mark.parametrize("outcome", ["failed", "canceled"])
async def test_every_other_end_is_an_error(company: Company, outcome: str) -> None:
    """Only success confirms anything."""
    await seed(company, pipelines={PIPELINE: {"outcome": outcome, "branches": BRANCHES}})
    kind, rotation, target = await _inspected(company)
    handed = HandedNothing()
    await kind.update(rotation, target, handed)
    with pytest.raises(PermanentError) as caught:
        await kind.confirm(rotation, target, handed)
    assert f"ended {outcome}" in caught.value.message


async def test_deleted_run_confirms_nothing(company: Company) -> None:
    """A run that retention or somebody deleted is an error, and is queued anew."""
    kind, rotation, target = await _inspected(company)
    handed = HandedNothing()
    await kind.update(rotation, target, handed)
    project(company).pipelines[1].runs.clear()
    with pytest.raises(PermanentError) as caught:
        await kind.confirm(rotation, target, handed)
    assert "run 1 is gone" in caught.value.message
    await kind.update(rotation, target, handed)
    assert (await kind.confirm(rotation, target, handed)).startswith("run 2 succeeded")


async def test_another_version_gets_a_run_of_its_own(company: Company) -> None:
    """A run for a version that isn't the published one any more, as after a rollback, confirms nothing."""
    kind, rotation, target = await _inspected(company)
    handed = HandedNothing()
    await kind.update(rotation, target, handed)
    handed.version = "another"
    with pytest.raises(NotYetError):
        await kind.confirm(rotation, target, handed)
    await kind.update(rotation, target, handed)
    assert (await kind.confirm(rotation, target, handed)).startswith("run 2 succeeded")


async def test_replica_that_does_not_know_the_run_yet_is_no_failure(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was queued just now and isn't found is looked for later: neither failed nor queued again."""
    kind, rotation, target = await _inspected(company)
    handed = HandedNothing()
    await kind.update(rotation, target, handed)
    monkeypatch.setattr(azdo_pipeline, "SETTLES", 90.0)
    known = dict(project(company).pipelines[1].runs)
    project(company).pipelines[1].runs.clear()
    for look in (kind.confirm, kind.update):
        with pytest.raises(NotYetError) as caught:
            await look(rotation, target, handed)
        assert caught.value.code == "may-be-queued"
    project(company).pipelines[1].runs |= known
    assert await kind.confirm(rotation, target, handed)
    assert len(runs(company)) == 1


async def test_run_is_queued_on_the_branch_that_is_named(company: Company) -> None:
    """A branch in the URI is the run's, with or without refs/heads."""
    for written in ("release/2", "refs/heads/release/2"):
        kind, rotation, target = await _inspected(company, place(company, query=f"?branch={written}"))
        await kind.update(rotation, target, HandedNothing())
    assert [run.branch for run in runs(company)] == ["refs/heads/release/2"] * 2


async def test_branch_that_is_not_there_is_a_permanent_error(company: Company) -> None:
    """A refusal leaves nothing to look for: the next attempt asks again at once."""
    kind, rotation, target = await _inspected(company, place(company, query="?branch=none"))
    handed = HandedNothing()
    with pytest.raises(PermanentError) as caught:
        await kind.update(rotation, target, handed)
    assert "PipelineValidationException" in caught.value.message
    assert (handed.note, runs(company)) == ("", [])


async def test_pipeline_is_found_by_id_too(company: Company) -> None:
    """Where two folders have the name, the id says which."""
    _twice(company)
    _, _, target = await _inspected(company, place(company, "2"))
    assert target.object_id == f"{project(company).id}.pipeline.2"


async def test_attempt_that_died_while_queueing_is_waited_for(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that isn't listed may still be on its way: none is queued before that is out of the question."""
    monkeypatch.setattr(azdo_pipeline, "SETTLES", 90.0)
    kind, rotation, target = await _inspected(company)
    handed = HandedNothing()
    handed.note = f"after:0:{int(time.time())}:{handed.version}"
    with pytest.raises(NotYetError) as caught:
        await kind.update(rotation, target, handed)
    assert caught.value.code == "may-be-queued"
    assert 0 < (caught.value.seconds or 0) <= 90
    handed.note = f"after:0:{int(time.time()) - 91}:{handed.version}"
    await kind.update(rotation, target, handed)
    assert [run.id for run in runs(company)] == [1]


async def test_run_of_somebody_else_after_ours_was_lost_will_do(company: Company) -> None:
    """It began later and tries out the same; earlier ones, other branches' and triggered ones don't count."""
    kind, rotation, target = await _inspected(company)
    now, pipeline = company.azure.cloud.clock.now(), project(company).pipelines[1]
    for number, branch, reason in (
        (4, BRANCHES[0], "manual"),
        (6, BRANCHES[1], "manual"),
        (7, BRANCHES[0], "individualCI"),
        (8, BRANCHES[0], "manual"),
        (9, BRANCHES[0], "manual"),
    ):
        pipeline.runs[number] = Run(number, "x", branch, now, 0, "succeeded", "somebody", reason)
    handed = HandedNothing()
    handed.note = f"after:5:0:{handed.version}"
    await kind.update(rotation, target, handed)
    assert handed.note == f"run:8:0:{handed.version}"
    assert len(runs(company)) == 5


@pytest.mark.parametrize("query", ["", "?type=release"])
@pytest.mark.parametrize("kept", [0, 1, 2])
async def test_death_at_any_note_converges_to_one(company: Company, query: str, kept: int) -> None:
    """Whenever an attempt dies between keeping and queueing, the next ones come to one run that is confirmed."""
    kind, rotation, target = await _inspected(company, place(company, "ship it" if query else PIPELINE, query))
    handed = Dying(kept)
    if kept < 2:  # an attempt keeps two notes
        with pytest.raises(asyncio.CancelledError):
            await kind.update(rotation, target, handed)
    await kind.update(rotation, target, handed)
    assert await kind.confirm(rotation, target, handed)
    assert len(runs(company)) + len(project(company).definitions[1].releases) == 1


@pytest.mark.parametrize("query", ["", "?type=release"])
@pytest.mark.parametrize("skip", [0, 1])
@pytest.mark.parametrize(
    "how",
    [
        {"reset": "answer", "when": "before"},
        {"reset": "answer", "when": "after"},
        {"malformed": "html", "when": "after"},
    ],
    ids=lambda how: "-".join(how.values()),
)
async def test_broken_answer_to_any_request_converges_to_one(
    company: Company, query: str, skip: int, how: dict[str, str]
) -> None:
    """Whichever request's answer is torn, lost or a page, attempts come to one run that is confirmed."""
    kind, rotation, target = await _inspected(company, place(company, "ship it" if query else PIPELINE, query))
    handed = HandedNothing()
    await company.fault("azuredevops", skip=skip, **how)
    said = ""
    for _ in range(3):
        with suppress(NotYetError, UnclearError, PermanentError):  # a page instead of a list is taken for a sign-in
            await kind.update(rotation, target, handed)
            said = said or await kind.confirm(rotation, target, handed)
    assert said
    assert len(runs(company)) + len(project(company).definitions[1].releases) == 1


@needs_contracts
async def test_requests_keep_to_the_specification(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent to queue a run or a release is what the published specification takes."""
    sent: list[tuple[str, Any]] = []
    call = AzureDevOps.call

    async def noted(self: AzureDevOps, method: str, path: str, *rest: Any, **named: Any) -> Any:
        if method == "POST":
            sent.append((path, named["body"]))
        return await call(self, method, path, *rest, **named)

    monkeypatch.setattr(AzureDevOps, "call", noted)
    for uri in (place(company, query="?branch=main"), place(company, "ship it", "?type=release")):
        kind, rotation, target = await _inspected(company, uri)
        await kind.update(rotation, target, HandedNothing())
    (run_path, run), (release_path, release) = sent
    version = {"api-version": "7.1"}
    validate_request(PIPELINES, f"POST /{company.scenario.organization}{run_path}", run, version)
    assert run == {"resources": {"repositories": {"self": {"refName": "refs/heads/main"}}}}
    validate_request(RELEASES, f"POST /{company.scenario.organization}{release_path}", release, version)


async def test_release_is_created_once_and_its_own_stages_are_waited_for(company: Company) -> None:
    """Stages that start by themselves have to succeed; one for people isn't waited for."""
    stages = {"test": {"uses": uses(company), "seconds": MINUTE}, "production": {}, "by hand": {"automatic": False}}
    await seed(company, releases={"ship it": {"stages": stages}})
    kind, rotation, target = await _inspected(company, place(company, "ship it", "?type=release"))
    handed = HandedNothing()
    for _ in range(2):
        await kind.update(rotation, target, handed)
    (release,) = project(company).definitions[1].releases.values()
    assert release.description == f"Rekey rotation {rotation.id}"
    with pytest.raises(NotYetError):
        await kind.confirm(rotation, target, handed)
    company.settle(MINUTE + 1)
    said = await kind.confirm(rotation, target, handed)
    assert said.startswith("release 1 succeeded (https://")
    assert said.endswith("&releaseId=1)")


@pytest.mark.parametrize("outcome", ["rejected", "canceled", "partiallySucceeded"])
async def test_release_that_ends_otherwise_is_an_error(company: Company, outcome: str) -> None:
    """A stage that doesn't succeed is told with its status."""
    await seed(company, releases={"ship it": {"stages": {"test": {"outcome": outcome}, "production": {}}}})
    kind, rotation, target = await _inspected(company, place(company, "ship it", "?type=release"))
    handed = HandedNothing()
    await kind.update(rotation, target, handed)
    with pytest.raises(PermanentError) as caught:
        await kind.confirm(rotation, target, handed)
    assert f"release 1 ended {outcome}" in caught.value.message


@pytest.mark.parametrize("when", ["before", "after"])
async def test_release_whose_answer_was_lost_is_found_by_its_description(company: Company, when: str) -> None:
    """Only a release of this rotation is taken for its own."""
    kind, rotation, target = await _inspected(company, place(company, "ship it", "?type=release"))
    handed, other = HandedNothing(), await company.rotation("22222222-2222-4222-8222-222222222222")
    await company.fault("azuredevops", method="POST", status=503, when=when)
    with pytest.raises(UnclearError):
        await kind.update(rotation, target, handed)
    await kind.update(other, target, HandedNothing())
    await kind.update(rotation, target, handed)
    releases = list(project(company).definitions[1].releases.values())
    assert sorted(r.description[-12:] for r in releases) == ["111111111111", "222222222222"]
    assert (await kind.confirm(rotation, target, handed)).startswith("release ")


@pytest.mark.parametrize(
    ("forget", "code"),
    [
        (lambda c: project(c).definitions.clear(), "no-pipeline"),
        (_only_viewer, "may-not-queue"),
        (_no_rights, "no-pipeline"),
    ],
)
async def test_release_that_cannot_be_created_is_named_before_anything_changes(
    company: Company, forget: Any, code: str
) -> None:
    """Preflight says what keeps a release from being created."""
    forget(company)
    with pytest.raises(PermanentError) as caught:
        await _inspected(company, place(company, "ship it", "?type=release"))
    assert (caught.value.code, "Create releases" in caught.value.what_to_do) == (code, True)


async def test_release_without_automatic_stage_is_refused(company: Company) -> None:
    """A release that waits for people in all its stages proves nothing."""
    await seed(company, releases={"ship it": {"stages": {"by hand": {"automatic": False}}}})
    with pytest.raises(PermanentError) as caught:
        await _inspected(company, place(company, "ship it", "?type=release"))
    assert caught.value.code == "nothing-automatic"


def test_options_have_one_normal_form() -> None:
    """A branch is named once, however it is written; nothing but a branch or the type is an option."""
    settings = TestAzdoPipeline.corpus.settings()
    base = f"{SCHEME}://contoso/Shop/smoke"
    for written, normal in (
        ("?branch=refs/heads/main", "?branch=main"),
        ("?branch=release%2F2", "?branch=release/2"),
        ("?branch=refs/tags/v1", "?branch=refs/tags/v1"),
        ("?type=release", "?type=release"),
    ):
        assert AzdoPipeline.check_uri(base + written, OURS, settings) == base + normal
        assert AzdoPipeline.check_uri(base + normal, OURS, settings) == base + normal
    with pytest.raises(InputError, match="with a branch of"):
        AzdoPipeline.check_uri(f"{base}?branch=a%20b", OURS, settings)
