"""Who gets which role where: by the table of roles, at the smallest scope, with a reason."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from rekey import managed_identities, role_assignments
from tests.azure.contracts import ROOT as CONTRACTS
from tests.azure.contracts import needs_contracts
from tests.infra.bicep_defaults import at
from tests.infra.bicep_rules import templates
from tests.infra.bicep_source import Declaration, Expression, Template
from tests.infra.declared import of_federations, of_kinds, of_rekey

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
ROLES: dict[str, dict[str, str]] = json.loads((INFRA / "roles.json").read_text(encoding="utf-8"))
ALL = templates(INFRA)
ASSIGNMENTS = [
    (template, resource)
    for template in ALL
    for resource in template.resources.values()
    if resource.type == "Microsoft.Authorization/roleAssignments" and template.path.parent.name != "modules"
]
"""All but those of what is deployed by itself, which grants a role that is chosen there."""
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PLANES = ("vault", "resource-manager", "mail", "storage")
"""Those of a permission's planes whose rights are Azure roles."""


WIDE = {
    "vending-subscription.bicep": "roleBasedAccessControlAdministrator",
    "vending-group.bicep": "roleBasedAccessControlAdministrator",
    "vending-identities.bicep": "managedIdentityContributor",
}
"""What is granted in more than one resource: by which template, which role."""


def faults(template: Template, resource: Declaration) -> list[str]:
    """Say what is wrong with a role assignment."""
    scope, name, role = (text(at(resource.body, p)) for p in ("scope", "name", "properties.roleDefinitionId"))
    found = []
    key = re.fullmatch(r"subscriptionResourceId\('Microsoft.Authorization/roleDefinitions', roles\.(\w+)\.id\)", role)
    if key is None or key[1] not in ROLES:
        found.append(f"{resource.symbol}: {role} is no role of roles.json")
    elif name != f"guid({scope}.id, principalId, roles.{key[1]}.id)":
        found.append(f"{resource.symbol}: the name isn't made of scope, principal and role")
    if scope not in template.resources and WIDE.get(template.path.name, "") != (key and key[1]):
        found.append(f"{resource.symbol}: the scope isn't one resource")
    if key and key[1] == "roleBasedAccessControlAdministrator":
        found += unconditional(resource)
    reason = at(resource.body, "properties.description")
    if not isinstance(reason, str) or len(reason) < 30:
        found.append(f"{resource.symbol}: there is no reason")
    return found


def unconditional(resource: Declaration) -> list[str]:
    """Say if who may grant roles isn't held to a condition that is handed in, and can't be empty."""
    condition, version = (at(resource.body, f"properties.{name}") for name in ("condition", "conditionVersion"))
    held = isinstance(condition, Expression) and condition.text == "condition" and version == "2.0"
    return [] if held else [f"{resource.symbol}: may grant any role"]


def text(value: object) -> str:
    """Return an expression as it is written."""
    return value.text if isinstance(value, Expression) else str(value)


def used() -> Counter[str]:
    """Return how often each role of the table is assigned."""
    keys = (re.findall(r"roles\.(\w+)\.id", text(at(r.body, "properties.roleDefinitionId"))) for _, r in ASSIGNMENTS)
    return Counter(key for found in keys for key in found)


@pytest.mark.parametrize(
    ("template", "resource"),
    ASSIGNMENTS,
    ids=lambda x: getattr(x, "symbol", x.path.stem if isinstance(x, Template) else ""),
)
def test_every_role_is_in_the_table_on_one_resource_with_a_reason(template: Template, resource: Declaration) -> None:
    """A role is granted on a single resource, under a name that no other assignment has, and says what for."""
    assert faults(template, resource) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("scope: account", "scope: resourceGroup()", "isn't one resource"),
        ("roles.storageBlobDataOwner.id)\n    p", "roles.owner.id)\n    p", "no role of roles.json"),
        ("roles.storageBlobDataOwner.id)\n    p", "roles.reader.id)\n    p", "the name isn't made of"),
        ("guid(account.id, principalId, roles.storageBlobDataOwner.id)", "guid('x')", "the name isn't made of"),
        ("    description: 'The Functions host", "    condition: 'The Functions host", "there is no reason"),
    ],
)
def test_a_wrong_assignment_is_noticed(old: str, new: str, message: str) -> None:
    """A wide scope, an unknown role, another role's name and a missing reason are found."""
    path = INFRA / "app" / "storage.bicep"
    written = path.read_text(encoding="utf-8")
    assert old in written
    template = Template(path, written.replace(old, new, 1))
    assert any(message in fault for fault in faults(template, template.resources["blobOwner"]))


