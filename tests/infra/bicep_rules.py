"""What a compiler would refuse: names nobody declared, modules called wrongly, names that aren't known beforehand."""

import re
from collections.abc import Iterator
from pathlib import Path

from tree_sitter import Node

from tests.infra.bicep_source import Declaration, Expression, Template, Value, parts, source, walk

FUNCTIONS = frozenset(
    {
        *(
            "contains",
            "empty",
            "fail",
            "filter",
            "flatten",
            "guid",
            "indexOf",
            "items",
            "join",
            "length",
            "map",
            "replace",
            "split",
            "string",
        ),
        *(
            "take",
            "toLower",
            "toObject",
            "union",
            "uniqueString",
            "loadJsonContent",
            "loadTextContent",
            "readEnvironmentVariable",
        ),
        *("environment", "resourceGroup", "subscription", "subscriptionResourceId"),
    }
)
"""Those that the templates use, so that a new one gets a look at its page before it gets a row here.

https://learn.microsoft.com/azure/azure-resource-manager/bicep/bicep-functions.
"""

DECORATORS = frozenset({"allowed", "description", "maxLength", "maxValue", "minLength", "minValue"})
_MODULE_KEYS = frozenset({"name", "scope", "params", "dependsOn"})
_RUNTIME = frozenset({"properties", "outputs", "identity"})
_LITERALS = {bool: "bool", int: "int", str: "string", list: "array", dict: "object"}
_NAMED = ("parameter", "variable", "resource", "module")


def symbols(template: Template) -> dict[str, Node]:
    """Return everything a file declares that an expression may name, with its declaration."""
    return {source(parts(node)[0]): node for kind in _NAMED for node in template.statements(f"{kind}_declaration")}


def undeclared(template: Template) -> list[str]:
    """Name what is used and not declared, as a symbol, a function or a type."""
    known = set(symbols(template)) | template.types
    found = []
    for statement in template.statements():
        local = {source(n) for n in _local_names(statement)}
        for node in _names(statement):
            name = source(node)
            if _is_call(node):
                if name not in FUNCTIONS | DECORATORS:
                    found.append(_at(template, node, f"there is no function {name}"))
            elif name not in known | local:
                found.append(_at(template, node, f"{name} is not declared"))
    return found


def ill_named(template: Template) -> list[str]:
    """Name what is declared twice, under a function's name, or by a local variable as well."""
    declared = [parts(node)[0] for kind in _NAMED for node in template.statements(f"{kind}_declaration")]
    names = [source(node) for node in declared]
    found = [_at(template, n, f"{source(n)} is declared twice") for n in declared if names.count(source(n)) > 1]
    found += [
        _at(template, n, f"{source(n)} hides the function of that name") for n in declared if source(n) in FUNCTIONS
    ]
    inner = [n for statement in template.statements() for n in _local_names(statement)]
    return found + [_at(template, n, f"{source(n)} hides a declaration") for n in inner if source(n) in names]


def unused(template: Template) -> list[str]:
    """Name the parameters and variables that nothing uses."""
    used = {source(n) for statement in template.statements() for n in _names(statement) if not _is_call(n)}
    return [
        f"{template.path.name}: nothing uses {name}"
        for name in (*template.parameters, *template.variables)
        if name not in used
    ]


def bad_calls(template: Template) -> list[str]:
    """Say which modules are called with other parameters than they declare, or asked for what they don't put out."""
    found = []
    for module in template.modules.values():
        target = template.path.parent / module.kind
        if not target.is_file():
            found.append(f"{module.symbol}: there is no file {module.kind}")
            continue
        found += [f"{module.symbol}: no module property {key}" for key in set(module.body) - _MODULE_KEYS]
        given = module.body.get("params", {})
        assert isinstance(given, dict)
        found += mismatches(module.symbol, set(given), Template(target))
        found += _wrong_types(template, module.symbol, given, Template(target))
    return found + _bad_outputs(template)


def mismatches(caller: str, given: set[str], callee: Template) -> list[str]:
    """Say which parameters are given and not declared, or required and not given."""
    required = {name for name, parameter in callee.parameters.items() if not parameter.optional}
    return [
        f"{caller}: {callee.path.name} has no parameter {name}" for name in sorted(given - set(callee.parameters))
    ] + [f"{caller}: {callee.path.name} needs {name}" for name in sorted(required - given)]


