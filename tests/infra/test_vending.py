"""The function app that makes connections and grants roles: off by default, on its own, and held to a condition."""

import json
import re
from typing import Any

import pytest

from rekey import settings
from rekey.federation_settings import REFUSED, Duty, Vending
from rekey.model.federation import Mode
from tests.infra.bicep_defaults import at
from tests.infra.bicep_source import Template, parts, source
from tests.infra.bicep_values import RefusedError, worked_out
from tests.infra.deployment import GUID, INFRA, OTHER, SUBSCRIPTION, deployed, names
from tests.infra.test_bicep_roles import faults

ROLES = ("b24988ac-6180-42a0-ab88-20f7382dd24c", "ACDD72A7-3385-48EF-BD42-F606FBA81AE7")
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-shop"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/shop"
IDENTITIES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-identities"
TERMS = {
    "roles": list(ROLES),
    "scopes": [GROUP, f"/subscriptions/{OTHER}", SITE],
    "identities": IDENTITIES,
}
OWN = {"vendingIdentity", "vendingApp", "vaultReading"}
HALF = (
    r"\(!\(ActionMatches\{'Microsoft\.Authorization/roleAssignments/(?P<action>\w+)'\}\)\) OR "
    r"\((?P<of>@\w+)\[Microsoft\.Authorization/roleAssignments:RoleDefinitionId\] "
    r"ForAnyOfAnyValues:GuidEquals \{(?P<roles>[0-9a-f, -]+)\} AND "
    r"(?P=of)\[Microsoft\.Authorization/roleAssignments:PrincipalType\] "
    r"ForAnyOfAnyValues:StringEqualsIgnoreCase \{(?P<types>[\w', ]+)\}\)"
)
"""One of the two halves, as Microsoft's page on delegation with conditions writes them for roles and principal types.

https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples
"""


def vending(**terms: Any) -> dict[str, Any]:
    """Return every name of vending.bicep with its value, for these terms."""
    main = names(vending=TERMS | terms)
    given = at(Template(INFRA / "main.bicep").modules["vendingApp"].body, "params")
    assert isinstance(given, dict)
    known: dict[str, Any] = {"privateEndpointSubnetId": ""}
    known |= {name: worked_out(getattr(given[name], "text", ""), main) for name in ("roleIds", "scopes", "identities")}
    for node in Template(INFRA / "app" / "vending.bicep").statements("variable_declaration"):
        known[source(parts(node)[0])] = worked_out(source(parts(node)[1]), known)
    return known


def test_there_is_none_by_default() -> None:
    """Nobody has to leave anything out: the identity and the app are made only where terms are given."""
    main = Template(INFRA / "main.bicep")
    assert main.parameters["vending"].optional
    assert names()["vends"] is False
    assert {one.symbol for one in (main.resources | main.modules).values() if one.conditional} == OWN
    for name in OWN:
        assert " if (vends) {\n" in source((main.resources | main.modules)[name].node)


def test_without_it_nobody_else_is_told_or_granted_anything() -> None:
    """Mail, telemetry and managed identities know one identity more with it, and no other without."""
    main = Template(INFRA / "main.bicep").modules
    for module in ("mail", "monitoring", "identityAccess"):
        written = at(main[module].body, "params.principalIds")
        assert worked_out(getattr(written, "text", ""), names()) == ["own"]
        assert worked_out(getattr(written, "text", ""), names(vending=TERMS)) == ["own", "vending"]


def test_the_app_that_vends_takes_what_is_deployed() -> None:
    """Its duty, modes and terms are what it reads, and it signs in as its own identity."""
    read = settings.read(deployed(app="vendingApp", vending=TERMS))
    assert (read.federating.duty, read.federating.modes) == (Duty.VENDING, (Mode.SIDE_BY_SIDE, Mode.VEND))
    assert read.federating.vending == Vending(
        roles=tuple(role.lower() for role in ROLES),
        scopes=(GROUP, f"/subscriptions/{OTHER}", SITE),
        identities=IDENTITIES,
        location="westeurope",
    )
    assert set(read.identities.values()) == {OTHER}
    assert read.audit.storage == ()


def test_both_apps_have_one_name() -> None:
    """The label of a connection that one made tells the other what took the place of one that is gone."""
    apps = [settings.read(deployed(app=app, vending=TERMS)) for app in ("functionApp", "vendingApp")]
    assert apps[0].deployment == apps[1].deployment
    assert apps[0].scopes == apps[1].scopes


def test_the_app_that_rotates_is_what_it_was() -> None:
    """Its settings don't change when another one vends, and it repairs trust unless it is asked for more."""
    assert deployed(vending=TERMS) == deployed()
    read = settings.read(deployed()).federating
    assert (read.duty, read.modes, read.vending) == (Duty.ROTATION, (Mode.REPAIR,), None)
    assert settings.read(deployed(federation=["in-place"])).federating.modes == (Mode.IN_PLACE,)
    assert settings.read(deployed(federation=[])).federating.modes == ()


