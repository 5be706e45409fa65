"""Watching the vaults: what is new in each audit log is read, then people are told what rules say of it.

A log that can't be read never stops the others, and what was read but not told yet is told by a later pass.
"""

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps, attempted
from orchestrators.clock import now
from orchestrators.forwarding import alone_forwarded
from orchestrators.telling import Teller
from rekey import names
from rekey.model import decode
from rekey.model.audit import Alert, Alerts, Glance, Logs, Pass, Place, Read, Settling

blueprint = df.Blueprint()

PATIENCE = timedelta(minutes=1)
"""How long one log may hold up the others; what it leaves is for the next pass, minutes later."""

MOST_TURNS = 100
"""Of one pass, beyond one for each log: what is left then is for the next."""

MOST_PLANS = 3
"""How often it is asked again what is to be told of one vault."""

LONGEST = timedelta(minutes=20)
"""Of one pass: what it has not come to is for the next."""

MOST_SHOWN = 5
"""Failures in the status, which holds 16 KB; the result has them all."""


class WatchFailed(Exception):  # noqa: N818 - it says how the pass ended
    """Ends the instance as `Failed`, with what went wrong as its output."""


@blueprint.orchestration_trigger(context_name="context", orchestration=names.WATCH_VAULT_ACCESS)
def watch_vault_access(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Read what is new and tell it: `done` with what was read, told and failed; or `forwarded`."""
    del payload
    forwarded = yield from alone_forwarded(context, names.WATCH_VAULT_ACCESS)
    if forwarded:
        return forwarded
    return (yield from Watch(context).run())


class Watch:
    """One pass over all logs."""

    def __init__(self, ctx: OrchestrationContext) -> None:
        self.ctx = ctx
        self.watch = Pass(run_id=ctx.new_uuid(), started=now(ctx))
        self.ends = self.watch.started + LONGEST
        self.tell = Teller(ctx)
        self.logs = Logs()
        self.counts = {"read": 0, "lines": 0, "unreadable": 0, "hits": 0, "alerts": 0}
        self.failed: list[dict[str, str]] = []

    def run(self) -> Steps[Any]:
        """Read all logs, then tell."""
        self.show(names.LIST_AUDIT_LOGS)
        try:
            found = yield from attempted(self.ctx, names.LIST_AUDIT_LOGS, self.watch, PATIENCE)
        except StepFailed as failure:
            self.fail("", failure)
            self.show(failure.step, "failed")
            raise WatchFailed(str(failure)) from None
        self.logs = decode(found, Logs)
        for one in self.logs.troubles:
            self.fail("", StepFailed(names.LIST_AUDIT_LOGS, one.code, one.message, one.what_to_do))
        left = yield from self.read_all()
        for place in self.logs.places:
            yield from self.tell_of(place)
        self.show(names.SETTLE_ALERT, "done")
        return {"result": "done", **self.told(), "left": [place.vault for place in left]}

    def read_all(self) -> Steps[list[Place]]:
        """Read each log, those with more again in turns, so that a busy vault doesn't starve the others."""
        waiting, turns = list(self.logs.places), MOST_TURNS + len(self.logs.places)
        while waiting and turns > 0 and now(self.ctx) < self.ends:
            self.show(names.READ_AUDIT_LOG)
            place, turns = waiting.pop(0), turns - 1
            if (yield from self.read(place)):
                waiting.append(place)
        return waiting

    def read(self, place: Place) -> Steps[bool]:
        """Read a part of one log; tell whether there is more."""
        try:
            answer = yield from attempted(self.ctx, names.READ_AUDIT_LOG, self.glance(place), PATIENCE)
        except StepFailed as failure:
            self.fail(place.vault, failure)
            return False
        read = decode(answer, Read)
        self.count(read=read.read, lines=read.lines, unreadable=read.unreadable, hits=read.hits)
        return bool(read.more)

    def tell_of(self, place: Place) -> Steps[None]:
        """Tell what is to be told of one vault; what can't be told now is told by a later pass."""
        try:
            for _ in range(MOST_PLANS):
                self.show(names.PLAN_ALERTS)
                answer = yield from attempted(self.ctx, names.PLAN_ALERTS, self.glance(place), PATIENCE)
                planned = decode(answer, Alerts)
                for alert in planned.alerts:
                    yield from self.send(place, alert)
                if not planned.more:
                    break
        except StepFailed as failure:
            self.fail(place.vault, failure)

    def send(self, place: Place, alert: Alert) -> Steps[None]:
        """Send one notice, or have it kept, and only then forget it."""
        self.show(names.NOTIFY_OWNERS)
        if not (yield from self.tell.alert(alert)):
            raise StepFailed(names.NOTIFY_OWNERS, "alert-not-told", "an alert could be neither sent nor kept")
        self.count(alerts=1)
        settling = Settling(run_id=self.watch.run_id, started=self.watch.started, place=place, alert=alert.id)
        yield from attempted(self.ctx, names.SETTLE_ALERT, settling, PATIENCE)

    def glance(self, place: Place) -> Glance:
        """Return what the steps about one log are told."""
        return Glance(run_id=self.watch.run_id, started=self.watch.started, place=place)

    def count(self, **more: int) -> None:
        """Add what a step counted."""
        for name, number in more.items():
            self.counts[name] += number

    def fail(self, vault: str, failure: StepFailed) -> None:
        """Keep what could not be done, and what to do."""
        known = {"vault": vault, "step": failure.step, "code": failure.code, "message": failure.message}
        self.failed.append({**known, "what_to_do": failure.what_to_do})

    def told(self) -> dict[str, Any]:
        """Return what everybody may read of this pass."""
        return {
            "run_id": self.watch.run_id,
            "logs": len(self.logs.places),
            "missing": list(self.logs.missing),
            "counts": dict(self.counts),
            "failed": list(self.failed),
        }

    def show(self, step: str, state: str = "running") -> None:
        """Say where the pass is."""
        told = self.told() | {"missing": len(self.logs.missing), "failed": self.failed[:MOST_SHOWN]}
        self.ctx.set_custom_status({"step": step, "state": state, "since": now(self.ctx).isoformat(), **told})
