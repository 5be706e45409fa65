"""Finds rotations that don't go on by themselves, and closes the records of those of which nothing is left."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from rekey import names
from rekey.errors import InputError, PermanentError
from rekey.model import Finding
from rekey.nothing_left import lately
from rekey.reconcile import wording
from rekey.reconcile.ledger import Ledger
from rekey.reconcile.memory import Due, Reference
from rekey.reconcile.standing import DEAD, Standing, standing
from rekey.reconcile.witness import UnreadableError, readable
from rekey.records import OPEN, Record, Records, Summary

if TYPE_CHECKING:
    from rekey.operator_view import Instance
    from rekey.vault import Vault

ABANDONED = "abandoned"
"""The result of a record whose rotation ended without closing it."""

DEADLINE = timedelta(days=7)
"""Of a rotation whose old credential has no expiry; see Rotation.deadline."""

OVERDUE = timedelta(days=1)
TOLD = timedelta(days=7)
"""For how long it is told that an instance without a record was terminated: whoever did that knows."""


class StuckSearch:
    """One look at open records, and at instances that somebody stopped."""

    def __init__(
        self,
        records: Records,
        instance: "Callable[[str], Awaitable[Instance | None]]",
        vault: "Callable[[str], Vault]",
        ledger: Ledger,
        references: Iterable[Reference],
        listed: frozenset[str],
    ) -> None:
        self._records = records
        self._instance = instance
        self._vault = vault
        self._ledger = ledger
        self._newest = frozenset(r.rotation_id for r in references if r.rotation_id)
        self._listed = listed
        self._now = datetime.now(UTC)

    async def run(self, left: Iterable[str] | None, due: Iterable[Due], stopped: "Sequence[Instance]") -> None:
        """Judge all; `left` are rotations of which something is left, None if that isn't known for certain."""
        summaries = await self._records.listing()
        opened = [s for s in summaries if s.state == OPEN]
        for summary in opened:
            await self._judge(summary, frozenset(left) if left is not None else None)
        known = {s.rotation_id for s in summaries}
        for instance in stopped:
            if instance.rotation_id not in known:
                self._stopped(instance)
        needless = lately(summaries, self._now)
        for one in (one for one in due if (one.vault.lower(), one.secret.lower()) not in needless):
            self._due(one, next((s for s in summaries if _same(s, one)), None))

    async def _judge(self, summary: Summary, left: frozenset[str] | None) -> None:
        try:
            record = await readable(self._records, summary.rotation_id)
        except UnreadableError:
            self._ledger.find(_unreadable(summary))
            return
        if record is None or record.state != OPEN:
            return
        found = standing(record.rotation_id, await self._instance(record.instance_id), self._now)
        if found is Standing.LIVE:
            await self._judge_live(record)
        elif found in DEAD and not self._switched(record) and await self._over(record, left):
            closing = partial(self._records.close, record.rotation_id, ABANDONED)
            await self._ledger.do(_dead(record), wording.abandoned(record), closing, record.rotation_id)
        else:
            self._ledger.find(wording.stuck(found, record, switched=self._switched(record)))

    def _switched(self, record: Record) -> bool:
        """Tell whether the newest version is this rotation's; of a vault that wasn't listed the record is believed."""
        unseen = record.vault.lower() not in self._listed
        return record.rotation_id in self._newest or (unseen and record.did(names.SET_SECRET_VERSION))

    async def _over(self, record: Record, left: frozenset[str] | None) -> bool:
        """Tell whether nothing is left of a dead rotation that was seen dead in an earlier night already."""
        before = await self._ledger.seen_before(_dead(record))
        return before and left is not None and record.rotation_id not in left

    async def _judge_live(self, record: Record) -> None:
        if self._now - record.opened < DEADLINE + OVERDUE:
            return
        deadline = await self._deadline(record)
        if self._now > deadline + OVERDUE:
            self._ledger.find(wording.overdue(record, deadline))

    async def _deadline(self, record: Record) -> datetime:
        """Return until when it keeps trying: the old version's expiry, or a week."""
        try:
            versions = await self._vault(record.vault).versions(record.secret)
        except (InputError, PermanentError):
            versions = []
        ends = [v.expires for v in versions if v.id == record.old_version and v.expires]
        return max([record.opened + DEADLINE, *ends])

    def _stopped(self, instance: "Instance") -> None:
        suspended = instance.runtime_status == "Suspended"
        if suspended or self._now - instance.last_updated < TOLD:
            self._ledger.find(wording.stopped(instance.id, suspended=suspended))

    def _due(self, due: Due, last: Summary | None) -> None:
        if last is None or last.state != OPEN:
            self._ledger.find(wording.due(due, last.result if last else ""))


def _dead(record: Record) -> str:
    return f"dead {record.rotation_id}"


def _same(summary: Summary, due: Due) -> bool:
    return (summary.vault.lower(), summary.secret.lower()) == (due.vault, due.secret)


def _unreadable(summary: Summary) -> Finding:
    return Finding(
        code="record-unreadable",
        message=f"the open record of rotation {summary.rotation_id} can't be read",
        what_to_do="Look at the blob records/<rotation id>.json; restore an earlier version of it if there is one.",
        vault=summary.vault,
        secret=summary.secret,
    )
