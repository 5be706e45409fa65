"""Service connections come to need no secret, end to end: in place, repaired, side by side, vended, and back again."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from local.changes import beyond
from local.leaks import scan, secrets_of, sinks
from local.processes import wait_until
from local.stack import Stack
from rekey import names
from rekey.model.federation import Mode, Target
from tests.e2e.company import DURABLE, QUICK, Company
from tests.e2e.managed import Managed
from tests.faults.federation_scenario import APPROVED_BY, ASKED_BY, ROLE, SHOP, FederationScenario

SCHEME = "WorkloadIdentityFederation"
WRITTEN = (r"azuredevops/.*/endpoints/[^/]*/(updates/|document/(modificationDate|modifiedBy))", "eventgrid/deliveries/")
"""What every write leaves behind, whatever it wrote, and what becomes of events of before."""


def federate(company: Company, managed: Managed, **more: str) -> str:
    """Ask for a managed secret's connection to need none, and return the instance that deals with it."""
    place = {"organization": company.scenario.organization, "project": managed.project}
    body = {**place, "connection": managed.connection, "soak": "PT1S", **more}
    instance: str = company.ask("POST", "/api/service-connections/federate", body, expected=202)["instance"]
    return instance


def record(company: Company, instance: str) -> dict[str, Any]:
    """Return the evidence of a federation."""
    found: dict[str, Any] = company.ask("GET", f"/api/federations/{instance}")["record"]
    return found


def kept(company: Company, instance: str) -> dict[str, bytes]:
    """Return what is kept or told of one federation: place -> content."""
    history = f"{DURABLE}/instances/{instance}?showInput=true&showHistory=true&showHistoryOutput=true"
    places = {
        "history": company.ask("GET", history),
        "evidence": record(company, instance),
        "mails": company.stack.control.outbox(),
        "log": company.log(),
    }
    return {place: json.dumps(content).encode() for place, content in places.items()}


def soaking(company: Company, instance: str) -> None:
    """Wait until the new way is proven and the way back open."""

    def there() -> bool:
        return (company.status(instance).get("customStatus") or {}).get("step") == names.SOAK

    wait_until(there, f"{instance} is soaking")


def told(company: Company, connection: str) -> list[str]:
    """Return which notices of federations were mailed about a connection, in their order."""
    mails = [mail["subject"] for mail in company.stack.control.outbox() if connection in mail["subject"]]
    return [subject.removeprefix("[Rekey] ").split(":")[0] for subject in mails]


def test_in_place_the_secret_is_gone_and_nothing_else(company: Company) -> None:
    """Converted, trusted, proven by itself; after the soak its password is removed; nothing else is touched or told."""
    managed = company.manage()
    company.rotate(managed)  # the password is Rekey's own
    (password,) = managed.working()
    before = company.stack.control.state()
    instance = federate(company, managed)
    ended = company.finished(instance)
    assert (ended["runtimeStatus"], ended["output"]["result"]) == ("Completed", "done")
    endpoint = managed.endpoint()
    assert (endpoint["document"]["authorization"]["scheme"], endpoint["secrets"]) == (SCHEME, {})
    assert company.verify_button(managed)["statusCode"] == "ok"
    assert (managed.working(), managed.signs_in(password)[0]) == ([], 401)
    assert told(company, managed.connection) == ["starting", "converted", "done"]
    mine = f"azuredevops/.*/endpoints/{managed.connection}/(secrets/|document/(authorization|data)/)"
    trust = f"entra/applications/{managed.application}/(federated_credentials/|passwords/1/removed$)"
    after = company.stack.control.state()
    assert beyond((*WRITTEN, mine, trust, "email/outbox/"), before, after) == []
    assert record(company, ended["output"]["federation_id"])["result"] == "done"
    assert scan(kept(company, instance), {password}) == []
    rotated = company.rotate(managed)
    assert (rotated["output"]["result"], len(managed.passwords())) == ("nothing-left", 2)


def test_reverted_in_the_soak_everything_is_as_before(company: Company) -> None:
    """An operator wants it back: the connection is on its secret, Entra trusts nothing more, the secret rotates on."""
    managed = company.manage()
    before = company.stack.control.state()
    instance = federate(company, managed, soak="P7D")
    soaking(company, instance)
    assert managed.endpoint()["secrets"] == {}
    company.ask("POST", f"/api/federations/{instance}/revert")
    ended = company.finished(instance)
    assert ended["output"]["result"] == "reverted"
    assert company.verify_button(managed)["statusCode"] == "ok"
    assert beyond((*WRITTEN, "email/outbox/"), before, company.stack.control.state()) == []
    assert told(company, managed.connection) == ["starting", "converted", "reverted"]
    assert company.rotate(managed)["output"]["result"] == "done"


def test_a_subject_of_the_wrong_case_is_repaired(company: Company) -> None:
    """Entra compares to the letter: a credential that fits is made, and the connection signs in again."""
    managed = company.manage()
    seed = {"application": managed.application, "scheme": SCHEME, "issuer": "azure-devops"}
    endpoint = {managed.connection: seed | {"federated_credential": "wrong-case"}}
    organization = {"projects": {managed.project: {"endpoints": endpoint}}}
    company.stack.control.seed({"organizations": {company.scenario.organization: organization}})
    assert "AADSTS7002138" in company.verify_button(managed)["errorMessage"]
    ended = company.finished(federate(company, managed, mode="repair"))
    assert ended["output"]["result"] == "done"
    assert company.verify_button(managed)["statusCode"] == "ok"
    presented = managed.endpoint()["document"]["authorization"]["parameters"]["workloadIdentityFederationSubject"]
    assert presented in [one["subject"] for one in managed.registration()["federated_credentials"].values()]
    assert len(managed.working()) == 1


