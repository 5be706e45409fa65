"""What a deployment hands to a function app, worked out from the example's parameters and those given."""

import re
from pathlib import Path
from typing import Any

from rekey.clouds import CLOUDS
from tests.infra.bicep_defaults import at
from tests.infra.bicep_source import Expression, Template, parts, source
from tests.infra.bicep_values import worked_out

INFRA = Path(__file__).parents[2] / "infra"
SUBSCRIPTION = "22222222-2222-2222-2222-222222222222"
GUID = "11111111-1111-1111-1111-111111111111"
OTHER = "55555555-5555-5555-5555-555555555555"
SUFFIXES = {
    "AzureCloud": "core.windows.net",
    "AzureUSGovernment": "core.usgovcloudapi.net",
    "AzureChinaCloud": "core.chinacloudapi.cn",
}


def names(cloud: str = "AzureCloud", **given: Any) -> dict[str, Any]:
    """Return every name of main.bicep with its value, for the example's parameters and those given."""
    main = Template(INFRA / "main.bicep")
    known: dict[str, Any] = {
        "resourceGroup": lambda: {"id": "/rekey", "name": "rg-rekey", "location": "WestEurope"},
        "subscription": lambda: {"subscriptionId": SUBSCRIPTION, "tenantId": GUID},
        "environment": lambda: {"name": cloud, "suffixes": {"storage": SUFFIXES[cloud]}},
        "identity": {"id": "/identities/rekey", "properties": {"clientId": GUID, "principalId": "own"}},
        "vendingIdentity": {"id": "/identities/vending", "properties": {"clientId": OTHER, "principalId": "vending"}},
        "monitoring": {"outputs": {"connectionString": "InstrumentationKey=x"}},
        "stagingVault": {"outputs": {"name": "kv-rekey-abc"}},
        "mail": {"outputs": {"endpoint": endpoint(cloud), "sender": "DoNotReply@0a.azurecomm.net"}},
    }
    for node in main.statements("parameter_declaration"):
        name, kind, *default = parts(node)
        known |= {source(name): worked_out(source(default[0]), known)} if default else {}
        known |= {source(name): None} if source(kind).endswith("?") else {}
    known |= example() | given
    for node in main.statements("variable_declaration"):
        known[source(parts(node)[0])] = worked_out(source(parts(node)[1]), known)
    return known


def endpoint(cloud: str) -> str:
    """Return where Communication Services is in that cloud."""
    return f"https://rekey.{CLOUDS[worked_out(written('clouds'), {})[cloud]].mail_suffix}"


def written(variable: str) -> str:
    """Return what main.bicep says a variable is."""
    main = Template(INFRA / "main.bicep")
    return next(source(parts(n)[1]) for n in main.statements("variable_declaration") if source(parts(n)[0]) == variable)


def example() -> dict[str, Any]:
    """Return the parameters of the example."""
    text = (INFRA / "main.bicepparam").read_text(encoding="utf-8")
    assigned = re.split(r"^param (\w+) = ", text, flags=re.MULTILINE)[1:]
    return {name: worked_out(value, {}) for name, value in zip(assigned[::2], assigned[1::2], strict=True)}


def deployed(cloud: str = "AzureCloud", *, app: str = "functionApp", **given: Any) -> dict[str, str]:
    """Return an app's settings as a deployment makes them."""
    known = names(cloud, **given)
    rekey = at(Template(INFRA / "main.bicep").modules[app].body, "params.rekeySettings")
    assert isinstance(rekey, Expression)
    inner = known | {
        "storageAccountName": "rekeyabc",
        "identityClientId": GUID,
        "applicationInsightsConnectionString": "InstrumentationKey=x",
    }
    for node in Template(INFRA / "app" / "function-app.bicep").statements("variable_declaration"):
        inner[source(parts(node)[0])] = worked_out(source(parts(node)[1]), inner)
    return {**inner["hostSettings"], **worked_out(rekey.text, known)}
