"""Nothing a rotation touches is written anywhere: at DEBUG, through failures of every service, through refusals."""

from collections.abc import Iterator
from typing import Any

import pytest

from local import leaks
from tests.e2e.company import LOCKED, Company, running
from tests.e2e.managed import Managed

WRITES = (
    ("graph", {"method": "POST", "path": "/addPassword", "when": "after"}),
    ("graph", {"method": "POST", "path": "/removePassword"}),
    ("keyvault", {"method": "PUT", "path": "/secrets/staged-", "when": "after"}),
    ("keyvault", {"method": "PUT", "path": "/secrets/deploy-", "when": "after"}),
    ("keyvault", {"method": "DELETE", "path": "/secrets/staged-"}),
    ("azuredevops", {"method": "PUT", "path": "/endpoints/", "when": "after"}),
    ("azuredevops", {"method": "POST", "path": "/endpointproxy"}),
)
"""Requests that carry a value or whose answer does, each of which fails once, most after it was done."""


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    """Run a company whose app and host log everything they can; what lags behind nothing isn't waited for."""
    with running(LOCAL_HOST_LOG_LEVEL="Debug", LOCAL_HOST_LONGEST_TIMER="2") as found:
        yield found


def test_a_rotation_leaves_no_secret_anywhere(company: Company) -> None:
    """From the event to the last notice no password, old or new, and no access token is kept or shown."""
    managed = company.manage(event=True)
    managed.ends("done")
    _clean(company, managed)


def test_failing_services_leave_no_secret_anywhere(company: Company) -> None:
    """What the app says of a failed request, over and over, holds nothing of what was in it."""
    managed = company.manage()
    for service, where in WRITES:
        company.stack.control.fault(service, status=503, **where)
    company.stack.control.fault("entra", status=429, retry_after=1)
    company.stack.control.fault("email", status=500)
    status = company.rotate(managed)
    assert status["output"]["result"] == "done", status
    assert [f for f in company.stack.control.faults() if not f["hits"]] == []
    company.stack.control.clear_faults()
    assert managed.working() == [managed.value()]
    _clean(company, managed)


@pytest.mark.parametrize("refused", [{"project": LOCKED}, {"application": {"owners": []}}])
def test_refusals_leave_no_secret_anywhere(company: Company, refused: dict[str, Any]) -> None:
    """Neither does what Azure DevOps or Graph says to an identity that lacks a permission."""
    managed = company.manage(**refused)
    assert company.rotate(managed)["runtimeStatus"] == "Failed"
    _clean(company, managed)


def test_a_password_in_a_tag_is_not_passed_on(company: Company) -> None:
    """Somebody pastes the secret's value into a tag, whichever: what is told names the tag and not the value."""
    tags = ("rekey-grace", "rekey-owners", "rekey-consumer-1", "azureADAppId", "rekey-{}")
    _clean(company, *(_refused_with_its_value_in(company, tag) for tag in tags))


def _refused_with_its_value_in(company: Company, tag: str) -> Managed:
    managed = company.manage()
    value = managed.value()
    company.store(managed, tags=managed.versions()[-1]["tags"] | {tag.format(value): f"it is {value}"})
    assert company.rotate(managed)["runtimeStatus"] == "Failed", tag
    assert managed.told() == ["bad policy"], tag
    assert "(the secret's own value)" in " ".join(managed.mails()[0]["text"].split()), tag
    return managed


def _clean(company: Company, *all_managed: Managed) -> None:
    """Look through all that is kept, once: that takes as long as everything else."""
    secrets = leaks.secrets_of(company.stack)
    assert {v["value"] for managed in all_managed for v in managed.versions()} <= secrets
    sinks = leaks.sinks(company.stack)
    assert {"durable store", "mails", "file host.log"} <= set(sinks)
    assert leaks.scan(sinks, secrets) == []