@pytest.fixture(scope="module")
def vending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Run the function app whose duty is vending, in a company of its own."""
    scenario = FederationScenario(mode=Mode.SIDE_BY_SIDE, target=Target.MANAGED_IDENTITY, soak="PT1S")
    with Stack(tmp_path_factory.mktemp("vending"), scenario, QUICK) as stack:
        stack.control.propagation("entra", seconds=0)
        stack.control.propagation("graph", seconds=0, conflict_seconds=0)
        stack.store_secret(raise_event=False)
        yield Company(stack, [])


def asked_for(vending: Company, what: str, scenario: FederationScenario) -> str:
    """Ask for what grants roles, see that only somebody else can approve it, and return the instance."""
    stack, body = vending.stack, {name: value for name, value in scenario.request.items() if name != "requested_by"}
    assert stack.call("POST", f"/api/service-connections/{what}", body)[0] == 403
    status, answer = stack.call("POST", f"/api/service-connections/{what}", body, caller=ASKED_BY)
    assert status == 202, answer
    instance: str = answer["instance"]

    def waits() -> bool:
        return (vending.status(instance).get("customStatus") or {}).get("step") == names.APPROVAL

    wait_until(waits, f"{instance} waits for an approval")
    approve = f"/api/federations/{record(vending, instance)['federation']['id']}/approve"
    assert [stack.call("POST", approve, caller=who)[0] for who in ("", ASKED_BY, APPROVED_BY)] == [403, 403, 200]
    return instance


def project_of(vending: Company, state: dict[str, Any]) -> dict[str, Any]:
    """Return the one project of a state."""
    organization = state["azuredevops"]["organizations"][vending.scenario.organization]
    found: dict[str, Any] = organization["projects"][vending.scenario.project]
    return found


def roles(state: dict[str, Any], identity: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the roles of a managed identity, each with what it is for."""
    held = state["arm"]["Microsoft.Authorization"].values()
    return [(one["role"], one["scope"]) for one in held if one["object_id"] == identity["object_id"]]


def presented(endpoint: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the one issuer and subject that a connection presents."""
    parameters = endpoint["document"]["authorization"]["parameters"]
    return [(parameters["workloadIdentityFederationIssuer"], parameters["workloadIdentityFederationSubject"])]


def trusted(holder: dict[str, Any]) -> list[tuple[str, str]]:
    """Return whom an application or a managed identity trusts."""
    return [(one["issuer"], one["subject"]) for one in holder["federated_credentials"].values()]


def test_side_by_side_another_connection_takes_its_place(vending: Company) -> None:
    """Approved by somebody else: an identity gets roles, the new one checks and permissions, the old one goes."""
    scenario = vending.scenario
    assert isinstance(scenario, FederationScenario)
    before = vending.stack.control.state()
    old = project_of(vending, before)["endpoints"][scenario.connection]
    ended = vending.finished(asked_for(vending, "federate", scenario))
    assert (ended["runtimeStatus"], ended["output"]["result"]) == ("Completed", "done")
    after = vending.stack.control.state()
    project, identity = project_of(vending, after), after["entra"]["identities"][scenario.deployer]
    assert list(project["endpoints"]) == [scenario.replacement]
    new = project["endpoints"][scenario.replacement]
    assert (new["permitted"], new["secrets"], "rekey/" in new["document"]["description"]) == (
        old["permitted"],
        {},
        True,
    )
    guards = [(check["type"]["name"], check["resource"]["id"]) for check in project["checks"].values()]
    assert guards == [("ExclusiveLock", new["id"])]
    assert (trusted(identity), roles(after, identity)) == (presented(new), [(ROLE, SHOP)])
    mine = "azuredevops/.*/(endpoints|checks)/|email/outbox/|arm/Microsoft.Authorization/"
    assert beyond((mine, f"entra/identities/{scenario.deployer}/federated_credentials/"), before, after) == []
    assert told(vending, scenario.connection) == ["needs approval", "starting", "replaced", "done"]


def test_a_vended_connection_never_has_a_secret_nor_has_its_twin(vending: Company) -> None:
    """One request makes two, each with identity and role of its own, for no pipeline yet; the twin may only read."""
    scenario = vending.scenario
    assert isinstance(scenario, FederationScenario)
    wanted = replace(scenario, mode=Mode.VEND, twin=True)
    before = vending.stack.control.state()
    ended = vending.finished(asked_for(vending, "vend", wanted))
    assert (ended["runtimeStatus"], ended["output"]["result"]) == ("Completed", "done")
    after = vending.stack.control.state()
    made = after["entra"]["identities"].keys() - before["entra"]["identities"].keys()
    by_client = {one["client_id"]: one for name, one in after["entra"]["identities"].items() if name in made}
    for name, role in ((wanted.vended, ROLE), (f"{wanted.vended}-readonly", "Reader")):
        new = project_of(vending, after)["endpoints"][name]
        identity = by_client.pop(new["document"]["authorization"]["parameters"]["serviceprincipalid"])
        assert (new["secrets"], new["permitted"]) == ({}, {})
        assert (trusted(identity), roles(after, identity)) == (presented(new), [(role, SHOP)])
    assert by_client == {}
    mine = f"azuredevops/.*/endpoints/{wanted.vended}|email/outbox/|arm/Microsoft.(Authorization|ManagedIdentity)/"
    assert beyond((mine, f"entra/identities/({'|'.join(made)})/"), before, after) == []
    assert scan(sinks(vending.stack), secrets_of(vending.stack)) == []
