"""Forgets the history of instances that ended long ago, batch by batch; records are evidence and stay."""

from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps, attempted
from orchestrators.clock import now
from orchestrators.forwarding import alone_forwarded
from rekey import names
from rekey.model import decode
from rekey.model.purge import Purge, Purged

blueprint = df.Blueprint()

PATIENCE = timedelta(minutes=15)
MOST_BATCHES = 200
"""Of one night; the rest is for the next."""


class PurgeFailed(Exception):  # noqa: N818 - it says how it ended
    """Ends the instance as `Failed`, with what went wrong as its output."""


@blueprint.orchestration_trigger(context_name="context", orchestration=names.PURGE_HISTORY)
def purge_history(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Purge what ended before the retention: `done` with how many are gone, and how many were kept; `forwarded`."""
    del payload
    forwarded = yield from alone_forwarded(context, names.PURGE_HISTORY)
    if forwarded:
        return forwarded
    wanted, gone, found = Purge(started=now(context)), 0, Purged()
    try:
        for _ in range(MOST_BATCHES):
            found = decode((yield from attempted(context, names.PURGE_INSTANCES, wanted, PATIENCE)), Purged)
            gone += found.purged
            _show(context, "running", gone, found.kept)
            if not found.more:
                break
    except StepFailed as failure:
        _show(context, "failed", gone, found.kept)
        raise PurgeFailed(str(failure)) from None
    _show(context, "done", gone, found.kept)
    return {"result": "done", "purged": gone, "kept": found.kept}


def _show(context: OrchestrationContext, state: str, purged: int, kept: int) -> None:
    status = {"step": names.PURGE_INSTANCES, "state": state, "since": now(context).isoformat()}
    context.set_custom_status({**status, "purged": purged, "kept": kept})
