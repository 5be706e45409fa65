"""Knows how to hold a request or response against the machine-readable specifications beside the repository.

Swagger 2.0 and OpenAPI 3.0, `$ref` across files. `null` means absent, as the services themselves do it
(a Key Vault page ends with `"nextLink": null` although its specification says string), so nulls are dropped
before checking: a null in a required property is still an error.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

ROOT = Path(__file__).resolve().parents[2].parent / "shared" / "contracts"

needs_contracts = pytest.mark.skipif(not ROOT.is_dir(), reason=f"no specifications at {ROOT}")
"""Skips a test where the specifications are not on this machine."""

_METHODS = frozenset({"get", "put", "post", "patch", "delete", "head"})


@dataclass(frozen=True)
class _Operation:
    """One operation of one specification file: its own part, and the parameters its path declares for all."""

    uri: str
    spec: dict[str, Any]
    shared: tuple[dict[str, Any], ...]


def validate_response(spec: str, operation: str, status: int, body: Any) -> None:
    """Fail with jsonschema's ValidationError unless `operation` may answer `status` with `body`.

    `spec` is a path below the contracts folder. `operation` is an operationId, or a method and a path
    ("GET /secrets/name/versions": placeholders of the specification match). A refusal (4xx, 5xx) that the
    specification doesn't describe is accepted; a success that it doesn't describe is an AssertionError.
    """
    found = _operation(spec, operation)
    responses = found.spec["responses"]
    declared = next((k for k in (str(status), f"{status // 100}XX", "default") if k in responses), None)
    if declared is None:
        assert status >= 400, f"{operation} does not answer {status}, it declares {sorted(responses)}"
        return
    schema = _schema(_resolve(found.uri, responses[declared]))
    if schema is not None and body is not None:
        _check(found.uri, schema, body)


def validate_request(
    spec: str,
    operation: str,
    body: Any = None,
    query: Mapping[str, str] | None = None,
) -> None:
    """Fail unless `body` and `query` are what `operation` takes; unknown query parameters fail too."""
    found, left = _operation(spec, operation), dict(query or {})
    for raw in (*found.shared, *found.spec.get("parameters", ())):
        parameter = _resolve(found.uri, raw)
        if parameter["in"] == "query":
            _check_query(found.uri, parameter, left.pop(parameter["name"], None))
        elif parameter["in"] == "body":
            assert body is not None or not parameter.get("required"), f"{operation} needs a body"
            if body is not None:
                _check(found.uri, parameter["schema"], body)
    if body is not None and "requestBody" in found.spec:
        schema = _schema(_resolve(found.uri, found.spec["requestBody"]))
        if schema is not None:
            _check(found.uri, schema, body)
    assert not left, f"{operation} has no query parameters {sorted(left)}"


def validate_definition(spec: str, name: str, body: Any) -> None:
    """Fail unless `body` is the definition `name` (Swagger `definitions`, OpenAPI `components/schemas`)."""
    uri = (ROOT / spec).as_uri()
    part = "definitions" if "definitions" in _load(uri) else "components/schemas"
    _check(uri, {"$ref": f"#/{part}/{name}"}, body)


def _check_query(uri: str, parameter: dict[str, Any], value: str | None) -> None:
    name = parameter["name"]
    if value is None:
        assert not parameter.get("required"), f"the query parameter {name} is required"
        return
    schema = parameter.get("schema", parameter)
    kind = schema.get("type")
    typed: Any = json.loads(value) if kind in ("integer", "number", "boolean") else value
    allowed = ("type", "enum", "minimum", "maximum", "pattern", "minLength", "maxLength")
    _check(uri, {k: schema[k] for k in allowed if k in schema}, typed)


def _check(uri: str, schema: dict[str, Any], body: Any) -> None:
    registry = _registry()
    validator = jsonschema.Draft4Validator(schema, registry=registry, _resolver=registry.resolver(uri))
    validator.validate(_without_nulls(body))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value


def _operation(spec: str, wanted: str) -> _Operation:
    uri = (ROOT / spec).as_uri()
    method, _, path = wanted.partition(" ")
    candidates = []
    for template, name, operation, shared in _operations(_load(uri)):
        if operation.get("operationId") == wanted:
            return _Operation(uri, operation, shared)
        if path and name == method.lower() and _matches(template, path):
            candidates.append((template.count("{"), template, _Operation(uri, operation, shared)))
    if not candidates:
        raise KeyError(f"{spec} has no operation {wanted}")
    return min(candidates, key=lambda c: c[:2])[2]


def _operations(
    document: dict[str, Any],
) -> Iterator[tuple[str, str, dict[str, Any], tuple[dict[str, Any], ...]]]:
    for template, item in document["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                yield template, method, operation, tuple(item.get("parameters", ()))


def _matches(template: str, path: str) -> bool:
    pattern = "".join(
        "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^}]*\})", template)
    )
    return template == path or re.fullmatch(pattern, path) is not None


def _schema(holder: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of a response or request body: Swagger keeps it direct, OpenAPI 3 per media type."""
    content = holder.get("content", {}).get("application/json", holder)
    schema: dict[str, Any] | None = content.get("schema")
    return schema


def _resolve(uri: str, part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: dict[str, Any] = _registry().resolver(uri).lookup(part["$ref"]).contents
    return found


@cache
def _registry() -> Registry[Any]:
    return Registry(retrieve=_retrieve)  # type: ignore[call-arg]  # an attrs alias that mypy doesn't see


@cache
def _retrieve(uri: str) -> Resource[Any]:
    return DRAFT4.create_resource(_load(uri))


@cache
def _load(uri: str) -> dict[str, Any]:
    text = Path(uri.removeprefix("file://")).read_text("utf-8-sig")
    document: dict[str, Any] = _adapted(json.loads(text))
    return document


def _adapted(part: Any) -> Any:
    """Return the specification as Draft 4 understands it.

    Graph's generated OpenAPI requires `@odata.type` everywhere though the service omits it, and writes
    "nullable reference" as anyOf with a bare object, which would accept anything.
    """
    if isinstance(part, list):
        return [_adapted(p) for p in part]
    if not isinstance(part, dict):
        return part
    adapted = {k: _adapted(v) for k, v in part.items()}
    if isinstance(required := adapted.get("required"), list):
        kept = [name for name in required if name != "@odata.type"]
        adapted.pop("required")
        adapted |= {"required": kept} if kept else {}  # Draft 4 allows no empty list here
    if isinstance(choices := adapted.get("anyOf"), list) and len(choices) > 1:
        adapted["anyOf"] = [c for c in choices if c != {"type": "object", "nullable": True}] or choices
    return adapted
