"""Knows what a Consumption workflow of the simulated Azure holds, what of it is shown, and which documents it refuses.

As recorded of the real service: every PUT gives the workflow another version and other dates, creation included;
fields that are the service's own are ignored in a request; values of secure parameters are never shown again.
Source: https://learn.microsoft.com/azure/logic-apps/logic-apps-securing-a-logic-app#secure-parameters.
"""

import copy
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

TYPE = "Microsoft.Logic/workflows"
SECURE = frozenset({"securestring", "secureobject"})
OWN_PROPERTIES = ("provisioningState", "createdTime", "changedTime", "version", "accessEndpoint", "sku")
"""Properties that only the service sets."""
OWN_FIELDS = ("id", "name", "type", "systemData")
_PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "securestring": str,
    "int": int,
    "float": (int, float),
    "bool": bool,
    "array": list,
    "object": dict,
    "secureobject": dict,
}

type Hiding = Literal["absent", "no-value", "empty"]
"""How a secure parameter looks in an answer: not there, there without a value, there with an empty one."""


class InvalidTemplateError(Exception):
    """A definition whose parameters have no values, or other ones than it says."""


@dataclass
class Workflow:
    """One workflow: `document` is what its last PUT said, less the service's own fields, secure values included."""

    subscription: str
    group: str
    name: str
    document: dict[str, Any]
    changed: datetime
    version: str
    hides: Hiding = "absent"
    has_etag: bool = False
    writes: int = 0
    endpoint: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def id(self) -> str:
        """The ARM id."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{TYPE}/{self.name}"

    @property
    def etag(self) -> str:
        """The ETag, "" where the service sends none."""
        return f'"{self.version}"' if self.has_etag else ""

    def replace(self, document: dict[str, Any], now: datetime, version: str) -> None:
        """Take another document in place of the one there is; what it leaves out is gone, ids of identities aside."""
        if identity := document.get("identity"):
            document = {**document, "identity": _with_ids(identity, self.document.get("identity") or {})}
        self.document, self.changed, self.version = document, now, version
        self.writes += 1

    def value(self, parameter: str) -> Any:
        """Return a parameter's value, its default where it has none of its own."""
        given = (self.document["properties"].get("parameters") or {}).get(parameter) or {}
        return given["value"] if given.get("value") is not None else _declared(self.document)[parameter]["defaultValue"]

    def shown(self) -> dict[str, Any]:
        """Return the workflow as a GET shows it."""
        document = copy.deepcopy(self.document)
        properties = document["properties"]
        moment = f"{self.changed:%Y-%m-%dT%H:%M:%S.%f}0Z"
        properties |= {
            "provisioningState": "Succeeded",
            "createdTime": moment,
            "changedTime": moment,
            "version": self.version,
            "accessEndpoint": f"https://prod-01.westeurope.logic.azure.com:443/workflows/{self.endpoint}",
            "parameters": self._shown_parameters(),
        }
        return {**document, "id": self.id, "name": self.name, "type": TYPE}

    def told(self) -> dict[str, Any]:
        """Return everything, secure values included."""
        return {
            "document": self.document,
            "version": self.version,
            "changed": self.changed.isoformat(),
            "writes": self.writes,
        }

    def _shown_parameters(self) -> dict[str, Any]:
        secure, shown = secure_parameters(self.document), {}
        for name, given in (self.document["properties"].get("parameters") or {}).items():
            if name not in secure:
                shown[name] = copy.deepcopy(given)
            elif self.hides != "absent":
                without = {k: v for k, v in given.items() if k != "value"}
                shown[name] = {**without, "value": ""} if self.hides == "empty" else without
        return shown


def cleaned(document: dict[str, Any]) -> dict[str, Any]:
    """Return a PUT's document without the service's own fields, and with the state that it has unless it says."""
    kept = {k: v for k, v in copy.deepcopy(document).items() if k not in OWN_FIELDS}
    properties = {k: v for k, v in kept["properties"].items() if k not in OWN_PROPERTIES}
    return {**kept, "properties": {"state": "Enabled", "parameters": {}, **properties}}


def check(document: dict[str, Any]) -> None:
    """Raise InvalidTemplateError unless every declared parameter has a value that fits, and no other has one."""
    declared, given = _declared(document), document["properties"].get("parameters") or {}
    if unknown := sorted(set(given) - set(declared)):
        raise InvalidTemplateError(
            f"The template validation failed: 'The workflow parameters '{', '.join(unknown)}' are not valid; they are "
            "not present in the original definition and can therefore not be provided.'."
        )
    for name, declaration in declared.items():
        value = (given.get(name) or {}).get("value")
        if value is None and "defaultValue" not in declaration:
            raise InvalidTemplateError(
                f"The template validation failed: 'The value for the workflow parameter '{name}' at line '1' and "
                "column '123' is not provided.'."
            )
        expected = _PYTHON_TYPES.get(str(declaration.get("type")).lower(), object)
        if value is not None and not isinstance(value, expected):
            raise InvalidTemplateError(
                f"The template validation failed: 'The provided value for the workflow parameter '{name}' at line '1' "
                "and column '123' is not valid.'."
            )


def secure_parameters(document: dict[str, Any]) -> set[str]:
    """Return the names of the parameters whose values are hidden."""
    return {name for name, one in _declared(document).items() if str(one.get("type")).lower() in SECURE}


def _with_ids(identity: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """Return an identity with the service's ids: those it had, new ones for what is new."""
    told = {**identity}
    if "SystemAssigned" in str(identity.get("type")):
        told |= {name: old.get(name) or str(uuid.uuid4()) for name in ("principalId", "tenantId")}
    if assigned := identity.get("userAssignedIdentities"):
        known = old.get("userAssignedIdentities") or {}
        told["userAssignedIdentities"] = {n: known.get(n) or {"principalId": str(uuid.uuid4())} for n in assigned}
    return told


def _declared(document: dict[str, Any]) -> dict[str, Any]:
    return document["properties"]["definition"].get("parameters") or {}
