"""Has the app of a running company look at its vaults' audit logs, as its timer would."""

from typing import Any

from local.processes import wait_until
from local.stack import Stack
from rekey import names

TIMER = "/admin/functions/watch_vault_access_timer"
_INSTANCE = f"/runtime/webhooks/durabletask/instances/{names.WATCH_VAULT_ACCESS}?showInput=false"
_ENDED = frozenset({"Completed", "Failed", "Terminated"})


def watched(stack: Stack, *, late: int = 0, timeout: float = 60) -> dict[str, Any]:
    """Wait until the logs have all that happened, fire the timer, and return the status of the pass once it ended.

    `late`: so many records are known not to be there in time.
    """
    wait_until(lambda: stack.control.audit_waiting() <= late, "the audit logs have what happened", timeout=timeout)
    began = begun(stack)
    stack.host.wait_for(lambda: passed(stack, began), "the audit logs were looked at", timeout=timeout)
    return status(stack)


def begun(stack: Stack) -> str:
    """Fire the timer and return which pass was the one before, which `passed` asks for."""
    before = _run(status(stack))
    answer = stack.call("POST", TIMER, {})
    if answer[0] != 202:
        raise TimeoutError(f"{TIMER} answered {answer}")
    return before


def passed(stack: Stack, before: str) -> bool:
    """Tell whether a later pass than `before` has ended."""
    found = status(stack)
    return found.get("runtimeStatus") in _ENDED and _run(found) != before


def status(stack: Stack) -> dict[str, Any]:
    """Return the status of the latest pass; empty if there was none."""
    _, found = stack.get(_INSTANCE)
    return found if isinstance(found, dict) and "runtimeStatus" in found else {}


def _run(found: dict[str, Any]) -> str:
    """Return which pass it is: two may begin within the second that their times are told to."""
    custom = found.get("customStatus") or {}
    return str(custom.get("run_id", ""))
