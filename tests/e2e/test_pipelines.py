"""A rotation whose last consumer is a pipeline: it runs once, after all else has the new password, and proves it."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.e2e.company import Company
from tests.e2e.managed import Managed

GROUP = "deploy settings"
PIPELINE = "smoke tests"


@dataclass(frozen=True)
class Piped:
    """A secret that was rotated, with what Azure DevOps holds of its group and its pipeline, and the record."""

    managed: Managed
    group: dict[str, Any]
    pipeline: dict[str, Any]
    record: dict[str, Any]


@pytest.fixture(scope="module")
def piped(company: Company) -> Piped:
    """Return a secret that was rotated into a connection and a variable group, which a pipeline then uses."""
    organization, project = company.scenario.organization, company.scenario.project
    place = f"{organization}/{project}"
    tags = {
        "rekey-consumer-1": f"azdo-pipeline://{place}/smoke%20tests",
        "rekey-consumer-2": f"azdo-variable-group://{place}/deploy%20settings/CLIENT_SECRET",
    }
    managed = company.manage(tags=tags)
    variable = {"value": {"password_of": managed.application}, "secret": True}
    uses = [
        {"endpoint": managed.connection},
        {"group": GROUP, "variable": "CLIENT_SECRET", "application": managed.application},
    ]
    body = {
        "members": {"rekey": {"projects": {project: ["administer", "library-administrator", "queue-builds"]}}},
        "projects": {
            project: {
                "variable_groups": {GROUP: {"variables": {"CLIENT_SECRET": variable}}},
                "pipelines": {PIPELINE: {"uses": uses}},
            }
        },
    }
    company.stack.control.seed({"organizations": {organization: body}})
    status = company.rotate(managed)
    assert status["runtimeStatus"] == "Completed", status
    held = company.stack.control.state()["azuredevops"]["organizations"][organization]["projects"][project]
    return Piped(managed, held["variable_groups"][GROUP], held["pipelines"][PIPELINE], managed.records()[0])


def test_the_pipeline_ran_once_with_what_was_switched(piped: Piped) -> None:
    """One run was queued, after the group was written, and succeeded with what connection and group held."""
    (run,), (written,) = piped.pipeline["runs"], piped.group["updates"]
    assert piped.group["secrets"]["CLIENT_SECRET"] == piped.managed.value()
    assert (run["result"], run["queued"] > written["at"]) == ("succeeded", True)


def test_the_record_says_which_run_it_was(piped: Piped) -> None:
    """The evidence names the run and where to see it, and what can't be known of a secret variable."""
    confirmed = {e["detail"]["uri"].partition(":")[0]: e["detail"]["confirmed_by"] for e in _confirmed(piped.record)}
    number = piped.pipeline["runs"][0]["id"]
    assert confirmed["azdo-pipeline"].startswith(f"run {number} succeeded (https://")
    assert "only a run can prove it" in confirmed["azdo-variable-group"]
    assert list(confirmed)[-1] == "azdo-pipeline"
    assert any(note.startswith(f"run:{number}:") for note in piped.record["notes"].values())


def _confirmed(record: dict[str, Any]) -> list[dict[str, Any]]:
    return [e for e in record["entries"] if e["step"] == "confirm_consumer" and e["outcome"] == "ok"]
