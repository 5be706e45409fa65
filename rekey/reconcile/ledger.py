"""What one part of a night found so far; what it does is written down before, so that nothing is done untold."""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from rekey.errors import PermanentError
from rekey.model import Finding
from rekey.model.night import Looked, Part
from rekey.reconcile.memory import Memory, Result, Sight


class Ledger:
    """The findings of one part; `left` are the rotations of which something is still there."""

    def __init__(self, memory: Memory, part: Part, name: str) -> None:
        self._memory = memory
        self._run_id = part.run_id
        self._name = name
        self._findings: list[Finding] = []
        self._left: set[str] = set()

    def find(self, finding: Finding, rotation_id: str = "") -> None:
        """Add a finding, and the rotation of which something is left."""
        self._findings.append(finding)
        if rotation_id:
            self._left.add(rotation_id)

    async def watched(self, what: str, now: datetime | None) -> timedelta | None:
        """Return for how long `what` has been seen, None if the time isn't known; the first time is now."""
        if now is None:
            return None
        return now - (await self._memory.first_sight(what, Sight(run_id=self._run_id, at=now))).at

    async def seen_before(self, what: str) -> bool:
        """Tell whether `what` was seen in an earlier night; this one counts for the next."""
        now = Sight(run_id=self._run_id, at=datetime.now(UTC))
        return (await self._memory.first_sight(what, now)).run_id != self._run_id

    async def do(self, what: str, finding: Finding, act: Callable[[], Awaitable[None]], rotation_id: str) -> None:
        """Remove or close something: `finding` is kept before, and taken back if it is refused.

        After an error that may go away the whole part is tried again, and finds nothing: what was done stays told.
        """
        part = f"done/{hashlib.sha256(what.encode()).hexdigest()}"
        await self._memory.keep(self._run_id, part, Result(findings=(finding,)))
        try:
            await act()
        except PermanentError as error:
            await self._memory.unkeep(self._run_id, part)
            self.find(_refused(finding, error), rotation_id)
            return
        await self._memory.lose_sight(what)

    async def keep(self) -> Looked:
        """Keep all that was found, in place of an earlier attempt's, and return the numbers."""
        result = Result(findings=tuple(self._findings), left=tuple(sorted(self._left)))
        await self._memory.keep(self._run_id, self._name, result)
        return Looked(findings=len(self._findings))


def _refused(finding: Finding, error: PermanentError) -> Finding:
    said = f"was made by a rotation that is over, but could not be removed: {error.message}"
    return replace(finding, code="leftover-not-removed", message=said, what_to_do=error.what_to_do)
