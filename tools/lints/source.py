"""A parsed Python file and the dotted names behind its identifiers."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

PRODUCT = ("function_app.py", "triggers", "orchestrators", "activities", "rekey")


@dataclass(frozen=True, order=True)
class Finding:
    """One broken rule at one line (lines count from 1); the message says what to write instead."""

    path: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        """Give the form that editors and terminals turn into a link."""
        return f"{self.path}:{self.line}: {self.rule}: {self.message}"


class Source:
    """A file of the project; `path` is relative to the project's root, with forward slashes.

    Raises SyntaxError where the text is no Python 3.13.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.parts = PurePosixPath(path).parts
        self.tree = ast.parse(text, filename=path)

    def within(self, *folders: str) -> bool:
        """Tell whether the file lies in one of these top-level folders, or is one of these top-level files."""
        return self.parts[0] in folders

    def finding(self, node: ast.AST, rule: str, message: str) -> Finding:
        """Make a finding at the line of `node`."""
        return Finding(self.path, getattr(node, "lineno", 1), rule, message)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All nodes of the file, each once."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        """All calls of the file, decorators with arguments included."""
        return tuple(node for node in self.nodes if isinstance(node, ast.Call))

    @cached_property
    def imports(self) -> tuple[tuple[ast.AST, str, str], ...]:
        """Every import wherever it stands: its node, the local name, the dotted origin."""
        return tuple(found for node in self.nodes for found in self._imported(node))

    @cached_property
    def origins(self) -> dict[str, str]:
        """Local name to dotted origin, over all scopes of the file."""
        return {local: origin for _, local, origin in self.imports}

    def origin(self, node: ast.AST) -> str:
        """Return the dotted name behind a name or attribute chain, "" for anything else.

        A name that isn't imported stands for itself: a builtin or something of this file.
        """
        if isinstance(node, ast.Name):
            return self.origins.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            base = self.origin(node.value)
            return f"{base}.{node.attr}" if base else ""
        return ""

    def _imported(self, node: ast.AST) -> Iterator[tuple[ast.AST, str, str]]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds `a`; the attribute chain then spells out the rest.
                local = alias.asname or alias.name.partition(".")[0]
                yield node, local, alias.name if alias.asname else local
                if not alias.asname and "." in alias.name:
                    yield node, alias.name, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = self._absolute(node)
            for alias in node.names:
                yield node, alias.asname or alias.name, f"{base}.{alias.name}"

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.parts[: len(self.parts) - node.level]
        return ".".join((*package, *filter(None, (node.module,))))


def matches(name: str, *prefixes: str) -> bool:
    """Tell whether a dotted name is one of the prefixes or lies below one."""
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """Return the value given to a keyword argument, None where it isn't given."""
    return next((argument.value for argument in call.keywords if argument.arg == name), None)
