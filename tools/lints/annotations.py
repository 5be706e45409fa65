"""What the Functions worker accepts as the type of a bound parameter: a plain class."""

import ast
from collections.abc import Iterator

from tools.lints.source import Finding, Source

RULE = "trigger-annotation"

BINDING_SUFFIXES = ("_trigger", "_input", "_output")
BINDINGS = ("route", "schedule", "function_name", "generic_trigger")


def check(source: Source) -> Iterator[Finding]:
    """Find generics and unions on the parameters of functions that carry a Functions decorator."""
    if not source.within("function_app.py", "triggers", "activities", "orchestrators"):
        return
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(map(_binds, node.decorator_list)):
            for parameter in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
                if parameter.annotation and not _is_plain(parameter.annotation):
                    message = f"{parameter.arg}: {ast.unparse(parameter.annotation)} is refused by the worker; "
                    yield source.finding(parameter, RULE, message + "write the plain class (dict, str, ...)")


def _binds(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    if not isinstance(called, ast.Attribute):
        return False
    return called.attr.endswith(BINDING_SUFFIXES) or called.attr in BINDINGS


def _is_plain(annotation: ast.expr) -> bool:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _is_plain(ast.parse(annotation.value, mode="eval").body)
    return isinstance(annotation, ast.Name | ast.Attribute)
