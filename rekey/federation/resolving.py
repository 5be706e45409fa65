"""Knows which decisions on a federation's record count: nobody approves what they asked for, and nobody unnamed."""

from rekey.errors import PermanentError
from rekey.federation.records import FederationRecord, FederationRecords
from rekey.model.federation import Federation, FederationDecisionKind, Resolved
from rekey.operator_requests import UNNAMED

_NOBODY = frozenset({"", UNNAMED.casefold()})


async def resolved(records: FederationRecords, federation: Federation) -> Resolved:
    """Return what operators decided about that walk, or about the one that it is approved with."""
    record = await records.read(federation.approved_with or federation.id)
    if record is None:
        return Resolved()
    reverted = (d.by or UNNAMED for d in record.decisions if d.kind is FederationDecisionKind.REVERT)
    return Resolved(approved_by=_approved_by(record), reverted_by=next(reverted, ""))


async def require_approved(records: FederationRecords, federation: Federation) -> None:
    """Refuse to grant what the record doesn't say that somebody else approved, whoever asks for the step."""
    if not (await resolved(records, federation)).approved_by:
        raise PermanentError(
            "not-approved", "nobody approved the roles that this federation grants", "Let somebody approve it."
        )


def is_named(caller: str) -> bool:
    """Tell whether a caller has a name that somebody else can be told from."""
    return caller.strip().casefold() not in _NOBODY


def _approved_by(record: FederationRecord) -> str:
    asked = record.federation.requested_by
    if not is_named(asked):
        return ""
    approvals = (d.by for d in record.decisions if d.kind is FederationDecisionKind.APPROVE)
    return next((by for by in approvals if is_named(by) and by.casefold() != asked.casefold()), "")
