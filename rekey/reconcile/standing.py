"""Where an open record's rotation stands, judged by what the durable engine knows of its instance."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rekey.starting import BUSY

if TYPE_CHECKING:
    from rekey.operator_view import Instance

STALLED = timedelta(days=1)
"""How long a step may take without a wake-up ahead: attempts at one step are given up after minutes."""


class Standing(StrEnum):
    """What becomes of an open record by itself."""

    LIVE = "live"
    STALLED = "stalled"
    SUSPENDED = "suspended"
    ENDED = "ended"
    GONE = "gone"
    ELSEWHERE = "elsewhere"
    """Its instance walks another rotation by now."""


DEAD = frozenset({Standing.ENDED, Standing.GONE, Standing.ELSEWHERE})
"""Nothing will ever walk this rotation again."""

_BUSY = frozenset(status.title().replace("_", "") for status in BUSY)


def standing(rotation_id: str, instance: "Instance | None", now: datetime) -> Standing:
    """Return where that rotation stands; an instance that hasn't said yet what it walks may be walking this one."""
    if instance is None:
        return Standing.GONE
    if instance.runtime_status not in _BUSY:
        return Standing.ENDED
    if instance.rotation_id not in {"", rotation_id}:
        return Standing.ELSEWHERE
    if instance.runtime_status == "Suspended":
        return Standing.SUSPENDED
    return Standing.STALLED if _stalled(instance.custom_status, now) else Standing.LIVE


def _stalled(status: Any, now: datetime) -> bool:
    if not isinstance(status, dict):
        return False
    since, wakes = (_moment(status.get(name)) for name in ("since", "next"))
    return since is not None and now - since > STALLED and (wakes is None or now - wakes > STALLED)


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return found if found and found.tzinfo else None
