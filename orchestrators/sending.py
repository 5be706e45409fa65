"""How a notice leaves an orchestrator: a mail that doesn't go out waits in the outbox, what it is about goes on."""

from datetime import timedelta
from typing import Any

from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps, attempted
from rekey import names
from rekey.model import Telling

MAIL_PATIENCE = timedelta(minutes=2)
"""How long a mail may hold up a rotation; after that it goes to the outbox."""


class Sender:
    """Sends notices; `remarks` are for those that follow."""

    def __init__(self, ctx: OrchestrationContext) -> None:
        self._ctx = ctx
        self.remarks: list[str] = []
        self.down = False
        """A mail didn't go: what comes in a row shouldn't wait as long each time."""

    def send(self, telling: Telling) -> Steps[bool]:
        """Send a notice, or have it kept; False if neither could be done."""
        try:
            yield from attempted(self._ctx, names.NOTIFY_OWNERS, telling, MAIL_PATIENCE)
        except StepFailed:
            self.down = True
            try:
                yield from attempted(self._ctx, names.NOTIFY_OWNERS, telling.kept(), MAIL_PATIENCE)
            except StepFailed:
                self.remarks.append(f"The notice {telling.notice.kind} could be neither sent nor kept.")
                return False
        return True


def of_failure(failure: StepFailed) -> dict[str, Any]:
    """Return what a notice says of a failure."""
    return {
        "failed_step": failure.step,
        "code": failure.code,
        "message": failure.message,
        "what_to_do": failure.what_to_do,
    }
