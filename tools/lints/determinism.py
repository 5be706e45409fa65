"""What an orchestrator may use: only what gives the same result when its history is replayed.

https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-code-constraints
"""

import ast
from collections.abc import Iterator

from tools.lints.source import Finding, Source, keyword, matches

RULE = "orchestrator-determinism"

IMPORTABLE = (
    *("__future__", "collections", "dataclasses", "datetime", "enum", "functools", "hashlib", "itertools"),
    *("json", "logging", "math", "operator", "re", "types", "typing", "uuid"),
    *("msgspec", "durabletask", "azure.durable_functions"),
    *("rekey.due", "rekey.model", "rekey.names", "orchestrators"),
)
"""Pure, or replay-safe by design. Whoever adds to this list vouches for that."""

BANNED_CALLS = {
    "open": "reads files; let an activity do it",
    "print": "prints again on every replay; use context.create_replay_safe_logger",
    "input": "reads a terminal",
    "hash": "differs between processes; use hashlib",
    "id": "differs between processes",
    "uuid.uuid1": "is new on every replay; use context.new_uuid()",
    "uuid.uuid4": "is new on every replay; use context.new_uuid()",
    "uuid.uuid6": "is new on every replay; use context.new_uuid()",
    "uuid.uuid7": "is new on every replay; use context.new_uuid()",
    "uuid.getnode": "differs between machines",
    "eval": "runs what no rule has read",
    "exec": "runs what no rule has read",
    "__import__": "imports what no rule has read",
}
CLOCKS = ("now", "utcnow", "today")
LOG_METHODS = ("debug", "info", "warning", "error", "exception", "critical", "log")


def check(source: Source) -> Iterator[Finding]:
    """Find clocks, randomness, environment, I/O, concurrency and global state in orchestrators/."""
    if source.within("orchestrators"):
        yield from _imports(source)
        yield from _calls(source)
        yield from _statements(source)
        yield from _loggers(source)


def _imports(source: Source) -> Iterator[Finding]:
    for node, _, origin in source.imports:
        if not (matches(origin, *IMPORTABLE) or _is_parent(node, origin)):
            yield source.finding(node, RULE, f"imports {origin}, which isn't known to replay; an activity may")


def _is_parent(node: ast.AST, origin: str) -> bool:
    # `import azure.durable_functions` also binds `azure`; the full name is judged by itself.
    return isinstance(node, ast.Import) and any(alias.name.startswith(f"{origin}.") for alias in node.names)


def _calls(source: Source) -> Iterator[Finding]:
    for call in source.calls:
        origin = source.origin(call.func)
        if reason := BANNED_CALLS.get(origin):
            yield source.finding(call, RULE, f"{origin}() {reason}")
        elif isinstance(call.func, ast.Attribute) and call.func.attr in CLOCKS:
            yield source.finding(call, RULE, f".{call.func.attr}() reads the clock; use context.current_utc_datetime")
        elif origin.endswith(".fromtimestamp") and not (call.args[1:] or keyword(call, "tz")):
            yield source.finding(call, RULE, "fromtimestamp() without tz depends on the machine's time zone")


def _statements(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield source.finding(node, RULE, "an orchestrator is a generator: `yield` tasks, no async and await")
        elif isinstance(node, ast.Global):
            yield source.finding(node, RULE, "global state is not replayed; pass it")
        elif isinstance(node, ast.For | ast.comprehension) and _is_set(node.iter):
            yield source.finding(node.iter, RULE, "a set's order differs between processes; sort it")


def _is_set(node: ast.expr) -> bool:
    made_by = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
    return isinstance(node, ast.Set | ast.SetComp) or made_by in {"set", "frozenset"}


def _loggers(source: Source) -> Iterator[Finding]:
    plain = {
        target.id
        for node in source.nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if source.origin(node.value.func) == "logging.getLogger"
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in source.calls:
        if isinstance(call.func, ast.Attribute) and call.func.attr in LOG_METHODS:
            origin = source.origin(call.func.value)
            chained = isinstance(call.func.value, ast.Call) and _makes_plain_logger(source, call.func.value)
            if origin == "logging" or origin in plain or chained:
                yield source.finding(call, RULE, "logs on every replay; use context.create_replay_safe_logger")


def _makes_plain_logger(source: Source, call: ast.Call) -> bool:
    return source.origin(call.func) == "logging.getLogger"
