"""Has the app of a running company do at once what a timer would start, and waits until that is over."""

from typing import Any

from local.stack import Stack

_ENDED = frozenset({"Completed", "Failed", "Terminated"})


def begun(stack: Stack, name: str) -> str:
    """Fire the timer of an orchestrator and return which pass was the one before, which `passed` asks for."""
    before, timer = _run(status(stack, name)), f"/admin/functions/{name}_timer"
    answer = stack.call("POST", timer, {})
    if answer[0] != 202:
        raise TimeoutError(f"{timer} answered {answer}")
    return before


def passed(stack: Stack, name: str, before: str) -> bool:
    """Tell whether a later pass than `before` has ended."""
    found = status(stack, name)
    return found.get("runtimeStatus") in _ENDED and _run(found) != before


def done(stack: Stack, name: str, *, timeout: float = 60) -> dict[str, Any]:
    """Fire the timer and return the status of the pass once it ended."""
    before = begun(stack, name)
    stack.host.wait_for(lambda: passed(stack, name, before), f"{name} has ended", timeout=timeout)
    return status(stack, name)


def status(stack: Stack, name: str) -> dict[str, Any]:
    """Return the status of the latest pass; empty if there was none."""
    _, found = stack.get(f"/runtime/webhooks/durabletask/instances/{name}?showInput=false")
    return found if isinstance(found, dict) and "runtimeStatus" in found else {}


def _run(found: dict[str, Any]) -> str:
    """Return which pass it is: two may begin within the second that their times are told to."""
    custom = found.get("customStatus") or {}
    return str(custom.get("run_id", ""))
