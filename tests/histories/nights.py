"""What may become of what Rekey does on its own at night, by name, on the scripted engine."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from rekey import names
from rekey.model import Finding, Permanent
from rekey.nightly_settings import GRAPH_WRITES, LIMITS, VAULT_CREATES, Limit
from rekey.pace import Cost
from tests.histories.situations import Situation
from tests.orchestrators.engine import Engine
from tests.orchestrators.night import Night
from tests.orchestrators.scripts import BUSY, DIES, LOST, REFUSED

ENTRA: Cost = {(VAULT_CREATES, "kv-one"): 1, (VAULT_CREATES, "staging"): 1, (GRAPH_WRITES, ""): 2}
SLOW = LIMITS | {GRAPH_WRITES: Limit(100, 10)}
VAULTS = ("kv-one", "kv-two")
BAD_TAG = Finding(code="bad-policy", vault="kv-one", secret="shop", message="rekey-lead: got 'soon'")
UNFINISHED = {
    "run_id": "00000000-0000-0000-0000-000000000000",
    "began": "2030-01-04T02:00:00Z",
    "vaults": 1,
    "batches": 3,
    "batch": 1,
    "origin": "2030-01-04T02:00:00Z",
}
"""The cursor of an earlier night, which a restart repeats."""


def _due(count: int) -> list[tuple[str, Cost]]:
    return [(f"secret-{n:03}", ENTRA) for n in range(count)]


def _sweep(make: Callable[[], Night], instance: str = names.ROTATE_DUE, given: Any = None) -> Situation:
    def run(version: str) -> Engine:
        night = make()
        night.engine.version = version
        night.run(instance, given)
        return night.engine

    return run


def _refusing(**times: int) -> Night:
    return Night(due=_due(4), refuses=Counter({f"secret-{name[1:]}": count for name, count in times.items()}))


SWEEPS: dict[str, Situation] = {
    "sweep-done": _sweep(lambda: Night(vaults=VAULTS, due=_due(3))),
    "sweep-quiet": _sweep(Night),
    "sweep-findings-only": _sweep(lambda: Night(bad=(BAD_TAG,))),
    "sweep-in-several-executions": _sweep(lambda: Night(vaults=tuple(f"kv-{n}" for n in range(25)), due=_due(2))),
    "sweep-spread-out": _sweep(lambda: Night(due=_due(70), limits=SLOW)),
    "sweep-busy": _sweep(
        lambda: (
            Night(vaults=VAULTS, due=_due(2))
            .says(names.BEGIN_SWEEP, BUSY)
            .says(names.FIND_DUE, LOST, DIES)
            .says(names.PLAN_STARTS, BUSY)
            .says(names.START_DUE, LOST)
            .says(names.END_SWEEP, BUSY)
            .says(names.NOTIFY_OWNERS, BUSY)
        )
    ),
    "sweep-vault-unreadable": _sweep(lambda: Night(vaults=VAULTS, due=_due(1)).says(names.FIND_DUE, None, REFUSED)),
    "sweep-second-round": _sweep(lambda: _refusing(_001=1, _002=2)),
    "sweep-not-started": _sweep(lambda: _refusing(_001=99)),
    "sweep-batch-failed": _sweep(lambda: Night(due=_due(2)).says(names.START_DUE, REFUSED)),
    "sweep-stopped-at-the-start": _sweep(lambda: Night().says(names.BEGIN_SWEEP, REFUSED)),
    "sweep-stopped-planning": _sweep(lambda: Night(due=_due(1)).says(names.PLAN_STARTS, REFUSED)),
    "sweep-stopped-at-the-end": _sweep(lambda: Night(due=_due(1)).says(names.END_SWEEP, REFUSED)),
    "sweep-mail-kept": _sweep(lambda: Night(due=_due(1)).says(names.NOTIFY_OWNERS, REFUSED)),
    "sweep-forwarded": _sweep(Night, "by-hand"),
    "sweep-restarted": _sweep(
        lambda: Night(due=_due(1)).says(names.START_DUE, Permanent("plan-gone", "gone")), given=UNFINISHED
    ),
}
