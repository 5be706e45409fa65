"""Finds federations that don't go on by themselves: told in two nights, the record of a dead one is closed."""

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from rekey.federation.records import OPEN, FederationRecord, FederationRecords
from rekey.model import Finding
from rekey.reconcile.ledger import Ledger
from rekey.reconcile.standing import DEAD, Standing, standing
from rekey.reconcile.stuck import ABANDONED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rekey.operator_view import Instance

_SAID = {
    Standing.STALLED: ("federation-stalled", "has made no step for more than a day, although its instance is running"),
    Standing.SUSPENDED: ("federation-suspended", "is suspended: it goes on only when somebody resumes it"),
    Standing.ENDED: ("federation-dead", "is open, but its instance has ended"),
    Standing.GONE: ("federation-dead", "is open, but its instance is gone"),
    Standing.ELSEWHERE: ("federation-dead", "is open, but its instance walks another one by now"),
}


async def search(
    records: FederationRecords, instance: "Callable[[str], Awaitable[Instance | None]]", ledger: Ledger
) -> frozenset[str]:
    """Judge every open record, and return the ids of all federations that have one."""
    known = await records.all()
    for record in known:
        if record.state == OPEN:
            found = standing(record.federation.id, await instance(record.federation.instance), datetime.now(UTC))
            if found is not Standing.LIVE:
                await _stuck(records, record, found, ledger)
    return frozenset(record.federation.id for record in known)


async def _stuck(records: FederationRecords, record: FederationRecord, found: Standing, ledger: Ledger) -> None:
    code, said = _SAID[found]
    walk = record.federation
    if found in DEAD and await ledger.seen_before(f"federation/{walk.id}"):
        closing = partial(records.close, walk.id, ABANDONED)
        finding = _finding(record, "federation-abandoned", f"{said}: its record was closed")
        await ledger.do(f"federation/{walk.id}", finding, closing, walk.id)
        return
    ledger.find(_finding(record, code, said))


def _finding(record: FederationRecord, code: str, said: str) -> Finding:
    walk = record.federation
    done = [entry.step for entry in record.entries if entry.outcome == "ok"]
    return Finding(
        code=code,
        message=f"federation {walk.id} ({walk.mode}), opened {record.opened:%Y-%m-%d %H:%M} UTC, {said}. "
        f"The last step that it did is {done[-1] if done else 'none'}",
        what_to_do=f"python -m rekey federations {walk.id} shows what it did, and docs/federation.md says how that is "
        "undone, or finished. A suspended instance is resumed, a stalled one terminated, over the durable HTTP API.",
        subject=f"{walk.organization}/{walk.project}/{walk.connection or walk.new_name}",
    )