def late_names(template: Template) -> list[str]:
    """Say which names, scopes, conditions and loops hang on what is only known once something is deployed."""
    declared = template.resources | template.modules
    found = []
    for one in declared.values():
        for part in _deciding(one):
            for name, properties, _, node in template.chains():
                if name in declared and properties[0] in _RUNTIME and _within(node, part):
                    found.append(_at(template, node, f"{one.symbol}: {name}.{properties[0]} is not known at the start"))
    return found


def orphans(template: Template) -> list[str]:
    """Say which resources of a child type have no parent of the type above."""
    found = []
    for one in template.resources.values():
        above, _, last = one.type.rpartition("/")
        if one.type.count("/") > 1:
            parent = one.body.get("parent")
            symbol = getattr(parent, "text", "")
            if symbol not in template.resources or template.resources[symbol].type != above:
                found.append(f"{one.symbol}: {last} needs a parent of type {above}")
    return found


def _wrong_types(template: Template, caller: str, given: dict[str, Value], callee: Template) -> list[str]:
    """What is given as it stands, or as a parameter or output of a declared type, is held to the parameter's type."""
    found = []
    for name in set(given) & set(callee.parameters):
        wanted, got = callee.parameters[name].type, _type(template, given[name])
        if got and got != wanted and not (got == "array" and wanted.endswith("[]")):
            found.append(f"{caller}: {name} is {got}, and {callee.path.name} wants {wanted}")
    return found


def _type(template: Template, given: Value) -> str:
    """Return the type of a value, "" where it isn't obvious."""
    if isinstance(given, Expression):
        if given.text in template.parameters:
            return template.parameters[given.text].type
        output = re.fullmatch(r"(\w+)\.outputs\.(\w+)", given.text)
        if output and output[1] in template.modules:
            target = template.path.parent / template.modules[output[1]].kind
            return Template(target).output_types.get(output[2], "") if target.is_file() else ""
        return "string" if given.node.type == "string" else ""
    return _LITERALS.get(type(given), "")


def _bad_outputs(template: Template) -> list[str]:
    found = []
    for name, properties, indexed, node in template.chains():
        module = template.modules.get(name)
        if module is None:
            continue
        target = template.path.parent / module.kind
        wanted = properties[1] if len(properties) > 1 else ""
        if properties[0] != "outputs" or (target.is_file() and wanted not in Template(target).outputs):
            found.append(_at(template, node, f"{module.kind} has no {'.'.join(properties)}"))
        if module.looped != indexed:
            found.append(_at(template, node, f"{name} is {'a' if module.looped else 'no'} loop"))
    return found


def _deciding(one: Declaration) -> Iterator[Node]:
    """A looped or conditional declaration's own parts, and the name and scope in its body."""
    node = one.node
    for child in walk(node):
        if (
            child.type == "object_property"
            and source(parts(child)[0]) in {"name", "scope"}
            and _depth(child, node) == 1
        ):
            yield parts(child)[-1]
        if child.type == "for_statement" and _depth(child, node) == 0:
            yield parts(child)[1]
        if child.type == "if_statement" and _depth(child, node) == 0:
            yield parts(child)[0]


def _depth(node: Node, top: Node) -> int:
    """Count the objects between a node and the declaration it belongs to."""
    depth, above = 0, node.parent
    while above is not None and above != top:
        depth += above.type == "object"
        above = above.parent
    return depth


def _within(node: Node, part: Node) -> bool:
    return part.start_byte <= node.start_byte and node.end_byte <= part.end_byte


def _names(statement: Node) -> Iterator[Node]:
    """Every identifier that stands for something: no declared name, no key, no name of a local variable."""
    own = parts(statement)[0] if statement.type.endswith("_declaration") else None
    local = list(_local_names(statement))
    for node in walk(statement):
        if node.type == "identifier" and node != own and node not in local and not _is_key(node):
            yield node


def _local_names(statement: Node) -> Iterator[Node]:
    for node in walk(statement):
        if node.type in {"lambda_expression", "for_statement"}:
            first = parts(node)[0]
            yield from (n for n in walk(first) if n.type in {"identifier", "loop_variable", "loop_enumerator"})


def _is_key(node: Node) -> bool:
    return node.parent is not None and node.parent.type == "object_property" and parts(node.parent)[0] == node


def _is_call(node: Node) -> bool:
    return node.parent is not None and node.parent.type == "call_expression" and parts(node.parent)[0] == node


def _at(template: Template, node: Node, message: str) -> str:
    return f"{template.path.name}:{node.start_point[0] + 1}: {message}"


def templates(root: Path) -> list[Template]:
    """Return every Bicep file below a folder."""
    return [Template(path) for path in sorted(root.rglob("*.bicep"))]