def test_every_role_of_the_table_is_used() -> None:
    """The table has no role that nobody is granted."""
    assert set(used()) == set(ROLES)


@pytest.mark.parametrize("key", ROLES)
def test_every_role_of_the_table_has_its_source(key: str) -> None:
    """A role is named by id and name, and by the page of Microsoft's that says what it permits."""
    role = ROLES[key]
    assert set(role) == {"id", "name", "permits", "source"}
    assert GUID.fullmatch(role["id"])
    assert role["source"].startswith("https://learn.microsoft.com/")
    assert len({other["id"] for other in ROLES.values()}) == len(ROLES)


@pytest.mark.parametrize("template", ALL, ids=lambda template: template.path.name)
def test_no_template_has_a_role_id_of_its_own(template: Template) -> None:
    """Ids are in the table alone; the one id in a template is the Azure CLI's."""
    found = set(GUID.findall(template.path.read_text(encoding="utf-8")))
    assert found <= {"04b07795-8ddb-461a-bbee-02f9e1bf7b46"}


def rights() -> dict[str, set[str]]:
    """Return the names of all rights that the code declares, by plane."""
    found: dict[str, set[str]] = {}
    for permission in (*of_kinds(), *of_rekey(), *of_federations()):
        found.setdefault(permission.plane, set()).add(permission.name)
    return found


def test_every_azure_role_that_the_code_asks_for_is_deployed() -> None:
    """What a step or a kind says it needs on an Azure resource is granted by a template, and what makes identities."""
    granted = {ROLES[key]["name"] for key in used()}
    asked = {name for plane in PLANES for name in rights().get(plane, ())}
    assert {role_assignments.ROLE, managed_identities.READER} <= asked
    asked.add(managed_identities.ROLE)
    assert asked <= granted


def test_the_graph_permissions_are_those_the_code_asks_for() -> None:
    """What the directory team is asked to grant is what the kinds declare, no more and no less."""
    manifest = json.loads((INFRA / "permissions.json").read_text(encoding="utf-8"))
    assert {role["name"] for role in manifest["appRoles"]} == rights()["graph"]


def test_the_graph_permissions_are_named_by_id_and_source() -> None:
    """Each permission has its id, why, whether it can be left out, and where Microsoft describes it."""
    manifest = json.loads((INFRA / "permissions.json").read_text(encoding="utf-8"))
    assert GUID.fullmatch(manifest["resource"]["appId"])
    for role in manifest["appRoles"]:
        assert set(role) == {"name", "id", "required", "reason", "source"}
        assert GUID.fullmatch(role["id"])
        assert role["source"].startswith("https://learn.microsoft.com/graph/")
    assert [role["name"] for role in manifest["appRoles"] if role["required"]] == ["Application.ReadWrite.OwnedBy"]


@needs_contracts
def test_the_graph_permissions_can_be_granted_to_an_application() -> None:
    """Microsoft's own list has each permission for applications that act by themselves."""
    listed = json.loads((CONTRACTS / "msgraph-v1.0" / "permissions-subset-2026-08.json").read_text(encoding="utf-8"))
    manifest = json.loads((INFRA / "permissions.json").read_text(encoding="utf-8"))
    for role in manifest["appRoles"]:
        assert "Application" in listed["permissions"][role["name"]]["schemes"]