def test_less_can_be_asked_for() -> None:
    """Only one of the modes, and another region for the identities."""
    read = settings.read(
        deployed(app="vendingApp", vending={**TERMS, "federation": ["vend"], "location": "NorthEurope"})
    )
    assert read.federating.modes == (Mode.VEND,)
    assert read.federating.vending is not None
    assert read.federating.vending.location == "northeurope"


def test_azure_holds_it_to_the_same_roles_as_its_settings() -> None:
    """To make and delete role assignments is allowed for the settings' roles and service principals alone."""
    read = settings.read(deployed(app="vendingApp", vending=TERMS)).federating.vending
    assert read is not None
    whole = re.fullmatch(r"\((\(!.*\))\) AND \((\(!.*\))\)", vending()["condition"])
    assert whole
    halves = [re.fullmatch(HALF, half) for half in whole.groups()]
    assert [(half["action"], half["of"]) for half in halves if half] == [("write", "@Request"), ("delete", "@Resource")]
    for half in halves:
        assert half
        assert tuple(half["roles"].split(", ")) == read.roles
        assert half["types"] == "'ServicePrincipal'"


@pytest.mark.parametrize("role", REFUSED)
def test_a_role_that_can_grant_all_others_fails_the_deployment(role: str) -> None:
    """However it is written, and among others that are fine: nothing is made."""
    with pytest.raises(RefusedError, match="never granted"):
        vending(roles=[ROLES[0], role.upper()])


def test_the_refused_roles_are_those_of_the_code() -> None:
    """The list of the templates is the one that the app refuses, names included."""
    listed = json.loads((INFRA / "refused-roles.json").read_text())
    assert {role["id"]: role["name"] for role in listed} == REFUSED


def test_it_may_grant_where_it_was_said_and_nowhere_else() -> None:
    """Each subscription and resource group gets the right by itself; no right comes with a single resource's id."""
    known = vending()
    assert known["subscriptions"] == [f"/subscriptions/{OTHER}"]
    assert known["groups"] == [GROUP]
    modules = Template(INFRA / "app" / "vending.bicep").modules
    granting = {name: one for name, one in modules.items() if one.kind.startswith("vending-")}
    assert {name: getattr(one.body["scope"], "text", "") for name, one in granting.items()} == {
        "subscriptionAccess": "subscription(split(id, '/')[2])",
        "groupAccess": "resourceGroup(split(id, '/')[2], split(id, '/')[4])",
        "identitiesAccess": "resourceGroup(split(identities, '/')[2], split(identities, '/')[4])",
    }
    assert {getattr(at(one.body, "params.principalId"), "text", "") for one in granting.values()} == {"principalId"}


def test_its_identity_storage_and_callers_are_its_own() -> None:
    """It shares code, mail and telemetry with the app that rotates, and nothing that holds rights or evidence."""
    main, own = (Template(INFRA / name) for name in ("main.bicep", "app/vending.bicep"))
    given = main.modules["vendingApp"].body["params"]
    assert isinstance(given, dict)
    for name in ("identityId", "identityClientId", "principalId"):
        assert getattr(given[name], "text", "").startswith("vendingIdentity!.")
    assert at(own.modules["functionApp"].body, "params.moreIdentityIds") == []
    for module in ("storage", "functionApp"):
        pair = [getattr(at(one.modules[module].body, "params.name"), "text", "") for one in (main, own)]
        assert len({worked_out(name, {"suffix": "x"}) for name in pair}) == 2
    assert worked_out(getattr(given["authPrincipals"], "text", ""), names(vending=TERMS)) == [GUID.replace("1", "4")]
    asked = names(vending={**TERMS, "operatorApiPrincipals": [OTHER]})
    assert worked_out(getattr(given["authPrincipals"], "text", ""), asked) == [OTHER]


def test_nobody_else_may_grant_roles() -> None:
    """The role that grants is assigned by the two templates of the app that vends, under a condition."""
    granting = [path for path in INFRA.rglob("*.bicep") if "roleBasedAccessControlAdministrator" in path.read_text()]
    assert {path.name for path in granting} == {"vending-group.bicep", "vending-subscription.bicep"}
    for path in granting:
        template = Template(path)
        assert "@minLength(1)" in template.parameters["condition"].decorators
        assert faults(template, template.resources["granter"]) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    condition: condition\n", ""),
        ("condition: condition", "condition: ''"),
        ("conditionVersion: '2.0'", "conditionVersion: '1.0'"),
    ],
)
def test_a_right_to_grant_without_its_condition_is_noticed(old: str, new: str) -> None:
    """A condition that is left out, empty or of the version that Azure doesn't apply is found."""
    path = INFRA / "app" / "vending-group.bicep"
    text = path.read_text()
    assert old in text
    template = Template(path, text.replace(old, new, 1))
    assert "granter: may grant any role" in faults(template, template.resources["granter"])
