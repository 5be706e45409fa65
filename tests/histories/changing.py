"""Changes orchestrators as people might: every place of every kind, found in the source, one at a time."""

import ast
import operator
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import override

FOLDER = Path(__file__).parents[2] / "orchestrators"
ADDED = "added_step"
MOST_TURNS = 1_000
"""More than any loop of an orchestrator takes in a recorded history."""
CLOCK = (
    "__import__('types').SimpleNamespace(current_utc_datetime=__import__('datetime').datetime.now())"  # any clock does
)
CHANCE = "lambda: str(__import__('uuid').uuid4())"

type Edit = tuple[str, int, Callable[[], None]]
"""What is changed, in which line, and the change itself."""


@dataclass(frozen=True)
class Change:
    """One changed module of the orchestrators."""

    what: str
    line: int
    path: Path
    tree: ast.Module

    def __str__(self) -> str:
        """Say where and what."""
        return f"{self.path.name}:{self.line}: {self.what}"


def modules() -> list[Path]:
    """Return the files that orchestrators are made of."""
    return sorted(FOLDER.glob("*.py"))


def changes(path: Path) -> Iterator[Change]:
    """Return every change to a module that breaks instances in flight, at every place there is for it."""
    source = path.read_text(encoding="utf-8")
    for number in range(sum(1 for _ in _edits(ast.parse(source)))):
        tree = ast.parse(source)
        what, line, edit = list(_edits(tree))[number]
        edit()
        yield Change(what, line, path, ast.fix_missing_locations(tree))


def kinds(path: Path) -> set[str]:
    """Return what kinds of changes there are places for in a module."""
    return {what for what, _line, _edit in _edits(ast.parse(path.read_text(encoding="utf-8")))}


def unchanged(path: Path) -> Change:
    """Return the change that changes nothing."""
    return Change("nothing", 1, path, ast.parse(path.read_text(encoding="utf-8")))


@cache
def imported(stem: str) -> frozenset[str]:
    """Return a module and those of the orchestrators that it imports, however indirectly."""
    source = (FOLDER / f"{stem}.py").read_text(encoding="utf-8")
    return frozenset({stem}).union(
        *map(imported, re.findall(r"^from orchestrators\.(\w+) import", source, re.MULTILINE))
    )


@cache
def concerned(stem: str) -> frozenset[str]:
    """Return the modules that a change of one can be noticed in."""
    return frozenset(path.stem for path in modules() if stem in imported(path.stem))


@contextmanager
def applied(change: Change) -> Iterator[None]:
    """Let the orchestrators that it concerns be imported anew with the change, and as they were afterwards."""
    before = _take_out(change.path.stem)
    finder = _Finder(change)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        _take_out(change.path.stem)
        sys.modules.update(before)


def _take_out(stem: str) -> dict[str, ModuleType]:
    names = {f"orchestrators.{one}" for one in concerned(stem)}
    return {name: sys.modules.pop(name) for name in names & sys.modules.keys()}


class _Finder(MetaPathFinder, Loader):
    """Gives the import system the changed module instead of the file."""

    def __init__(self, change: Change) -> None:
        self._change = change

    @override
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        changed = fullname == f"orchestrators.{self._change.path.stem}"
        return spec_from_loader(fullname, self, origin=str(self._change.path)) if changed else None

    @override
    def exec_module(self, module: ModuleType) -> None:
        tree = ast.fix_missing_locations(_Bounded().visit(self._change.tree))
        exec(compile(tree, str(self._change.path), "exec"), vars(module))  # noqa: S102 - it is our source


class _Bounded(ast.NodeTransformer):
    """Ends a loop that a dropped step made endless: it fails, as every other change does."""

    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        """Count the turns of a loop from each time it is entered."""
        self.generic_visit(node)
        turns = f"turns_{node.lineno}"
        node.body[:0] = ast.parse(f"if next({turns}) > {MOST_TURNS}: raise RuntimeError('endless')").body
        return [*ast.parse(f"{turns} = iter(range({MOST_TURNS + 2}))").body, node]


def _edits(node: ast.AST, context: str = "") -> Iterator[Edit]:
    """Find the places below a node; `context` is how the code there names the orchestration's context."""
    if isinstance(node, ast.ClassDef):
        context = _kept_as(node)
    if isinstance(node, ast.FunctionDef):
        context = next((a.arg for a in node.args.args if a.arg in {"ctx", "context"}), context)
    if isinstance(node, ast.Attribute) and node.attr == "call_sub_orchestrator":
        yield (
            "a sub-orchestration turned into an activity",
            node.lineno,
            partial(setattr, node, "attr", "call_activity"),
        )
    if isinstance(node, ast.Attribute) and node.attr == "current_utc_datetime":
        yield "another clock than the context's", node.lineno, partial(setattr, node, "value", _expression(CLOCK))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "new_uuid":
        yield "another id than the context's", node.lineno, partial(setattr, node, "func", _expression(CHANCE))
    for field in ("body", "orelse", "finalbody"):
        listed = getattr(node, field, None)
        if isinstance(listed, list):
            yield from _in_order(listed, context)
    for child in ast.iter_child_nodes(node):
        yield from _edits(child, context)


def _in_order(listed: list[ast.stmt], context: str) -> Iterator[Edit]:
    for place, statement in enumerate(listed):
        if not _waits(statement):
            continue
        line = statement.lineno
        if context:
            added = ast.parse(f"yield {context}.call_activity({ADDED!r}, input=None)").body[0]
            yield "a step added", line, partial(listed.insert, place, added)
        if place + 1 < len(listed) and _waits(listed[place + 1]):
            yield "two steps swapped", line, partial(_swap, listed, place)
        if isinstance(statement, ast.Expr):
            what = "a timer dropped" if "create_timer" in ast.unparse(statement) else "a step dropped"
            nothing = ast.parse("yield from ()").body[0]
            yield what, line, partial(operator.setitem, listed, place, nothing)


def _swap(listed: list[ast.stmt], place: int) -> None:
    listed[place], listed[place + 1] = listed[place + 1], listed[place]


def _waits(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return False
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in ast.walk(statement))


def _kept_as(found: ast.ClassDef) -> str:
    """Return how a class's methods name the context that its constructor was given."""
    for node in ast.walk(found):
        if isinstance(node, ast.Assign) and ast.unparse(node.value) in {"ctx", "context"}:
            return ast.unparse(node.targets[0])
    return ""


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
