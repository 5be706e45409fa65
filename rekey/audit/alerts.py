"""What of a vault's hits is told when: grouped, once, again only if it grows, all together if there is a storm."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from rekey.audit.access import Access, Caller
from rekey.audit.letters import letters
from rekey.audit.ports import Hit
from rekey.audit.state import MANY, Group, State
from rekey.model.audit import Place

MOST_AN_HOUR = 10
PAUSE = timedelta(minutes=15)
"""So many mails about one vault in an hour, then one every so often: rotations need the mail service's limit, too."""
MOST_MAILS = 5
"""Of one group: after that nobody is told more of it."""
GROWN = 10
"""So many times as often as it was when it was told last: worth another mail."""

MOST_GROUPS = 1000
MOST_TOGETHER = 100
"""Groups of one vault, and those beyond that hold what all others would: by rule and caller, at last by rule alone."""
MOST_LISTED = 20
"""Addresses, operations and owners of one group."""

KEPT = timedelta(days=3)
"""After a window's beginning; late lines come within hours."""

_HOUR = timedelta(hours=1)


def counted(state: State, hits: Sequence[Hit]) -> State:
    """Return the state with these hits in their groups."""
    groups = dict(state.groups)
    for hit in hits:
        key, empty = _place(groups, hit)
        groups[key] = _grown(groups.get(key, empty), hit)
    return replace(state, groups=groups)


def decided(state: State, place: Place, now: datetime) -> State:
    """Return the state with letters on what is to be told; while there are letters, no others are written.

    A group counts as told from here on: its letter stays until it is out. What was told and is old is forgotten.
    """
    if state.letters:
        return state
    recent = tuple(at for at in state.mailed if now - at < _HOUR)
    waits = len(recent) >= MOST_AN_HOUR and now - recent[-1] < PAUSE
    keys = [] if waits else due(state)
    written = letters(state, place, keys, MOST_AN_HOUR - len(recent))
    told = {key: _told(group) if key in keys else group for key, group in state.groups.items()}
    kept = {key: group for key, group in told.items() if _is_due(group) or now - group.window < KEPT}
    return replace(state, letters=written, mailed=(*recent, *(now for _ in written)), groups=kept)


def settled(state: State, letter: str) -> State:
    """Return the state without the letter of that id, which is out."""
    return replace(state, letters=tuple(one for one in state.letters if one.id != letter))


def due(state: State) -> list[str]:
    """Return the keys of the groups that people are to be told of, the oldest first."""
    found = [key for key, group in state.groups.items() if _is_due(group)]
    return sorted(found, key=lambda key: (state.groups[key].first, key))


def _place(groups: dict[str, Group], hit: Hit) -> tuple[str, Group]:
    """Return the group that a hit belongs to; beyond the bounds, one that holds more than its own."""
    access = hit.access
    for most, secret, caller in (
        (MOST_GROUPS, access.secret, access.caller),
        (MOST_GROUPS + MOST_TOGETHER, MANY, access.caller),
    ):
        key, empty = _group(hit.rule, secret, caller, access)
        if key in groups or len(groups) < most:
            return key, empty
    return _group(hit.rule, MANY, Caller(), access)


def _group(rule: str, secret: str, caller: Caller, access: Access) -> tuple[str, Group]:
    window = access.first.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    named = (f"{window:%Y-%m-%d}", rule, secret, caller.app_id, caller.object_id, caller.name)
    empty = Group(rule=rule, secret=secret, caller=caller, window=window, first=access.first, last=access.last)
    return msgspec.json.encode(named).decode(), empty


def _grown(group: Group, hit: Hit) -> Group:
    access = hit.access
    operation = access.operation if access.allowed() else f"{access.operation} ({access.status})"
    return replace(
        group,
        first=min(group.first, access.first),
        last=max(group.last, access.last),
        times=group.times + access.times,
        refused=group.refused + (0 if access.allowed() else access.times),
        addresses=_with(group.addresses, (access.address,)),
        operations=_with(group.operations, (operation,)),
        owners=_with(group.owners, hit.owners),
    )


def _with(known: tuple[str, ...], more: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*known, *filter(None, more))))[:MOST_LISTED]


def _is_due(group: Group) -> bool:
    if group.mails >= MOST_MAILS:
        return False
    return group.times >= GROWN * group.told or _seen(group) > group.seen


def _seen(group: Group) -> int:
    return len(group.addresses) + len(group.operations)


def _told(group: Group) -> Group:
    return replace(group, told=group.times, seen=_seen(group), mails=group.mails + 1)
