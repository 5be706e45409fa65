"""The templates as far as they can be judged without a compiler; each check is shown to notice a mistake."""

import re
from pathlib import Path

import pytest

from tests.infra import bicep_rules as rules
from tests.infra import bicep_types as types
from tests.infra.bicep_source import Expression, Template, Value

INFRA = Path(__file__).parents[2] / "infra"
FILES = sorted(INFRA.rglob("*.bicep"))
CHECKS = {
    "undeclared": rules.undeclared,
    "ill-named": rules.ill_named,
    "unused": rules.unused,
    "calls": rules.bad_calls,
    "late": rules.late_names,
    "orphans": rules.orphans,
}


def changed(file: str, old: str, new: str) -> Template:
    """Return a template with one mistake in it."""
    text = (INFRA / file).read_text(encoding="utf-8")
    assert text.count(old) > 0, f"{file} has no {old!r} any more"
    return Template(INFRA / file, text.replace(old, new, 1))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_parses(path: Path) -> None:
    """The grammar of Bicep takes every file in, from its first character to its last."""
    assert Template(path).errors == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
@pytest.mark.parametrize("check", CHECKS)
def test_every_name_and_call_is_in_order(path: Path, check: str) -> None:
    """Whatever is named is declared and known when it's needed, and modules get the parameters they declare."""
    assert CHECKS[check](Template(path)) == []


@types.needs_types
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_resource_is_what_its_type_allows(path: Path) -> None:
    """Each type and version exists, its required properties are given, and nothing is given that it doesn't have."""
    template = Template(path)
    assert [f for resource in template.resources.values() for f in types.findings(resource)] == []
    assert types.unknown_properties(template) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_deployments_name_is_too_long(path: Path) -> None:
    """With the longest names that may be given, each module's deployment has at most 64 characters."""
    for module in Template(path).modules.values():
        assert len(longest(module.body["name"])) <= 64


def longest(name: Value) -> str:
    """Return an interpolated name as long as it may get."""
    text = name.text.strip("'") if isinstance(name, Expression) else str(name)
    for part, length in LENGTHS.items():
        text = text.replace(f"${{{part}}}", "x" * length)
    assert "${" not in text
    return text


LENGTHS = {"environmentName": 20, "region": 18, "name": 24, "target.name": 24, "uniqueString(id)": 13, "service": 5}
LENGTHS["uniqueString(name)"] = LENGTHS["uniqueString(id)"]
"""The longest name of a region, of a vault, of a private service, and what uniqueString returns."""


def test_a_name_that_may_get_too_long_is_noticed() -> None:
    """The longest name is made of the longest parts."""
    module = Template(INFRA / "app" / "vault.bicep").modules["eventSubscription"]
    assert len(longest(module.body["name"])) == 64


@types.needs_types
def test_what_is_compared_by_hand_has_no_definition() -> None:
    """The types that are let through are used, and Microsoft's definitions here don't have them."""
    kinds = {r.type: r.kind for path in FILES for r in Template(path).resources.values() if r.type in types.BY_HAND}
    assert set(kinds) == types.BY_HAND
    assert [kind for kind in kinds.values() if types.shape(kind)] == []


def test_every_file_is_part_of_a_deployment() -> None:
    """Starting at main.bicep and at what is deployed by itself, modules lead to every file there is."""
    reached, ahead = set(), [INFRA / "main.bicep", INFRA / "modules" / "connection-identity.bicep"]
    while ahead:
        path = ahead.pop()
        reached.add(path)
        ahead += [path.parent / module.kind for module in Template(path).modules.values()]
    assert reached == set(FILES)


def test_the_example_of_parameters_fits() -> None:
    """The example assigns parameters that main.bicep has, and all that it requires."""
    text = (INFRA / "main.bicepparam").read_text(encoding="utf-8")
    # The grammar knows templates only: an assigned parameter has a variable's form.
    example = Template(INFRA / "main.bicepparam", text.replace("using 'main.bicep'", "").replace("param ", "var "))
    assert example.errors == []
    assert rules.mismatches("main.bicepparam", set(example.variables), Template(INFRA / "main.bicep")) == []
    assert rules.undeclared(example) == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("main.bicep", "param location string", "param location strin g g"),
        ("app/storage.bicep", "  }\n}\n\nresource blobs", "  }\n\nresource blobs"),
        ("app/mail.bicep", "? [custom!.id] :", "? [custom!.id]"),
    ],
)
def test_a_broken_file_is_noticed(file: str, old: str, new: str) -> None:
    """A missing brace, a stray word or half an expression is an error of the file."""
    assert changed(file, old, new).errors


