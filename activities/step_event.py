"""What a step's line in the log says: the workbook of rotations and the alerts read it, and nothing else tells them.

`state` is running, retrying, refused, waiting, needs-you, not-due, bad-policy, done, failed, superseded or
nothing-left: what is true of the rotation once the step has ended so. A line about a service connection that is to need
no secret has `federation_id` and `connection` in place of rotation, vault and secret; it may end `reverted` as well.
Ids, names, codes and times; never a value, an address or a URL.
"""

from datetime import datetime
from typing import Any

from rekey.model import NOT_ACKNOWLEDGED, Notice, NoticeKind, Ok, Outcome, Question, Telling, Walk, encode
from rekey.model.federation import (
    Federation,
    FederationQuestion,
    FederationRequest,
    VendingQuestion,
    VendingRequest,
)
from rekey.model.federation_news import FederationNews, Stage

_OF_OUTCOME = {"retry-after": "retrying", "unclear": "retrying", "permanent": "refused"}
_OF_NOTICE = {
    NoticeKind.SWITCHED: "waiting",
    NoticeKind.STILL_USED: "waiting",
    NoticeKind.NEEDS_YOU: "needs-you",
    NoticeKind.FAILED: "failed",
    NoticeKind.BAD_POLICY: "bad-policy",
}


def event(step: str, rotation_id: str, given: object, outcome: Outcome) -> dict[str, Any]:
    """Return the fields of one line, those that have nothing to say left out."""
    fields = encode(outcome)
    line = {"event": "step", "step": step, "rotation_id": rotation_id, "outcome": fields["outcome"]}
    if about := _federation(given):
        line = {"event": "step", "step": step, **about, "outcome": fields["outcome"]}
    line |= _about(given)
    line |= {k: fields[k] for k in ("code", "message") if k in fields}
    line["state"] = _OF_OUTCOME.get(fields["outcome"], "running")
    line["waiting_for"] = fields.get("code", "")
    if isinstance(outcome, Ok):
        line |= _after(given, fields.get("value"))
    return {name: value for name, value in line.items() if value}


def _about(given: object) -> dict[str, Any]:
    match given:
        case Walk():
            return _secret(given.rotation.vault, given.rotation.secret) | {
                "consumer": given.target.kind if given.target else ""
            }
        case Telling() if given.notice.kind == NoticeKind.ALERT:
            return {"notice": given.notice.kind}  # of no rotation: with a vault it would be one that never ends
        case Telling() if given.notice.federation:
            return {"notice": f"{given.notice.kind} {given.notice.federation.stage}"}
        case Telling():
            return _secret(given.notice.vault, given.notice.secret) | {"notice": given.notice.kind}
        case Question():
            return _secret(given.request.vault, given.request.secret)
    return {}


def _secret(vault: str, secret: str) -> dict[str, Any]:
    return {"vault": vault, "secret": secret}


def _after(given: object, value: Any) -> dict[str, Any]:
    """What is true once the step is done."""
    found = {k: value[k] for k in ("not_due", "counts") if value.get(k)} if isinstance(value, dict) else {}
    if "not_due" in found:
        return found | {"state": "not-due"}
    if isinstance(given, Walk) and given.result:
        return found | {"state": given.result}
    if isinstance(given, Federation) and given.result:
        return found | {"state": given.result}
    if isinstance(given, Walk) and given.until:
        return found | {"state": "waiting"} | _grace(given.until)
    if isinstance(given, Walk) and _lacks(given, value):
        return found | {"state": "needs-you", "waiting_for": NOT_ACKNOWLEDGED}
    if isinstance(given, Telling) and given.notice.kind in _OF_NOTICE:
        return found | {"state": _OF_NOTICE[given.notice.kind]} | _wait(given)
    if isinstance(given, Telling) and (news := given.notice.federation):
        return found | _stage(given.notice, news)
    return found


def _federation(given: object) -> dict[str, Any]:
    """Return which walk to a connection without a secret a line is about, nothing if it is about none."""
    match given:
        case Federation():
            return _connection(given, given.id, given.connection or given.new_name)
        case FederationQuestion():
            return _connection(given.request, given.id, given.request.connection)
        case VendingQuestion():
            return _connection(given.request, given.id, given.request.name)
        case Telling() if news := given.notice.federation:
            return _connection(news, given.notice.rotation_id, news.connection or news.new_connection)
    return {}


def _connection(
    of: Federation | FederationRequest | VendingRequest | FederationNews, id_: str, name: str
) -> dict[str, Any]:
    place = {"organization": of.organization, "project": of.project, "connection": name}
    return {"federation_id": id_, **place}


def _stage(notice: Notice, news: FederationNews) -> dict[str, Any]:
    match news.stage:
        case Stage.APPROVE:
            return {"state": "needs-you", "waiting_for": "approval"}
        case Stage.CONVERTED | Stage.STILL_USED:
            return {"state": "waiting", "waiting_for": "the end of the soak", "until": _moment(news.soak_until)}
        case Stage.NEEDS_YOU | Stage.FAILED:
            return {"state": news.stage.value, "waiting_for": notice.code, "failed_step": notice.failed_step}
    return {}


def _lacks(walk: Walk, value: Any) -> bool:
    """Tell whether decisions were read and lack an acknowledgement: the rotation waits on, as it was told."""
    said = value.get("acknowledged") if isinstance(value, dict) else None
    people = walk.facts.by_hand() if walk.facts else ()
    return said is not None and any(target.uri not in said for target in people)


def _wait(given: Telling) -> dict[str, Any]:
    notice = given.notice
    if notice.kind in {NoticeKind.SWITCHED, NoticeKind.STILL_USED}:
        return _grace(notice.old_valid_until)
    return {"waiting_for": notice.code, "failed_step": notice.failed_step}


def _grace(until: datetime | None) -> dict[str, Any]:
    return {"waiting_for": "the end of the grace period", "until": _moment(until)}


def _moment(time: datetime | None) -> str:
    return time.isoformat() if time else ""
