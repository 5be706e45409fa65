"""What the deployment is by default: no keys, no old TLS, nobody anonymous, and the names that the code uses."""

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rekey import names
from tests.infra.bicep_defaults import AUTHENTICATION, DEFAULTS, NEVER, at, secrets, weaknesses
from tests.infra.bicep_rules import templates
from tests.infra.bicep_source import Declaration, Expression, Template

ROOT = Path(__file__).parents[2]
APP = ROOT / "infra" / "app"
ALL = templates(ROOT / "infra")
MADE = [resource for template in ALL for resource in template.resources.values() if not resource.existing]


def without(resource: Declaration, path: str) -> Declaration:
    """Return a resource that has lost one property."""
    body: Any = copy.copy(resource.body)
    *above, last = path.split(".")
    inner = body
    for name in above:
        inner[name] = copy.copy(inner[name])
        inner = inner[name]
    del inner[last]
    return replace(resource, body=body)


def made(kind: str, file: str = "") -> list[Declaration]:
    """Return the resources of a type that are made, by one file or by any."""
    return [
        resource
        for template in ALL
        for resource in template.resources.values()
        if resource.type == kind and not resource.existing and file in {"", template.path.name}
    ]


@pytest.mark.parametrize("resource", MADE, ids=lambda resource: f"{resource.type.rpartition('/')[2]}-{resource.symbol}")
def test_every_resource_is_secure_by_default(resource: Declaration) -> None:
    """Shared keys, local accounts, old TLS, FTP, basic credentials and anonymous requests are off everywhere."""
    assert weaknesses(resource) == []


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in DEFAULTS.items() for path in paths])
def test_every_default_applies_to_something_and_its_loss_is_noticed(kind: str, path: str) -> None:
    """No row of the table is idle: there is a resource that would be found without it."""
    assert made(kind)
    for resource in made(kind):
        assert weaknesses(without(resource, path)) == [f"{resource.symbol}: {path} is not {DEFAULTS[kind][path]}"]


@pytest.mark.parametrize("path", AUTHENTICATION)
def test_a_gap_in_the_authentication_is_noticed(path: str) -> None:
    """Each part of the authentication in front of the operator API is asked for."""
    authentication = Template(APP / "function-app.bicep").resources["authentication"]
    assert authentication.body["name"] == "authsettingsV2"
    assert len(weaknesses(without(authentication, path))) == 1


@pytest.mark.parametrize("kind", NEVER)
def test_what_must_not_be_set_is_noticed(kind: str) -> None:
    """Purge protection on the staging vault and delivery without an identity would be found."""
    resource = made(kind)[0]
    properties: Any = resource.body["properties"]
    more = {**resource.body, "properties": {**properties, NEVER[kind].rpartition(".")[2]: True}}
    assert weaknesses(replace(resource, body=more)) == [f"{resource.symbol}: {NEVER[kind]} is set"]


def test_a_weaker_value_is_noticed() -> None:
    """A default that is set to something else is as bad as none."""
    path = APP / "storage.bicep"
    text = path.read_text(encoding="utf-8")
    for old, new in (("allowSharedKeyAccess: false", "allowSharedKeyAccess: true"), ("'TLS1_2'", "'TLS1_0'")):
        assert len(weaknesses(Template(path, text.replace(old, new)).resources["account"])) == 1


def test_no_path_around_the_authentication() -> None:
    """Excluded paths would be open to whoever has a key, so a single one is found."""
    path = APP / "function-app.bicep"
    text = path.read_text(encoding="utf-8").replace("excludedPaths: []", "excludedPaths: ['/api']")
    assert weaknesses(Template(path, text).resources["authentication"])


def test_callers_of_the_operator_api_have_to_be_named() -> None:
    """Who may call, and through which applications, are required or have a default, and never an empty list."""
    main = Template(ROOT / "infra" / "main.bicep").parameters
    assert not main["operatorApiPrincipals"].optional
    assert not main["operatorApiClientId"].optional
    for name in ("operatorApiPrincipals", "operatorApiClients"):
        assert "@minLength(1)" in main[name].decorators


@pytest.mark.parametrize("template", ALL, ids=lambda template: template.path.name)
def test_no_template_gets_at_a_secret(template: Template) -> None:
    """No key is listed, no secret read, none asked for as a parameter: nothing secret is in a deployment's history."""
    assert secrets(template) == []


@pytest.mark.parametrize(
    "text", ["output k string = a.listKeys().keys[0].value", "@secure()\nparam p string", "var v = listKeys(x, y)"]
)
def test_a_secret_in_a_template_is_noticed(text: str) -> None:
    """A listed key and a secure parameter are found."""
    assert secrets(Template(Path("x.bicep"), text))


def test_queues_and_containers_are_those_of_the_code() -> None:
    """The trigger's queue, where its poison goes and the container of the records have the names that the code uses."""
    storage = Template(APP / "storage.bicep").resources
    found = {symbol: storage[symbol].body["name"] for symbol in ("events", "poison", "records")}
    assert found == {"events": names.NEAR_EXPIRY_QUEUE, "poison": names.POISON_QUEUE, "records": names.CONTAINER}


def test_both_events_about_a_secrets_end_are_subscribed_to() -> None:
    """The subscription has what the trigger starts rotations for, and nothing else."""
    subscription = Template(APP / "event-subscription.bicep").resources["eventSubscription"]
    assert at(subscription.body, "properties.filter.includedEventTypes") == [
        "Microsoft.KeyVault.SecretNearExpiry",
        "Microsoft.KeyVault.SecretExpired",
    ]


def test_every_vault_has_an_audit_log() -> None:
    """The vaults that Rekey works on and its own send their audit events to a storage account."""
    for file in ("vault.bicep", "staging-vault.bicep"):
        (audit,) = made("Microsoft.Insights/diagnosticSettings", file)
        assert isinstance(at(audit.body, "properties.storageAccountId"), Expression)
        assert at(audit.body, "properties.logs") == [{"category": "AuditEvent", "enabled": True}]


def test_the_runtime_is_the_one_the_project_is_made_for() -> None:
    """The function app runs the Python that pyproject.toml asks for."""
    app = Template(APP / "function-app.bicep").resources["app"]
    runtime = at(app.body, "properties.functionAppConfig.runtime")
    wanted = re.search(r'requires-python = ">=([\d.]+),', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert wanted
    assert runtime == {"name": "python", "version": wanted[1]}


def test_the_durable_backend_is_the_account_that_is_deployed() -> None:
    """The durable engine keeps its state where AzureWebJobsStorage says: host.json names no other place."""
    provider = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["extensions"]["durableTask"][
        "storageProvider"
    ]
    assert provider["type"] == "AzureStorage"
    assert not {key for key in provider if key.startswith("connection")}