@pytest.mark.parametrize(
    ("check", "file", "old", "new", "message"),
    [
        ("undeclared", "app/storage.bicep", "scope: account", "scope: acount", "acount is not declared"),
        ("undeclared", "app/storage.bicep", "guid(account.id", "gid(account.id", "there is no function gid"),
        ("undeclared", "main.bicep", "vaults targetVault[]", "vaults targetVolt[]", "targetVolt is not declared"),
        ("undeclared", "main.bicep", "entry => entry.?resources", "entry => item.?resources", "item is not declared"),
        ("undeclared", "main.bicep", "tags: allTags", "tags: '${allTag}'", "allTag is not declared"),
        ("ill-named", "main.bicep", "var suffix", "var resourceGroup", "hides the function"),
        ("ill-named", "main.bicep", "var suffix", "var tags", "declared twice"),
        ("ill-named", "main.bicep", "for (region, i) in", "for (suffix, i) in", "hides a declaration"),
        ("unused", "app/mail.bicep", "param tags object", "param tags object\nparam more string", "nothing uses more"),
        ("calls", "main.bicep", "    sku: storageSku\n", "", "storage: storage.bicep needs sku"),
        ("calls", "main.bicep", "sku: storageSku", "sku: storageSku\n    size: 1", "has no parameter size"),
        ("calls", "main.bicep", "sku: storageSku", "sku: 1", "sku is int, and storage.bicep wants string"),
        ("calls", "main.bicep", "retentionDays: logRetentionDays", "retentionDays: mailDomain", "is string, and"),
        ("calls", "main.bicep", "subnetId: subnetId", "subnetId: mail.outputs.customDomainRecords", "is object, and"),
        ("calls", "main.bicep", "authClients: operatorApiClients", "authClients: '${mailDomain}'", "is string, and"),
        ("calls", "main.bicep", "'app/mail.bicep'", "'app/mails.bicep'", "there is no file app/mails.bicep"),
        ("calls", "main.bicep", "mail.outputs.sender", "mail.outputs.from", "has no outputs.from"),
        ("calls", "main.bicep", "storage.outputs.name", "storage.name", "has no name"),
        ("calls", "main.bicep", "auditStorage[indexOf(regions, ownRegion)]", "auditStorage", "auditStorage is a loop"),
        (
            "late",
            "app/storage.bicep",
            "name: guid(account.id",
            "name: guid(account.properties.x",
            "not known at the start",
        ),
        ("late", "main.bicep", "for id in workflows", "for id in split(mail.outputs.sender, ',')", "not known"),
        (
            "late",
            "main.bicep",
            "scope: resourceGroup(split(id, '/')[2]",
            "scope: resourceGroup(mail.outputs.x",
            "not known",
        ),
        ("orphans", "app/storage.bicep", "  parent: blobs\n", "", "needs a parent"),
        ("orphans", "app/storage.bicep", "parent: queues", "parent: blobs", "needs a parent"),
    ],
)
def test_a_wrong_name_or_call_is_noticed(check: str, file: str, old: str, new: str, message: str) -> None:
    """Each check finds the mistake that it is there for."""
    template = changed(file, old, new)
    assert template.errors == []
    assert any(message in finding for finding in CHECKS[check](template))


@types.needs_types
@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "app/storage.bicep",
            "allowSharedKeyAccess: false",
            "allowSharedKeysAccess: false",
            "no property allowSharedKeysAccess",
        ),
        ("app/storage.bicep", "allowSharedKeyAccess: false", "allowSharedKeyAccess: 'false'", "is no BooleanType"),
        ("app/storage.bicep", "storageAccounts@2026-04-01", "storageAccounts@2026-04-02", "no definition of"),
        ("app/storage.bicep", "'TLS1_2'", "'1.2'", "is none of"),
        ("app/storage.bicep", "  kind: 'StorageV2'\n", "", "kind is required"),
        ("app/storage.bicep", "  kind: 'StorageV2'\n", "  kind: 'StorageV2'\n  id: name\n", "account.id is read-only"),
        ("app/audit-storage.bicep", "'appendBlob'\n", "7\n", "is no StringType"),
        ("app/audit-storage.bicep", "blobTypes: [", "blobType: [", "blobTypes is required"),
        ("app/event-subscription.bicep", "queueName: queueName", "queue: queueName", "no property queue"),
        ("app/event-subscription.bicep", "'StorageQueue'", "'Queue'", "endpointType: 'Queue' is none of"),
        ("app/function-app.bicep", "excludedPaths: []", "excludedPath: []", "no property excludedPath"),
        ("app/function-app.bicep", "instanceMemoryMB: 2048", "instanceMemoryMB: '2048'", "is no IntegerType"),
        ("app/function-app.bicep", "name: 'authsettingsV2'", "name: 'authsettingsV3'", "is none of"),
        ("app/topic-identity.bicep", "name: name", "name: name\n  location: 'global'", "exists, and is given more"),
    ],
)
def test_a_property_that_its_type_does_not_have_is_noticed(file: str, old: str, new: str, message: str) -> None:
    """Names, required ones, kinds, literals and variants are compared at any depth."""
    template = changed(file, old, new)
    assert any(message in f for resource in template.resources.values() for f in types.findings(resource))


@types.needs_types
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("app/mail.bicep", "communication.properties.hostName", "communication.properties.host"),
        ("app/function-app.bicep", "app.properties.defaultHostName", "app.properties.hostName.first"),
        ("app/topic-identity.bicep", "topic.identity.principalId", "topic.identity.objectId"),
        ("app/mail.bicep", "custom!.properties.verificationRecords", "custom!.properties.records"),
    ],
)
def test_a_property_that_is_asked_for_in_vain_is_noticed(file: str, old: str, new: str) -> None:
    """What is read of a deployed resource is compared with its type as well."""
    assert types.unknown_properties(changed(file, old, new))


def test_the_readme_says_what_every_file_and_parameter_is_for() -> None:
    """Each template and each parameter of main.bicep has its place in infra/README.md, and nothing that is gone."""
    readme = (INFRA / "README.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in readme.splitlines() if line.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`([^`]+)`", row)]
    files = {str(path.relative_to(INFRA)) for path in FILES} | {path.name for path in INFRA.glob("*.json")}
    assert sorted(named) == sorted(files | set(Template(INFRA / "main.bicep").parameters))
