"""What a deployment hands to the app and where it grants roles, worked out from parameters as Bicep would."""

import json
import re
from typing import Any

import pytest

from rekey import settings
from tests.infra.bicep_values import worked_out
from tests.infra.deployment import GUID, INFRA, OTHER, SUBSCRIPTION, SUFFIXES, deployed, names


def vault(**more: Any) -> dict[str, Any]:
    """Return a vault as a parameter, with what it may name."""
    return {"name": "kv-a", "resourceGroup": "rg-a", "location": "westeurope", **more}


def resource(kind: str, name: str) -> str:
    """Return an ARM id."""
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-Shop/providers/{kind}/{name}"


def test_the_app_accepts_what_the_example_deploys() -> None:
    """The app's own reading of its settings takes what the example's parameters become."""
    read = settings.read(deployed())
    assert [(scope.vaults, scope.organizations) for scope in read.scopes] == [(("kv-shop",), {"contoso": ("Shop",)})]
    assert read.scopes[0].applications == (GUID,)
    assert read.scopes[0].resources[0].endswith("/storageAccounts/shopdata")
    assert read.operators == ("platform@contoso.example",)
    assert set(read.identities.values()) == {GUID}
    assert read.storage == "https://rekeyabc.blob.core.windows.net"


@pytest.mark.parametrize("cloud", SUFFIXES)
def test_the_app_accepts_what_is_deployed_in_every_cloud(cloud: str) -> None:
    """Cloud, storage and mail fit together in each of Azure's environments."""
    read = settings.read(deployed(cloud))
    assert read.storage == f"https://rekeyabc.blob.{read.cloud.storage_suffix}"


def test_an_empty_environment_means_the_strictest_settings() -> None:
    """A vault without anything it may name gets a scope that allows nothing, and still starts."""
    read = settings.read(deployed(vaults=[vault()]))
    assert read.scopes == (settings.Scope(vaults=("kv-a",)),)


def test_a_plane_signs_in_and_is_granted_roles_by_its_own_identity() -> None:
    """An identity for one plane is that plane's client id and principal; the others keep the app's."""
    mine = {"plane": "resource-manager", "id": "/identities/arm", "clientId": OTHER, "principalId": "arm"}
    read = settings.read(deployed(identities=[mine]))
    assert read.identities == {plane: OTHER if plane == "resource-manager" else GUID for plane in settings.PLANES}
    known = names(identities=[mine])
    assert worked_out("principals[?'resource-manager'] ?? identity.properties.principalId", known) == "arm"
    assert worked_out("principals.?vault ?? identity.properties.principalId", known) == "own"


def test_mails_stay_below_the_limits_of_the_domain_they_come_from() -> None:
    """The domain that Azure manages sends 10 mails an hour; a verified one of your own has the usual limits."""
    assert settings.read(deployed()).nightly.limits["mail-hour"].count == 10
    usual = settings.read(deployed(mailDomain="contoso.example", mailDomainVerified=True)).nightly
    assert usual.limits["mail-hour"].count == 100
    more = settings.read(deployed(limits={"vault-creates": {"count": 9, "seconds": 10}})).nightly
    assert (more.limits["vault-creates"].count, more.limits["mail-minute"].count) == (9, 5)


def test_each_named_resource_is_granted_its_role_once() -> None:
    """Whatever the case, the vaults and the slots that name it, a resource appears once, under its own type."""
    account = resource("Microsoft.Storage/storageAccounts", "data")
    flow = resource("Microsoft.Logic/workflows", "flow")
    site = resource("Microsoft.Web/sites", "shop")
    identity = resource("Microsoft.ManagedIdentity/userAssignedIdentities", "deploy")
    known = names(
        vaults=[
            vault(resources=[account, flow, f"{site}/slots/test", identity]),
            vault(
                name="kv-b", resources=[account.upper(), site, f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-Shop"]
            ),
        ]
    )
    assert known["storageAccounts"] == [account.lower()]
    assert known["workflows"] == [flow.lower()]
    assert known["sites"] == [site.lower()]
    assert known["connectionIdentities"] == [identity.lower()]
    assert worked_out("split(id, '/')[2]", {"id": known["sites"][0]}) == SUBSCRIPTION
    assert worked_out("split(id, '/')[4]", {"id": known["sites"][0]}) == "rg-shop"
    assert worked_out("split(id, '/')[8]", {"id": known["sites"][0]}) == "shop"


def test_every_region_of_a_vault_has_one_audit_account() -> None:
    """Regions are counted once however they are written, and Rekey's own is among them for the staging vault."""
    known = names(vaults=[vault(location="NorthEurope"), vault(name="kv-b", location="westeurope")])
    assert known["regions"] == ["westeurope", "northeurope"]
    assert worked_out("indexOf(regions, ownRegion)", known) == 0


def test_private_endpoints_are_made_for_what_rekey_owns_if_there_is_a_subnet() -> None:
    """Each service of storage, staging vault and app gets its address, pointing at the resource that has it."""
    assert names()["privateServices"] == []
    known = names(privateEndpointSubnetId="/subnet", privateDnsZoneIds={"blob": "/zone"})
    for owner in ("storage", "stagingVault", "functionApp"):
        known[owner] = {"outputs": {"id": owner}}
    main = (INFRA / "main.bicep").read_text(encoding="utf-8")
    target = re.search(r"targetId: (.*)", main)
    zone = re.search(r"dnsZoneId: (.*)", main)
    assert target
    assert zone
    found = {service: worked_out(target[1], known | {"service": service}) for service in known["privateServices"]}
    assert found == {
        **dict.fromkeys(("blob", "queue", "table"), "storage"),
        "vault": "stagingVault",
        "sites": "functionApp",
    }
    assert [worked_out(zone[1], known | {"service": service}) for service in ("blob", "vault")] == ["/zone", ""]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("a.?b ?? 'none'", "none"),
        ("a.?b.?c ?? 1", 1),
        ("empty('') ? [] : [\n  1\n  2\n]", []),
        ("map([1, 2], x => { n: x })", [{"n": 1}, {"n": 2}]),
        ("'${a.n}-x'", "7-x"),
        ("a.n == 7 ? 'yes' : 'no'", "yes"),
        ("union([1], [1, 2], [])", [1, 2]),
        ("string({ a: [true] })", json.dumps({"a": [True]}, separators=(",", ":"))),
    ],
)
def test_expressions_are_worked_out_as_bicep_does(expression: str, value: object) -> None:
    """Operators bind and values come out as Bicep's documentation says."""
    assert worked_out(expression, {"a": {"n": 7}}) == value
