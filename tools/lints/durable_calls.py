"""How the durable engine is asked for work: with an input, by a name of rekey.names, never with its own retries."""

import ast
from collections.abc import Iterator

from tools.lints.source import PRODUCT, Finding, Source, keyword, matches

RETRY = "no-retry-policy"
CALL = "durable-call"

SCHEDULERS = {"call_activity": "activity", "call_sub_orchestrator": "orchestrator"}
"""Method to the keyword that may carry the name."""
WITH_RETRY = ("call_activity_with_retry", "call_sub_orchestrator_with_retry")
ENGINES = ("durabletask", "azure.durable_functions")


def check(source: Source) -> Iterator[Finding]:
    """Find the engine's retry policies, and work scheduled without an input or by a name of its own."""
    if source.within(*PRODUCT):
        yield from _retries(source)
        for call in source.calls:
            if isinstance(call.func, ast.Attribute) and call.func.attr in SCHEDULERS:
                yield from _scheduled(source, call, call.func.attr)


def _retries(source: Source) -> Iterator[Finding]:
    # The engine's policy retries permanent errors, has no jitter, and its timeout reads the clock during replay.
    advice = "retries come from outcomes, in the orchestrator that turns them into attempts"
    for node in source.nodes:
        if isinstance(node, ast.Attribute | ast.Name) and _is_retry(source.origin(node)):
            yield source.finding(node, RETRY, f"{source.origin(node)}: {advice}")
    for node, _, origin in source.imports:
        if _is_retry(origin):
            yield source.finding(node, RETRY, f"imports {origin}: {advice}")
    for call in source.calls:
        # SDK clients take an argument of the same name for their HTTP pipeline: that one is a different thing.
        durable = isinstance(call.func, ast.Attribute) and call.func.attr.startswith("call_")
        if (durable or not source.within("rekey")) and keyword(call, "retry_policy"):
            yield source.finding(call, RETRY, f"retry_policy=: {advice}")


def _is_retry(origin: str) -> bool:
    last = origin.rpartition(".")[2]
    engines_own = last in {"RetryPolicy", "RetryOptions"} and matches(origin, *ENGINES)
    return engines_own or last in {"RetryOptions", *WITH_RETRY}


def _scheduled(source: Source, call: ast.Call, method: str) -> Iterator[Finding]:
    if keyword(call, "input") is None:
        # azure-functions-durable 2.0.0rc3: without an input the real host hands over none, and decoding fails.
        yield source.finding(call, CALL, f"{method} without input=: an absent input breaks on the real host")
    name = call.args[0] if call.args else keyword(call, SCHEDULERS[method])
    if name is None or not _is_shared_name(source, name):
        yield source.finding(call, CALL, f"{method} takes its name from rekey.names")


def _is_shared_name(source: Source, node: ast.expr) -> bool:
    """Accept a constant of rekey.names, or what was passed in: then the caller's name is judged."""
    origin = source.origin(node)
    if matches(origin, "rekey.names"):
        return True
    if isinstance(node, ast.Name):
        return node.id not in source.origins and node.id not in _module_level(source)
    return isinstance(node, ast.Attribute) and origin.partition(".")[0] not in source.origins


def _module_level(source: Source) -> set[str]:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    named = {node.name for node in source.tree.body if isinstance(node, functions)}
    literals = {
        target.id
        for node in source.nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.JoinedStr)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return named | literals
