"""Which waiting notices go out as they are and which are told together: one mail for each person, and no more."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from rekey.model import NoticeKind, Parcel
from rekey.notices.findings import URGENT
from rekey.notices.outbox import Waiting

AS_THEY_ARE = frozenset({NoticeKind.SWEEP, NoticeKind.RECONCILE, NoticeKind.CONNECTIONS})
"""Long enough by themselves."""


class Plan(msgspec.Struct, frozen=True):
    """Digests that were made earlier, notices to send as they are, and what is to be made into a digest for whom."""

    made: tuple[Parcel, ...]
    singles: tuple[Parcel, ...]
    folds: tuple[tuple[str, tuple[Waiting, ...]], ...]


def sorted_out(waiting: Sequence[Waiting], made: Sequence[Waiting] = ()) -> Plan:
    """Return the plan for all that waits, and the digests that were `made` of some of it.

    A digest stays as it is, for it may have got out, and so does what it tells. A notice is
    sent as it is to those for whom nothing else waits: under its own id, should it have got out.
    """
    covered = {(news, address.lower()) for one in made for news in one.folds for address in one.notice.to}
    news = [(one, a) for one in waiting for a in one.left() if (one.id, a.lower()) not in covered]
    shelves: dict[str, list[Waiting]] = defaultdict(list)
    alone: dict[str, list[str]] = defaultdict(list)
    for one, address in news:
        if one.notice.kind in AS_THEY_ARE:
            alone[one.id].append(address)
        else:
            shelves[address.lower()].append(one)
    for address, (first, *others) in shelves.items():
        if not others:
            alone[first.id].append(address)
    singles = sorted((one for one in waiting if one.id in alone), key=_urgency)
    folds = [(_spelled(address, some), tuple(some)) for address, some in shelves.items() if len(some) > 1]
    return Plan(
        tuple(Parcel(one.id, one.left()) for one in made),
        tuple(Parcel(one.id, one.left(alone[one.id])) for one in singles),
        tuple(sorted(folds, key=lambda fold: min(map(_urgency, fold[1])))),
    )


def _urgency(waiting: Waiting) -> int:
    kinds = {waiting.notice.kind, *(finding.code for finding in waiting.notice.findings)}
    return min((URGENT.index(kind) for kind in URGENT if kind in kinds), default=len(URGENT))


def _spelled(address: str, news: Iterable[Waiting]) -> str:
    """Return the address as somebody wrote it."""
    return next(a for one in news for a in one.notice.to if a.lower() == address)
