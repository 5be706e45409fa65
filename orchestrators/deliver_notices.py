"""What waits in the outbox goes out, one mail after the other, as fast as the mail service's limits allow.

Digests of an earlier run come first, for they may have got out already; only when they are through are new ones made.
What can't go out now waits for the timer's next call: nothing here holds up a rotation.
"""

from collections import deque
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps, attempted
from orchestrators.clock import now
from orchestrators.forwarding import alone_forwarded
from rekey import names
from rekey.model import Delivered, Parcel, Sorted, Sorting, decode

blueprint = df.Blueprint()

PATIENCE = timedelta(minutes=3)
"""How long one mail is tried: longer than the limit of a minute holds, shorter than that of an hour."""

LONGEST = timedelta(minutes=30)
MOST_MAILS = 200
"""Of one run; the rest is for the next one, which sees what has come meanwhile."""

MOST_IN_A_ROW = 3
"""Mails that fail one after the other, until it's taken for the service's fault and not for theirs."""

_LIMITED = frozenset({"mail-limit", "mail-throttled"})


@blueprint.orchestration_trigger(context_name="context", orchestration=names.DELIVER_NOTICES)
def deliver_notices(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Send what waits: `done` with how many went, were refused for good, and why it stopped early; or `forwarded`."""
    del payload
    forwarded = yield from alone_forwarded(context, names.DELIVER_NOTICES)
    if forwarded:
        return forwarded
    return (yield from Delivery(context).run())


class Delivery:
    """One run over the outbox."""

    def __init__(self, ctx: OrchestrationContext) -> None:
        self.ctx = ctx
        self.ends = now(ctx) + LONGEST
        self.tried: set[Parcel] = set()
        self.in_vain = 0
        self.sent = 0
        self.failed = 0
        self.refused = 0
        self.stopped = ""

    def run(self) -> Steps[Any]:
        """Send digests that are left from an earlier run, then everything."""
        for fold in (False, True):
            try:
                found = yield from attempted(self.ctx, names.SORT_OUTBOX, Sorting(fold), PATIENCE)
            except StepFailed as failure:
                self.stopped = failure.code
            else:
                yield from self.send(decode(found, Sorted).parcels)
            if self.stopped:
                break
        return self.told()

    def send(self, parcels: Iterable[Parcel]) -> Steps[None]:
        """Send these, as long as it makes sense."""
        queue = deque(parcel for parcel in parcels if parcel not in self.tried)
        while queue and not self.stopped:
            parcel = queue.popleft()
            self.tried.add(parcel)
            try:
                answer = yield from attempted(self.ctx, names.DELIVER_MAIL, parcel, PATIENCE)
            except StepFailed as failure:
                self.stayed(failure.code)
            else:
                delivered = decode(answer, Delivered)
                queue.extendleft(delivered.again)
                self.went(delivered)
            self.ctx.set_custom_status(self.told())

    def went(self, delivered: Delivered) -> None:
        """Count what became of a mail."""
        self.sent += bool(delivered.accepted)
        self.refused += len(delivered.refused)
        self.in_vain = self.in_vain + 1 if delivered.refused and not delivered.accepted else 0
        self.stop("mail-refused")

    def stayed(self, code: str) -> None:
        """Count a mail that is tried again in a later run."""
        self.failed += 1
        self.in_vain += 1
        self.stop(code, limited=code in _LIMITED)

    def stop(self, code: str, *, limited: bool = False) -> None:
        """Stop if the limit is reached, if nothing goes, or before this run's history grows without end."""
        if limited or self.in_vain >= MOST_IN_A_ROW:
            self.stopped = code
        elif len(self.tried) >= MOST_MAILS or now(self.ctx) > self.ends:
            self.stopped = "next-run"

    def told(self) -> dict[str, Any]:
        """Return how far this run has come; never an address."""
        counts = {"sent": self.sent, "failed": self.failed, "refused": self.refused}
        return {"result": "done", **counts, "stopped": self.stopped}
