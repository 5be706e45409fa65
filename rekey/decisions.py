"""What can be decided about a rotation, by what its record says: who has to acknowledge, who has, and from when on."""

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from rekey import names
from rekey.model import Decision, DecisionKind, Facts, Undone, decode
from rekey.operator_requests import RefusedError, bad_input, shown

if TYPE_CHECKING:
    from rekey.records import Record


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """A consumer that somebody changes by hand, and who said first, and when, that it has the new credential."""

    consumer: str
    by: str | None = None
    at: datetime | None = None


def acknowledgements(record: "Record") -> list[Acknowledgement]:
    """Return how the consumers that are changed by hand stand; none before preflight has found them."""
    taken = {d.subject: d for d in record.decisions if d.kind == DecisionKind.ACKNOWLEDGE}
    return [_standing(uri, taken.get(uri)) for uri in _by_hand(record)]


def acknowledgeable(record: "Record", consumer: object) -> Acknowledgement:
    """Return the consumer of this rotation that is meant; RefusedError unless it can be, or has been, acknowledged.

    Nobody can have what isn't out: an acknowledgement counts from the moment at which the new version is published.
    """
    found = _meant(record, consumer)
    if found.by is not None:
        return found
    if record.state == "closed":
        ended = f"the rotation ended {record.result or 'before'}, so that nothing waits for it any more"
        raise RefusedError(409, "rotation-closed", f"id: {ended}", "id")
    if not _published(record):
        raise RefusedError(
            409, "too-early", "id: the new credential isn't in the vault yet, so that nobody can have it", "id"
        )
    return found


def _meant(record: "Record", consumer: object) -> Acknowledgement:
    standing = acknowledgements(record)
    for one in standing:
        if isinstance(consumer, str) and consumer.lower() == one.consumer.lower():
            return one
    known = ", ".join(one.consumer for one in standing)
    expected = f"one of {known}" if known else "none: nothing of this rotation is changed by hand"
    raise bad_input("consumer", f"got {shown(consumer)}", expected)


def _standing(uri: str, taken: Decision | None) -> Acknowledgement:
    return Acknowledgement(consumer=uri, by=taken.by, at=taken.at) if taken else Acknowledgement(consumer=uri)


def _by_hand(record: "Record") -> list[str]:
    looked = [e.detail for e in record.entries if e.step == names.PREFLIGHT and e.outcome == "ok"]
    return [target.uri for target in decode(looked[-1], Facts).by_hand()] if looked else []


def _published(record: "Record") -> bool:
    """Tell whether the new version is out; undoing may find that it is, after all."""
    undone = [e.detail for e in record.entries if e.step == names.UNDO_GENERATION and e.outcome == "ok"]
    return record.did(names.SET_SECRET_VERSION) or any(decode(detail, Undone).published for detail in undone)
