"""There is a demo of every kind, and each ends well.

A whole demo takes as long as a dozen other tests, so that the suite has only the one in test_demo.py; kinds have whole
rotations of their own beside their tests. `make demos` runs all.
"""

from typing import Any

import pytest

from local.kinds.catalogue import COMPANIES, company_for
from rekey.policy import read_policy
from rekey.registry import CONSUMER_KINDS, CREDENTIAL_KINDS
from rekey.settings import Settings, read
from tests.demo.run import Starts, in_order

MARKED = [pytest.param(kind, marks=pytest.mark.demos) for kind in sorted(COMPANIES)]
DESCRIPTION: dict[str, Any] = {
    "urls": {name: f"https://{name}.localhost:1" for name in ("entra", "graph", "management", "azuredevops")}
    | {"azuredevops_release": "https://vsrm.localhost:1"},
    "port": 1,
    "identity_endpoint": "http://127.0.0.1:2/msi/token",
    "identity_header": "header",
    "ca": "ca.pem",
    "tenant": "22222222-2222-4222-8222-222222222222",
}
CLIENT = "33333333-3333-4333-8333-333333333333"
PREPARED = ["read_policy", "open_record", "preflight", "notify_owners", "generate_credential", "verify_credential"]
PUBLISHED = ["set_secret_version", "disable_old_version"]
ENDED = ["grace", "check_old_credential_use", "retire_old_credential", "notify_owners", "close_record"]


def test_every_kind_there_is_has_a_company() -> None:
    """No kind that is registered was forgotten, and none is shown that isn't."""
    assert set(COMPANIES) == {*CREDENTIAL_KINDS, *CONSUMER_KINDS}


@pytest.mark.parametrize("kind", sorted(COMPANIES))
def test_company_has_to_do_with_its_kind(kind: str) -> None:
    """The tags of its secret are a policy that names the kind, and the consumers that are judged are those it names."""
    scenario = company_for(kind)
    document = scenario.managed_secret(CLIENT, DESCRIPTION["urls"]["azuredevops"])
    tags = document["vaults"][scenario.vault]["secrets"][scenario.secret]["tags"]
    settings: Settings = read(scenario.settings(DESCRIPTION, CLIENT, CLIENT, "UseDevelopmentStorage=true"))
    policy = read_policy(scenario.vault, tags, settings)
    assert kind in {policy.credential.kind, *(consumer.kind for consumer in policy.consumers)}
    assert {consumer.uri for consumer in policy.consumers} == {consumer.uri() for consumer in scenario.consumers}


@pytest.mark.parametrize("kind", MARKED)
def test_whole_rotation_of_a_kind_is_shown_and_judged(kind: str, demo: Starts) -> None:
    """A run walks the same runbook, finds nothing wrong and no secret anywhere, and says nothing that isn't so."""
    run = demo("--json", "--kind", kind)
    code, told = run.result()
    assert (code, told["ok"], told["leaks"]) == (0, True, []), run.progress
    assert {check["ok"] for check in told["checks"]} == {True}
    steps = in_order(told["steps"])
    assert steps[: len(PREPARED) + len(PUBLISHED)] == PREPARED + PUBLISHED
    assert steps[-len(ENDED) :] == ENDED
    assert [word for word in ("NOT SO", "ANOTHER", "\x1b") if word in run.progress] == []
    assert all(step["detail"] for step in told["steps"])
