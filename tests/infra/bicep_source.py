"""Reads Bicep through tree-sitter: declarations by kind, and their values as far as they are written out.

No compiler: what the grammar takes in is a file that parses. The grammar binds `x => a.b` and `a ? b : c.d` less
tightly than Bicep does, so that whoever looks for the base of an access has to look through both (see `base`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))

type Value = str | int | bool | list["Value"] | dict[str, "Value"] | Expression | None


@dataclass(frozen=True)
class Expression:
    """A value that isn't written out: an interpolated string, a reference, a call, a loop."""

    text: str
    node: Node


@dataclass(frozen=True)
class Parameter:
    """One parameter: its type as written, and whether it may be left out."""

    name: str
    type: str
    optional: bool
    decorators: tuple[str, ...]


@dataclass(frozen=True)
class Declaration:
    """One resource or module: `kind` is `type@version` of a resource, the path of a module."""

    symbol: str
    kind: str
    body: dict[str, Value]
    node: Node
    existing: bool = False
    conditional: bool = False
    looped: bool = False

    @property
    def type(self) -> str:
        """A resource's type without its version."""
        return self.kind.partition("@")[0]


class Template:
    """One Bicep file."""

    def __init__(self, path: Path, text: str | None = None) -> None:
        self.path = path
        self.root = _PARSER.parse((path.read_text(encoding="utf-8") if text is None else text).encode()).root_node

    @cached_property
    def errors(self) -> list[str]:
        """Where the file can't be parsed."""
        broken = (node for node in walk(self.root) if node.type == "ERROR" or node.is_missing)
        return [f"{self.path.name}:{n.start_point[0] + 1}: can't be parsed: {source(n)[:60]!r}" for n in broken]

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters by name."""
        found = {}
        for node in self.statements("parameter_declaration"):
            name, kind, *default = parts(node)
            decorators = tuple(source(d) for d in walk(_before(node)) if d.type == "decorator") if _before(node) else ()
            optional = bool(default) or source(kind).endswith("?")
            found[source(name)] = Parameter(source(name), source(kind), optional, decorators)
        return found

    @cached_property
    def variables(self) -> dict[str, Value]:
        """The variables by name."""
        return {source(parts(n)[0]): value(parts(n)[-1]) for n in self.statements("variable_declaration")}

    @cached_property
    def resources(self) -> dict[str, Declaration]:
        """The resources by symbol."""
        return {d.symbol: d for d in map(_declaration, self.statements("resource_declaration"))}

    @cached_property
    def modules(self) -> dict[str, Declaration]:
        """The modules by symbol."""
        return {d.symbol: d for d in map(_declaration, self.statements("module_declaration"))}

    @cached_property
    def outputs(self) -> dict[str, Node]:
        """What each output is."""
        return {source(parts(n)[0]): parts(n)[-1] for n in self.statements("output_declaration")}

    @cached_property
    def output_types(self) -> dict[str, str]:
        """The type of each output, as written."""
        return {source(parts(n)[0]): source(parts(n)[1]) for n in self.statements("output_declaration")}

    @cached_property
    def types(self) -> set[str]:
        """The names of user-defined types."""
        return {source(parts(n)[0]) for n in self.statements("type_declaration")}

    def statements(self, *kinds: str) -> Iterator[Node]:
        """Return the declarations of these kinds; all without one."""
        return (n for n in self.root.children if n.is_named and n.type != "comment" and (not kinds or n.type in kinds))

    def chains(self) -> Iterator[tuple[str, tuple[str, ...], bool, Node]]:
        """Return each access in full: its base, the properties asked of it, whether it was indexed, its node."""
        for node in walk(self.root):
            if node.type == "member_expression" and not _continued(node):
                first, properties, indexed = base(node)
                if first.type == "identifier":
                    yield source(first), properties, indexed, node


def base(node: Node) -> tuple[Node, tuple[str, ...], bool]:
    """Return what an access starts from, the properties it asks for, and whether an index was among them."""
    properties: list[str] = []
    indexed = False
    while True:
        if node.type == "member_expression":
            properties.insert(0, source(parts(node)[-1]))
            node = parts(node)[0]
        elif node.type == "subscript_expression":
            indexed, node = True, parts(node)[0]
        elif node.type in {"ternary_expression", "lambda_expression", "binary_expression", "unary_expression"}:
            node = parts(node)[-1]
        else:
            return node, tuple(properties), indexed


def source(node: Node) -> str:
    """Return the text of a node."""
    return (node.text or b"").decode()


def parts(node: Node) -> list[Node]:
    """Return the named children, comments left out."""
    return [n for n in node.named_children if n.type != "comment"]


def walk(node: Node | None) -> Iterator[Node]:
    """Return a node and everything below it."""
    if node is not None:
        yield node
        for child in node.children:
            yield from walk(child)


def value(node: Node) -> Value:
    """Return what a node says, as far as it is written out."""
    match node.type:
        case "string" if not any(n.type == "interpolation" for n in parts(node)):
            return re.sub(r"\\(.)", r"\1", source(node)[1:-1])
        case "number":
            return int(source(node))
        case "boolean":
            return source(node) == "true"
        case "null":
            return None
        case "object":
            return {_key(p): value(parts(p)[-1]) for p in parts(node) if p.type == "object_property"}
        case "array" if not any(n.type == "for_statement" for n in parts(node)):
            return [value(n) for n in parts(node)]
        case "parenthesized_expression":
            return value(parts(node)[0])
        case "unary_expression" if re.fullmatch(r"-\d+", source(node)):
            return int(source(node))
    return Expression(source(node), node)


def _key(property_node: Node) -> str:
    """A key that is interpolated keeps its `${`, which no property's name has."""
    return source(parts(property_node)[0]).strip("'")


def _declaration(node: Node) -> Declaration:
    symbol, kind, body = parts(node)[0], parts(node)[1], parts(node)[-1]
    looped = body.type == "for_statement"
    if looped:
        body = parts(body)[-1]
    conditional = body.type == "if_statement"
    if conditional:
        body = parts(body)[-1]
    written = value(body)
    assert isinstance(written, dict), f"{source(symbol)} has no body"
    existing = any(n.type == "existing" for n in node.children)
    return Declaration(source(symbol), source(kind).strip("'"), written, node, existing, conditional, looped)


def _before(node: Node) -> Node | None:
    found = node.prev_named_sibling
    return found if found is not None and found.type == "decorators" else None


def _continued(node: Node) -> bool:
    return (
        node.parent is not None
        and node.parent.type in {"member_expression", "subscript_expression"}
        and (parts(node.parent)[0] == node)
    )
