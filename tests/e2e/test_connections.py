"""The audit of service connections on the real host: the timer starts it, operators get the report and one mail."""

from typing import Any

from local.processes import wait_until
from rekey import names
from tests.e2e.company import Company

TIMER = f"/admin/functions/{names.AUDIT_SERVICE_CONNECTIONS}_timer"


def audited(company: Company) -> dict[str, Any]:
    """Let the timer start one audit and return its output when it has ended."""
    last = (company.status(names.AUDIT_SERVICE_CONNECTIONS).get("output") or {}).get("run_id")
    company.ask("POST", TIMER, {"input": ""}, expected=202)

    def over() -> bool:
        return (company.status(names.AUDIT_SERVICE_CONNECTIONS).get("output") or {}).get("run_id") not in {None, last}

    wait_until(over, "the audit is over", timeout=120)
    output: dict[str, Any] = company.status(names.AUDIT_SERVICE_CONNECTIONS)["output"]
    return output


def test_a_drifted_connection_is_reported_and_told(company: Company) -> None:
    """It is in the report with its finding, a managed one with its secret; operators get one mail, the owner none."""
    managed = company.manage()
    drifted = f"drifted-{managed.connection}"
    endpoint = {
        "application": managed.application,
        "scheme": "WorkloadIdentityFederation",
        "federated_credential": "none",
    }
    project = {"projects": {managed.project: {"endpoints": {drifted: endpoint}}}}
    company.stack.control.seed({"organizations": {company.scenario.organization: project}})
    output = audited(company)
    report = company.ask("GET", "/api/service-connections?top=1000")
    assert (output["result"], report["run_id"]) == ("told", output["run_id"])
    rows = {row["connection"]: row for row in report["connections"]}
    assert rows[drifted]["findings"] == ["no-federated-credential"]
    assert rows[managed.connection]["managed_by"] == f"{managed.vault}/{managed.secret}".lower()
    (mail,) = [m for m in company.stack.control.outbox() if drifted in m["text"]]
    assert mail["subject"].startswith("[Rekey] service connections: ")
    assert mail["to"] == [company.scenario.operator]
