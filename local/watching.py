"""Has the app of a running company look at its vaults' audit logs, as its timer would."""

from typing import Any

from local.passes import done
from local.processes import wait_until
from local.stack import Stack
from rekey import names

TIMER = f"/admin/functions/{names.WATCH_VAULT_ACCESS}_timer"


def watched(stack: Stack, *, late: int = 0, timeout: float = 60) -> dict[str, Any]:
    """Wait until the logs have all that happened, fire the timer, and return the status of the pass once it ended.

    `late`: so many records are known not to be there in time.
    """
    wait_until(lambda: stack.control.audit_waiting() <= late, "the audit logs have what happened", timeout=timeout)
    return done(stack, names.WATCH_VAULT_ACCESS, timeout=timeout)
