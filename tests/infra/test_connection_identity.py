"""The template that makes one connection's identity by itself, for those who vend by hand."""

from typing import Any

import pytest

from rekey.clouds import CLOUDS
from rekey.federation_settings import READER, REFUSED
from tests.infra.bicep_defaults import at
from tests.infra.bicep_source import Template, parts, source
from tests.infra.bicep_values import RefusedError, worked_out
from tests.infra.deployment import INFRA, OTHER, SUBSCRIPTION, written

PATH = INFRA / "modules" / "connection-identity.bicep"
SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-shop"


def known(cloud: str = "AzureCloud", **given: Any) -> dict[str, Any]:
    """Return every name of the template with its value, for these parameters."""
    found: dict[str, Any] = {
        "environment": lambda: {"name": cloud},
        "subscription": lambda: {"tenantId": OTHER},
        "resourceGroup": lambda: {"location": "westeurope"},
        "identity": {"properties": {"clientId": "client", "principalId": "principal"}},
        "access": {"outputs": {"subscriptionName": "Shop"}},
    }
    for node in Template(PATH).statements("parameter_declaration"):
        name, _, *default = parts(node)
        found |= {source(name): worked_out(source(default[0]), found)} if default else {}
    found |= {
        "name": "id-shop",
        "issuer": "https://issuer/",
        "subject": "sc://Contoso/Shop/prod",
        "scope": SCOPE,
    } | given
    for node in Template(PATH).statements("variable_declaration"):
        found[source(parts(node)[0])] = worked_out(source(parts(node)[1]), found)
    return found


def test_it_trusts_exactly_what_the_connection_shows() -> None:
    """Issuer and subject are handed on as they are given; the audience is the code's in each cloud."""
    trust = Template(PATH).resources["trust"]
    for name in ("issuer", "subject"):
        assert getattr(at(trust.body, f"properties.{name}"), "text", "") == name
    for cloud, name in worked_out(written("clouds"), {}).items():
        assert known(cloud)["audience"] == CLOUDS[name].exchange_audience
    assert {"@minLength(1)"} <= set(Template(PATH).parameters["subject"].decorators)


def test_it_says_what_the_connection_asks_for() -> None:
    """Client id, tenant and the scope's subscription are put out, as the form of a new connection wants them."""
    outputs = {name: worked_out(source(node), known()) for name, node in Template(PATH).outputs.items()}
    assert outputs == {
        "clientId": "client",
        "principalId": "principal",
        "tenantId": OTHER,
        "subscriptionId": SUBSCRIPTION,
        "subscriptionName": "Shop",
    }


def test_it_gets_one_role_in_one_group() -> None:
    """The role is Reader unless another one is chosen, for this identity, in the resource group of the scope."""
    module = Template(PATH).modules["access"]
    assert worked_out(getattr(module.body["scope"], "text", ""), known() | {"resourceGroup": lambda *at: at}) == (
        SUBSCRIPTION,
        "rg-shop",
    )
    assert known()["granted"] == READER
    assert known(role=OTHER)["granted"] == OTHER
    assert getattr(at(module.body, "params.role"), "text", "") == "granted"
    assignment = Template(PATH.with_name("connection-role.bicep")).resources["assignment"]
    assert getattr(assignment.body["scope"], "text", "") == "resourceGroup()"
    assert getattr(at(assignment.body, "properties.principalId"), "text", "") == "principalId"
    assert at(assignment.body, "properties.principalType") == "ServicePrincipal"


@pytest.mark.parametrize("role", REFUSED)
def test_a_role_that_can_grant_all_others_fails_the_deployment(role: str) -> None:
    """Owner and those like it are nothing for a pipeline."""
    with pytest.raises(RefusedError, match="never granted"):
        known(role=role.upper())
