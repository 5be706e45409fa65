"""What of a vault's hits is told when: grouped, once, again only if it grows, all together if there is a storm."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec.structs import replace

from rekey.audit.access import Access, Caller
from rekey.audit.meanings import meaning
from rekey.audit.ports import Hit, Severity
from rekey.audit.state import Group, Letter, State
from rekey.model import Finding, Notice, NoticeKind
from rekey.model.audit import Place
from rekey.model.notice import Sighting, cut
from rekey.notices.sightings import sentence, who

MOST_LETTERS = 5
"""Mails of one pass about one vault; more to tell than that is told in one, to the operators alone."""
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
MANY = "*"
"""Stands for the secrets of a group that holds many."""
MOST_LISTED = 20
"""Addresses, operations and owners of one group."""

KEPT = timedelta(days=3)
"""After a window's beginning; late lines come within hours."""

_HOUR = timedelta(hours=1)
_NAMESPACE = uuid.UUID("8f6f0a52-1a0e-4f5c-9d38-0c1f6f6b7c55")  # never changed: the same letter has the same id


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
    letters = _letters(state, place, keys, MOST_AN_HOUR - len(recent))
    told = {key: _told(group) if key in keys else group for key, group in state.groups.items()}
    kept = {key: group for key, group in told.items() if _is_due(group) or now - group.window < KEPT}
    return replace(state, letters=letters, mailed=(*recent, *(now for _ in letters)), groups=kept)


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


def _letters(state: State, place: Place, keys: Sequence[str], room: int) -> tuple[Letter, ...]:
    if len(keys) > min(MOST_LETTERS, room) and len(keys) > 1:
        return (_digest(state, place, keys),)
    return tuple(_letter(state, place, key) for key in keys)


def _letter(state: State, place: Place, key: str) -> Letter:
    group, identity = state.groups[key], _identity(state, place, [key])
    means = meaning(group.rule)
    notice = Notice(
        kind=NoticeKind.ALERT,
        rotation_id=identity,
        vault=state.vault,
        secret=_secret(group),
        to=(),
        code=group.rule,
        message=means.explanation,
        what_to_do=means.what_to_do,
        sighting=sighting(group),
        remarks=_remarks(group),
    )
    return Letter(id=identity, notice=notice, groups=(key,), owners=group.owners)


def _digest(state: State, place: Place, keys: Sequence[str]) -> Letter:
    """Tell all of it in one mail: whose secrets it names may be anybody's, so that no owner gets it."""
    identity = _identity(state, place, keys)
    groups = sorted((state.groups[key] for key in keys), key=_weight)
    notice = Notice(
        kind=NoticeKind.ALERT,
        rotation_id=identity,
        vault=state.vault,
        secret="",
        to=(),
        counts={"times": sum(group.times for group in groups), "refused": sum(group.refused for group in groups)},
        findings=cut([_finding(state.vault, group) for group in groups], "Query the audit log itself for the rest."),
    )
    return Letter(id=identity, notice=notice, groups=tuple(keys))


def _weight(group: Group) -> int:
    """Return the place of what is bad among what is worse, which a mail shows first, and never cuts off."""
    return [*Severity].index(meaning(group.rule).severity)


def _finding(vault: str, group: Group) -> Finding:
    means, seen = meaning(group.rule), sighting(group)
    return Finding(
        code=group.rule,
        vault=vault,
        secret=_secret(group),
        subject=who(seen),
        message=" ".join((sentence(seen), *_remarks(group))),
        what_to_do=f"{means.explanation} {means.what_to_do}",
    )


def sighting(group: Group) -> Sighting:
    """Return what people are told of a group as it is now."""
    return Sighting(
        severity=meaning(group.rule).severity,
        app_id=group.caller.app_id,
        object_id=group.caller.object_id,
        name=group.caller.name,
        first=group.first,
        last=group.last,
        times=group.times,
        refused=group.refused,
        addresses=group.addresses,
        operations=group.operations,
    )


def _secret(group: Group) -> str:
    return "" if group.secret == MANY else group.secret


def _remarks(group: Group) -> tuple[str, ...]:
    if group.secret != MANY:
        return ()
    who = "this caller and others" if group.caller == Caller() else "this caller"
    return (f"There is so much of it that what {who} did to many secrets is counted together.",)


def _identity(state: State, place: Place, keys: Sequence[str]) -> str:
    """Return the id of the letter that tells these groups now, the same whenever it is written."""
    facts = [place.account, place.prefix, [(key, state.groups[key].told) for key in keys]]
    return str(uuid.uuid5(_NAMESPACE, msgspec.json.encode(facts).decode()))
