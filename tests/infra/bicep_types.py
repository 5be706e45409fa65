"""Holds resources against Microsoft's own type definitions (bicep-types-az) beside the repository."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.infra.bicep_source import Declaration, Expression, Template, Value

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "contracts" / "bicep-types"

needs_types = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no type definitions at {FOLDER}")
"""Skips a test where the definitions are not on this machine."""

OF_BICEP = frozenset({"parent", "scope", "dependsOn"})
"""What a resource's body may have besides the properties of its type."""

BY_HAND = frozenset({"Microsoft.Network/privateEndpoints", "Microsoft.Network/privateEndpoints/privateDnsZoneGroups"})
"""What there is no definition of: read against
https://learn.microsoft.com/azure/templates/microsoft.network/2025-05-01/privateendpoints."""

_REQUIRED, _READ_ONLY = 1, 2
_SCALARS = {"StringType": str, "IntegerType": int, "BooleanType": bool}


class Shape:
    """One type of one definition file."""

    def __init__(self, types: list[dict[str, Any]], number: int) -> None:
        self._types = types
        self.spec = types[number]
        self.kind: str = self.spec["$type"]

    def at(self, reference: dict[str, str]) -> "Shape":
        """Return the type that this one refers to."""
        return Shape(self._types, int(reference["$ref"].rpartition("/")[2]))

    def properties(self) -> dict[str, Any]:
        """Return the properties of an object, those of every variant included."""
        found = dict(self.spec.get("properties") or self.spec.get("baseProperties") or {})
        if self.kind == "DiscriminatedObjectType":
            for variant in self.spec["elements"].values():
                found |= self.at(variant).properties()
        return found

    def literals(self) -> list[str]:
        """Return the strings that are named, those of an open list too."""
        if self.kind == "StringLiteralType":
            return [self.spec["value"]]
        return [text for e in self.spec.get("elements", ()) for text in self.at(e).literals()]


@cache
def _definitions() -> dict[str, tuple[list[dict[str, Any]], dict[str, Any]]]:
    found: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {}
    for path in FOLDER.rglob("types.json"):
        types = json.loads(path.read_text(encoding="utf-8"))
        found |= {t["name"].lower(): (types, t) for t in types if t["$type"] == "ResourceType"}
    return found


def shape(kind: str) -> Shape | None:
    """Return the body of a resource type, `type@version`; None where there is no definition."""
    found = _definitions().get(kind.lower())
    return Shape(found[0], int(found[1]["body"]["$ref"].rpartition("/")[2])) if found else None


def findings(resource: Declaration) -> list[str]:
    """Say what a resource's type doesn't allow; a resource that exists is only named."""
    body = shape(resource.kind)
    if body is None and resource.type in BY_HAND:
        return []
    if body is None:
        return [f"{resource.symbol}: there is no definition of {resource.kind}"]
    if resource.existing:
        return [] if set(resource.body) <= {"name"} | OF_BICEP else [f"{resource.symbol}: exists, and is given more"]
    written: Value = {k: v for k, v in resource.body.items() if k not in OF_BICEP}
    return _value(body, written, resource.symbol)


def unknown_properties(template: Template) -> list[str]:
    """Name the properties asked of resources that their types don't have."""
    found = []
    for name, properties, _, node in template.chains():
        resource = template.resources.get(name)
        body = shape(resource.kind) if resource else None
        if body is not None and not _has(body, properties):
            found.append(f"{template.path.name}:{node.start_point[0] + 1}: no {'.'.join((name, *properties))}")
    return found


def _has(body: Shape, properties: tuple[str, ...]) -> bool:
    for name in properties:
        if body.kind not in {"ObjectType", "DiscriminatedObjectType"}:
            return body.kind == "AnyType"
        known = body.properties()
        if name not in known:
            return bool(body.spec.get("additionalProperties"))
        body = body.at(known[name]["type"])
    return True


def _value(body: Shape, written: Value, path: str) -> list[str]:
    if written is None or isinstance(written, Expression):
        return []
    match body.kind:
        case "ObjectType":
            return _object(body, written, path)
        case "DiscriminatedObjectType":
            return _variant(body, written, path)
        case "ArrayType":
            if not isinstance(written, list):
                return [f"{path}: {written!r} is no list"]
            item = body.at(body.spec["itemType"])
            return [f for i, one in enumerate(written) for f in _value(item, one, f"{path}[{i}]")]
        case "UnionType" | "StringLiteralType":
            return [] if written in body.literals() else [f"{path}: {written!r} is none of {body.literals()}"]
    expected = _SCALARS.get(body.kind)
    return [f"{path}: {written!r} is no {body.kind}"] if expected and type(written) is not expected else []


def _object(body: Shape, written: Value, path: str, more: dict[str, Any] | None = None) -> list[str]:
    if not isinstance(written, dict):
        return [f"{path}: {written!r} is no object"]
    known = (body.spec.get("properties") or {}) | (more or {})
    others = body.spec.get("additionalProperties")
    found = [
        f"{path}: {name} is required" for name, p in known.items() if p["flags"] & _REQUIRED and name not in written
    ]
    for name, one in written.items():
        if name in known and known[name]["flags"] & _READ_ONLY:
            found.append(f"{path}.{name} is read-only")
        elif name in known:
            found += _value(body.at(known[name]["type"]), one, f"{path}.{name}")
        elif others:
            found += _value(body.at(others), one, f"{path}.{name}")
        else:
            found.append(f"{path}: no property {name}")
    return found


def _variant(body: Shape, written: Value, path: str) -> list[str]:
    tag = body.spec["discriminator"]
    chosen = written.get(tag) if isinstance(written, dict) else None
    variants = body.spec["elements"]
    if not isinstance(chosen, str) or chosen not in variants:
        return [f"{path}.{tag}: {chosen!r} is none of {sorted(variants)}"]
    return _object(body.at(variants[chosen]), written, path, body.spec["baseProperties"])
