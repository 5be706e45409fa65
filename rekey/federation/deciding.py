"""What can be decided about a federation, by its record: who may approve it, and until when it can be reverted."""

from datetime import datetime

from rekey import names
from rekey.federation.records import CLOSED, FederationRecord
from rekey.federation.resolving import is_named
from rekey.model.federation import FederationDecision, FederationDecisionKind, Mode
from rekey.operator_requests import RefusedError

_SIGN_IN = "Put Entra authentication in front of the function app, and sign in (--audience)."
_FINAL = (names.RETIRE_CONNECTION, names.RETIRE_SECRETS)
"""Steps that take the old way in away for good."""


def standing(record: FederationRecord, kind: FederationDecisionKind) -> FederationDecision | None:
    """Return the decision of that kind that was taken first, None if there is none."""
    return next((one for one in record.decisions if one.kind == kind), None)


def require_own_id(record: FederationRecord, wanted: str) -> None:
    """Refuse to approve by the instance's id: by now it may stand for another request than the one that was read."""
    walk = record.federation
    if wanted != walk.id:
        granted = f"{walk.role} for {walk.scope}" if walk.role else f"the old one's roles to {walk.identity}"
        said = (
            f"id: got {wanted!r}, which is the connection's, expected the id of the request that you approve: {walk.id}"
        )
        raise RefusedError(400, "bad-input", f"{said} (asked for by {walk.requested_by}, it grants {granted})", "id")


def check(record: FederationRecord, kind: FederationDecisionKind, by: str, now: datetime) -> None:
    """Refuse what can't be decided, can't any more, or not by that caller: a RefusedError says what to do."""
    if record.state == CLOSED:
        said = f"the federation ended {record.result or 'before'}, so that nothing waits for it any more"
        raise _too_late("federation-closed", f"{said}{_instead(record, kind)}")
    if kind is FederationDecisionKind.APPROVE:
        _approve(record, by)
    else:
        _revert(record, now)


def open_to(record: FederationRecord, now: datetime) -> list[FederationDecisionKind]:
    """Return what somebody with a name, who didn't ask for the federation, could still decide."""
    return [kind for kind in FederationDecisionKind if not standing(record, kind) and _would_take(record, kind, now)]


def _would_take(record: FederationRecord, kind: FederationDecisionKind, now: datetime) -> bool:
    try:
        check(record, kind, "somebody else", now)
    except RefusedError:
        return False
    return True


def _approve(record: FederationRecord, by: str) -> None:
    asked_by = record.federation.requested_by
    if not record.federation.grants_roles:
        raise RefusedError(409, "nothing-to-approve", "decision: it grants no role, and waits for nobody", "decision")
    if standing(record, FederationDecisionKind.REVERT):
        raise _too_late("reverted", "it is being reverted")
    if not is_named(by):
        raise RefusedError(403, "nameless", f"decision: an approval takes a name. {_SIGN_IN}", "decision")
    if not is_named(asked_by):
        said = "decision: nobody knows who asked for it, so that nobody can be somebody else. Revert it, and ask again"
        raise RefusedError(403, "unknown-requester", f"{said} over the operator API, signed in.", "decision")
    if by.casefold() == asked_by.casefold():
        said = f"decision: {asked_by} asked for it: somebody else has to approve it"
        raise RefusedError(403, "own-request", f"{said}.", "decision")


def _revert(record: FederationRecord, now: datetime) -> None:
    new = record.federation.new
    if any(step in _FINAL for step in (*record.asking, *(entry.step for entry in record.entries))):
        raise _too_late("too-late", f"the old way in is being taken away{_instead(record)}")
    if record.federation.mode is Mode.IN_PLACE and new and new.revert_until and now > new.revert_until:
        said = f"Azure DevOps could convert it back until {new.revert_until:%Y-%m-%d %H:%M} UTC"
        raise _too_late("too-late", f"{said}{_instead(record)}")


def _instead(record: FederationRecord, kind: FederationDecisionKind = FederationDecisionKind.REVERT) -> str:
    """Return what is to be done by hand in place of what Rekey can't do any more."""
    if kind is not FederationDecisionKind.REVERT or record.result in {"reverted", "failed", "nothing-to-do"}:
        return ""
    by_hand = {
        Mode.IN_PLACE: "give its application a new secret, and in Azure DevOps make a connection that uses it",
        Mode.SIDE_BY_SIDE: "make a connection with the old one's name in Azure DevOps",
        Mode.REPAIR: "remove the federated credential from its application in Entra",
        Mode.VEND: "delete the connection in Azure DevOps, and then its managed identity",
    }
    return f". To undo it all the same, {by_hand[record.federation.mode]}"


def _too_late(code: str, said: str) -> RefusedError:
    return RefusedError(409, code, f"id: {said}", "id")
