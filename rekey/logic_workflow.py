"""Knows the document of a Consumption workflow: what of it can be written back, and which parameter may hold a secret.

Source: https://learn.microsoft.com/rest/api/logic/workflows. A PUT replaces the whole, and the values of secure
parameters are never told: only a workflow with a single one of them can be written back by somebody who has its value.
A default value is part of the definition, which everybody may read who may read the workflow.
"""

import copy
from typing import Any

from rekey.errors import NotYetError, PermanentError
from rekey.secret_value import SecretValue

type Document = dict[str, Any]

OWN_FIELDS = ("id", "name", "type", "systemData")
OWN_PROPERTIES = ("provisioningState", "createdTime", "changedTime", "version", "accessEndpoint", "sku")
"""What only the service sets."""
MOVING_PROPERTIES = ("endpointsConfiguration",)
"""What the service gives new values when it likes to, with nobody writing."""
SECURE = frozenset({"securestring", "secureobject"})
_ONE_EACH = (
    "Give the workflow one secure parameter only, let it read the other secrets from Key Vault itself (its managed "
    "identity and the action Get secret), or move it to Standard, whose app settings can be written one by one."
)


def version(document: Document) -> str:
    """Return the version that the service gave the workflow with its last change."""
    found = _properties(document).get("version")
    if not isinstance(found, str) or not found:
        raise NotYetError("malformed-answer", "the service told a workflow without its version")
    return found


def require_replaceable(document: Document, parameter: str, uri: str) -> None:
    """Raise PermanentError unless that parameter holds a secret nobody sees, and all else can be written back."""
    declared = _declared(document)
    if parameter not in declared:
        raise PermanentError(
            "no-parameter",
            f"the workflow of {uri} declares no such parameter, only {', '.join(sorted(declared)) or 'none'}",
            "Correct the secret's tags, or declare the parameter as SecureString.",
        )
    kind = str(declared[parameter].get("type"))
    if kind.lower() != "securestring":
        raise PermanentError(
            "readable-parameter",
            f"{uri} is of type {kind}, not SecureString: whoever may read the workflow or its runs could read it",
            "Declare the parameter as SecureString, without a default value.",
        )
    if declared[parameter].get("defaultValue"):
        raise PermanentError(
            "readable-default",
            f"{uri} has a default value, which everybody reads who may read the workflow",
            "Take the default value out of the definition, and rotate what it holds: it has been readable.",
        )
    others = sorted(n for n, d in declared.items() if n != parameter and str(d.get("type")).lower() in SECURE)
    if others:
        raise PermanentError(
            "hidden-values",
            f"{uri}: the workflow has other secure parameters, whose values nobody is told and a change of one "
            f"would lose: {', '.join(others)}",
            _ONE_EACH,
        )


def replaced(document: Document, parameter: str, value: SecretValue) -> Document:
    """Return what to write so that only that parameter's value changes; what isn't known is kept as it was read."""
    wanted = {name: copy.deepcopy(part) for name, part in document.items() if name not in OWN_FIELDS}
    properties = {k: v for k, v in _properties(wanted).items() if k not in OWN_PROPERTIES}
    parameters = dict(properties.get("parameters") or {})
    given = parameters.get(parameter) or {}
    properties["parameters"] = {**parameters, parameter: {**given, "value": value.reveal()}}
    if wanted.get("identity"):
        wanted["identity"] = _identity(wanted["identity"])
    return {**wanted, "properties": properties}


def differing(before: Document, after: Document, parameter: str) -> list[str]:
    """Return the names of the parts that one writing of that parameter should have left as they were, and didn't."""
    old, new = _compared(before, parameter), _compared(after, parameter)
    return sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))


def linked(document: Document) -> list[str]:
    """Return what else whoever writes the workflow has to be allowed to use."""
    connections = (_properties(document).get("parameters") or {}).get("$connections") or {}
    identities = (document.get("identity") or {}).get("userAssignedIdentities")
    used = {"managed connections": connections.get("value"), "user-assigned identities": identities}
    return [name for name, found in used.items() if found]


def started_by_writing(document: Document) -> list[str]:
    """Return the triggers that a write lets run at once: recurrences that say no time to start at.

    Source: https://learn.microsoft.com/azure/connectors/connectors-native-recurrence.
    """
    triggers = (_properties(document).get("definition") or {}).get("triggers") or {}
    recurrences = {n: t.get("recurrence") or {} for n, t in triggers.items() if t.get("type") == "Recurrence"}
    return sorted(name for name, recurrence in recurrences.items() if not recurrence.get("startTime"))


def _identity(identity: Document) -> Document:
    """Return what a request says of an identity: ids are the service's own."""
    kept = {name: part for name, part in identity.items() if name not in {"principalId", "tenantId"}}
    if assigned := kept.get("userAssignedIdentities"):
        kept["userAssignedIdentities"] = {name: {} for name in assigned}
    return kept


def _compared(document: Document, parameter: str) -> Document:
    parts = {name: part for name, part in document.items() if name not in {*OWN_FIELDS, "properties"}}
    ignored = {*OWN_PROPERTIES, *MOVING_PROPERTIES}
    parts |= {name: part for name, part in _properties(document).items() if name not in ignored}
    given = parts.get("parameters") or {}
    parts["parameters"] = {name: one for name, one in given.items() if name != parameter}
    return parts


def _declared(document: Document) -> dict[str, Document]:
    definition = _properties(document).get("definition")
    if not isinstance(definition, dict):
        raise NotYetError("malformed-answer", "the service told a workflow without its definition")
    return definition.get("parameters") or {}


def _properties(document: Document) -> Document:
    properties = document.get("properties") if isinstance(document, dict) else None
    if not isinstance(properties, dict):
        raise NotYetError("malformed-answer", "the service told something else than a workflow")
    return properties
