"""The demo of a connection that comes to need no secret, as people start it, and what it is judged by."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace as but

from local.answer import Answer
from local.federation_judge import FederationSeen, checks
from local.federation_scenario import FederationScenario
from local.leaks import Leak
from rekey.federation.records import CLOSED, FederationRecord
from rekey.model.federation import Federation
from rekey.model.federation_request import Mode
from tests.demo.run import Starts, in_order

ORDER = [
    "read_connection",
    "open_federation",
    "find_identity",
    "check_connection",
    "notify_owners",
    "convert_connection",
    "trust_connection",
    "prove_connection",
    "notify_owners",
    "soak",
    "prove_connection",
    "retire_secrets",
    "notify_owners",
    "close_federation",
]
SCENARIO = FederationScenario()
ISSUER, SUBJECT = "https://login.microsoftonline.com/t/v2.0", "/eid1/c/pub/t/a/sc/o/e"
OK = Answer(200, "ok")
NOW = datetime(2026, 11, 21, 17, 0, tzinfo=UTC)


@pytest.mark.demos
def test_conversion_is_shown_and_judged(demo: Starts) -> None:
    """A run shows audit, plan and every step, finds nothing wrong and no secret, and keeps what it is judged by."""
    run = demo("--json", "--kind", "federation")
    code, told = run.result()
    assert (code, told["ok"], told["leaks"]) == (0, True, []), run.progress
    assert in_order(told["steps"]) == ORDER
    assert [word for word in ("NOT SO", "\x1b") if word in run.progress] == []
    assert all(step["detail"] for step in told["steps"])
    folder = Path(told["folder"])
    evidence = json.loads((folder / "evidence.json").read_text())
    assert (evidence["federation"]["id"], evidence["result"]) == (told["federation"], "done")
    assert len(list((folder / "mails").glob("*-done.html"))) == 1


def _mail(kind: str, to: list[str]) -> dict[str, Any]:
    name = f"{SCENARIO.organization}/{SCENARIO.project}/{SCENARIO.connection}"
    subject = f"[Rekey] {kind}: {name}"
    return {"at": NOW.isoformat(), "to": to, "subject": subject, "text": "", "html": "", "duplicates": 0}


def _state(authorization: dict[str, Any], secrets: dict[str, str], removed: str | None) -> dict[str, Any]:
    password = {"key_id": "k", "display_name": None, "start": NOW.isoformat(), "end": NOW.isoformat(), "value": "v"}
    trust = {} if removed is None else {"rekey-1": {"issuer": ISSUER, "subject": SUBJECT}}
    application = {"client_id": "c", "passwords": [{**password, "removed": removed}], "federated_credentials": trust}
    endpoint = {"id": "e", "secrets": secrets, "document": {"authorization": authorization}}
    project = {"endpoints": {SCENARIO.connection: endpoint}, "pipelines": {SCENARIO.pipeline: {"id": 1, "runs": []}}}
    return {
        "entra": {"tenant": "t", "applications": {SCENARIO.application: application}},
        "keyvault": {"vaults": {}},
        "azuredevops": {"organizations": {SCENARIO.organization: {"projects": {SCENARIO.project: project}}}},
        "email": {"outbox": []},
        "eventgrid": {"events": [], "deliveries": []},
    }


def _seen(**changes: Any) -> FederationSeen:
    """Return what somebody sees who looks at a company whose conversion went well, with changes."""
    before = _state({"scheme": "ServicePrincipal", "parameters": {}}, {"serviceprincipalkey": "v"}, None)
    presents = {"workloadIdentityFederationIssuer": ISSUER, "workloadIdentityFederationSubject": SUBJECT}
    after = _state({"scheme": "WorkloadIdentityFederation", "parameters": presents}, {}, NOW.isoformat())
    people = [SCENARIO.owner, SCENARIO.developer, SCENARIO.operator]
    after["email"]["outbox"] = [_mail(kind, people) for kind in ("starting", "converted", "done")]
    walk = Federation(
        id="f",
        instance="federate.o.p.c",
        mode=Mode.IN_PLACE,
        organization=SCENARIO.organization,
        project=SCENARIO.project,
        started=NOW,
    )
    record = FederationRecord(federation=walk, deployment="local", opened=NOW, state=CLOSED, result="done")
    whole: dict[str, Any] = {
        "scenario": SCENARIO,
        "before": before,
        "after": after,
        "tested": OK,
        "ran": (OK, OK, OK),
        "old_password": Answer(401, "AADSTS7000215: Invalid client secret provided."),
        "reported": ({"way": "secret", "findings": ["secret"]}, {"way": "federated", "findings": []}),
        "rotated": "nothing-left",
        "records": (record,),
        "leaks": (),
    }
    return FederationSeen(**{**whole, **changes})


def _after(change: Any) -> dict[str, Any]:
    state = deepcopy(_seen().after)
    change(state)
    return state


def _endpoint(state: dict[str, Any]) -> dict[str, Any]:
    project = state["azuredevops"]["organizations"][SCENARIO.organization]["projects"][SCENARIO.project]
    found: dict[str, Any] = project["endpoints"][SCENARIO.connection]
    return found


def _application(state: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = state["entra"]["applications"][SCENARIO.application]
    return found


def test_a_conversion_that_went_well_is_judged_so() -> None:
    """Every check holds."""
    assert [(check.name, check.seen) for check in checks(_seen()) if not check.ok] == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("the audit saw its secret, and then none", {"reported": ({"way": "secret", "findings": []},) * 2}),
        (
            "Azure DevOps holds no secret for it",
            {"after": _after(lambda s: _endpoint(s)["secrets"].update(serviceprincipalkey="v"))},
        ),
        (
            "Entra trusts exactly what it presents",
            {"after": _after(lambda s: _application(s)["federated_credentials"]["rekey-1"].update(subject="/EID1"))},
        ),
        ("it signs in without a secret", {"tested": Answer(400, "AADSTS70021")}),
        ("the pipeline works all the way", {"ran": (OK, Answer(400, "failed"), OK)}),
        ("its old password is removed and refused", {"old_password": Answer(200, "a token")}),
        ("the managed secret stops rotating", {"rotated": "done"}),
        ("each mail went once, to the right people", {"after": _after(lambda s: s["email"]["outbox"].pop())}),
        (
            "nothing else in the company changed",
            {"after": _after(lambda s: s["entra"]["applications"].update(other={"client_id": "o", "passwords": []}))},
        ),
        ("the evidence is stored, closed as done", {"records": (but(_seen().records[0], result="failed"),)}),
        ("no secret leaked anywhere", {"leaks": (Leak("host.log", "Zq8... (40 characters)", "plain"),)}),
    ],
)
def test_what_is_not_as_it_should_be_is_found(name: str, changes: dict[str, Any]) -> None:
    """One thing that is wrong makes its own check fail, and no other."""
    assert [check.name for check in checks(_seen(**changes)) if not check.ok] == [name]
