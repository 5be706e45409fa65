"""The nightly check: look at every vault, issuer, record, mail and audit log, part by part, and tell it in one digest.

A part that fails is a finding and never stops the others. What removes something comes after what proves that it is
needed: the vaults before the staged values, these before the credentials, all of them before the records.
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
from rekey.model import Finding, Notice, NoticeKind, decode
from rekey.model.night import Looked, Night, Part, Places, Summed, Summing

blueprint = df.Blueprint()

PATIENCE = timedelta(minutes=10)
"""How long one part may hold up the others; what it leaves is for the next night."""

MOST_TURNS = 50
"""How often one part is called again in a night because there is more to look at."""


class NightFailed(Exception):  # noqa: N818 - it says how the night ended
    """Ends the instance as `Failed`, with what went wrong as its output."""


@blueprint.orchestration_trigger(context_name="context", orchestration=names.RECONCILE)
def reconcile(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Look everywhere and tell it: `told`, or `silent` if all is well and settings want that; `forwarded`."""
    del payload
    forwarded = yield from alone_forwarded(context, names.RECONCILE)
    if forwarded:
        return forwarded
    return (yield from Reconcile(context).run())


class Reconcile:
    """One night."""

    def __init__(self, ctx: OrchestrationContext) -> None:
        self.ctx = ctx
        self.night = Night(run_id=ctx.new_uuid(), started=now(ctx))
        self.tell = Teller(ctx)
        self.failed: list[Finding] = []
        self.counts: dict[str, int] = {}

    def run(self) -> Steps[Any]:
        """Look at one place after the other, then tell."""
        try:
            self.show(names.LIST_PLACES)
            places = decode((yield from attempted(self.ctx, names.LIST_PLACES, self.night, PATIENCE)), Places)
            yield from self.look(places)
            summed = yield from self.sum_up()
        except StepFailed as failure:
            yield from self.tell_stopped(failure)
            raise NightFailed(str(failure)) from None
        if summed.notice:
            yield from self.tell.digest(summed.notice)
        self.show(names.SUM_UP_NIGHT, "done")
        result = "told" if summed.notice else "silent"
        return {"result": result, "run_id": self.night.run_id, "findings": summed.findings, "counts": self.counts}

    def look(self, places: Places) -> Steps[None]:
        """Call every part; the last ones are told whether the ones before could do their work."""
        if places.rotates:
            yield from self.look_at_secrets(places)
        yield from self.part(names.FIND_STUCK_ROTATIONS)
        yield from self.part(names.FIND_WAITING_NOTICES)
        if places.rotates:
            yield from self.part(names.FIND_UNREAD_LOGS)

    def look_at_secrets(self, places: Places) -> Steps[None]:
        """Call the parts that look at vaults, and at issuers."""
        for vault in places.vaults:
            yield from self.part(names.FIND_UNWELL_SECRETS, vault=vault)
        yield from self.part(names.FIND_STAGED_LEFTOVERS)
        for group in range(places.groups):
            yield from self.part(names.FIND_ISSUED_LEFTOVERS, group=group)

    def part(self, name: str, *, vault: str = "", group: int = 0) -> Steps[None]:
        """Call one part until it is through; a failure is a finding."""
        self.show(name)
        asked = Part(
            run_id=self.night.run_id,
            started=self.night.started,
            vault=vault,
            group=group,
            all_seen=not self.failed,
        )
        try:
            for _ in range(MOST_TURNS):
                looked = decode((yield from attempted(self.ctx, name, asked, PATIENCE)), Looked)
                if not looked.more:
                    break
        except StepFailed as failure:
            self.failed.append(_failed(failure, vault))
        else:
            self.count(looked.counts)

    def sum_up(self) -> Steps[Summed]:
        """Have the findings put together."""
        self.show(names.SUM_UP_NIGHT)
        summing = Summing(
            run_id=self.night.run_id,
            started=self.night.started,
            counts=self.counts,
            failed=tuple(self.failed),
        )
        return decode((yield from attempted(self.ctx, names.SUM_UP_NIGHT, summing, PATIENCE)), Summed)

    def tell_stopped(self, failure: StepFailed) -> Steps[None]:
        """Say that the check could not be made at all."""
        notice = Notice(
            kind=NoticeKind.RECONCILE,
            rotation_id=self.night.run_id,
            vault="",
            secret="",
            to=(),
            findings=(*self.failed, _failed(failure, "")),
        )
        yield from self.tell.digest(notice)
        self.show(failure.step, "failed")

    def count(self, more: dict[str, int]) -> None:
        """Add what a part counted."""
        for name, number in more.items():
            self.counts[name] = self.counts.get(name, 0) + number

    def show(self, step: str, state: str = "running") -> None:
        """Say where the night is."""
        self.ctx.set_custom_status(
            {
                "run_id": self.night.run_id,
                "step": step,
                "state": state,
                "since": now(self.ctx).isoformat(),
                "failed": len(self.failed),
                "counts": dict(self.counts),
            }
        )


def _failed(failure: StepFailed, vault: str) -> Finding:
    advice = failure.what_to_do or "The next night tries again; what fails is in the app's log."
    return Finding(
        code="look-failed", message=failure.message, what_to_do=advice, vault=vault, subject=f"{failure.step}"
    )
