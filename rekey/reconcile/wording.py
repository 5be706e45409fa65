"""How leftovers and stuck rotations are told: which sentence for which verdict, and the command that helps."""

from datetime import datetime

from rekey.model import Finding
from rekey.ports import Held
from rekey.reconcile.leftovers import Evidence, Verdict
from rekey.reconcile.memory import Due
from rekey.reconcile.standing import Standing
from rekey.records import Record

_LEFT = {
    Verdict.OLD: "was replaced, but works until {expires:%Y-%m-%d %H:%M} UTC",
    Verdict.UNPROVED: "carries this deployment's label, but {why}: Rekey leaves it alone",
    Verdict.NOT_OWNED: "was made and never published, and the app's identity may not remove it",
    Verdict.WAIT: "was made and never published; it is removed if a later night finds it so again",
    Verdict.REMOVE: "was made and never published: it was removed",
}
_WHY = {
    Evidence.MISSING: "there is no record of the rotation that made it",
    Evidence.UNREADABLE: "the record of the rotation that made it can't be read",
    Evidence.FOREIGN: "the record of the rotation that made it is another deployment's",
}
_ADVICE = {
    Verdict.OLD: "Remove it at its issuer when nobody uses it any more; it ends by itself else.",
    Verdict.UNPROVED: "Find out who made it; remove it at its issuer by its key id if nobody uses it.",
    Verdict.NOT_OWNED: "Make the app's identity an owner again, or remove it at its issuer by its key id.",
    Verdict.WAIT: "Nothing, unless you know that it is used: then give it another name at its issuer.",
    Verdict.REMOVE: "Nothing.",
}
_STUCK = {
    Standing.STALLED: (
        "rotation-stalled",
        "has made no step for more than a day, although its instance is running",
        "Look at the instance in the durable engine's dashboard; terminate and restart it if it doesn't go on.",
    ),
    Standing.SUSPENDED: (
        "rotation-suspended",
        "is suspended: it goes on only when somebody resumes it",
        "Resume it: POST $HOST/runtime/webhooks/durabletask/instances/<instance>/resume?code=<durable key>",
    ),
    Standing.ENDED: ("rotation-dead", "is open, but its instance has ended", ""),
    Standing.GONE: ("rotation-dead", "is open, but its instance is gone", ""),
    Standing.ELSEWHERE: ("rotation-dead", "is open, but its instance walks another rotation by now", ""),
}
_AGAIN = "Start it again (README, Operate it): POST $HOST/api/rotations with reason manual, or restart the instance."


def issued(verdict: Verdict, held: Held, place: str, evidence: Evidence, record: Record | None) -> Finding:
    """Return what is told of a credential at its issuer; `place` names kind and target."""
    said = _LEFT[verdict].format(expires=held.expires, why=_WHY.get(evidence, ""))
    return _finding(
        verdict, f"the credential made on {held.created:%Y-%m-%d} {said}", record, f"{place}, key {held.key_id}"
    )


def staged(verdict: Verdict, name: str, evidence: Evidence, record: Record | None) -> Finding:
    """Return what is told of a value in the staging vault."""
    said = {
        Verdict.UNPROVED: f"carries this deployment's tags, but {_WHY.get(evidence, '')}: Rekey leaves it alone",
        Verdict.WAIT: "nobody reads this staged value any more; it is removed if a later night finds it so again",
        Verdict.REMOVE: "nobody read this staged value any more: it was removed",
    }
    return _finding(verdict, said[verdict], record, f"staging vault, {name}")


def stuck(standing: Standing, record: Record, *, switched: bool) -> Finding:
    """Return what is told of an open record; `switched`: the newest version is the one this rotation published."""
    code, said, advice = _STUCK[standing]
    if switched:
        code += "-after-switch"
        said += "; the new credential is in the vault, consumers may still have the old one, and nobody retires that"
    return Finding(
        code=code,
        message=f"rotation {record.rotation_id}, opened {record.opened:%Y-%m-%d %H:%M} UTC, {said}",
        what_to_do=advice or _AGAIN,
        vault=record.vault,
        secret=record.secret,
        subject=record.instance_id,
    )


def overdue(record: Record, deadline: datetime) -> Finding:
    """Return what is told of a rotation that is still trying after its deadline."""
    return Finding(
        code="rotation-overdue",
        message=f"rotation {record.rotation_id} is open, although its deadline was {deadline:%Y-%m-%d %H:%M} UTC",
        what_to_do="Look at what its custom status waits for; terminate and restart the instance if it doesn't go on.",
        vault=record.vault,
        secret=record.secret,
        subject=record.instance_id,
    )


def abandoned(record: Record) -> Finding:
    """Return what is told of a record that was closed because nothing will ever walk its rotation again."""
    return Finding(
        code="rotation-abandoned",
        message=f"rotation {record.rotation_id} had ended without closing its record; nothing it made is left: closed",
        what_to_do="Nothing; the secret is rotated when it is due.",
        vault=record.vault,
        secret=record.secret,
        subject=record.instance_id,
    )


def stopped(instance_id: str, *, suspended: bool) -> Finding:
    """Return what is told of an instance that somebody stopped and that has no open record."""
    if suspended:
        code, said, advice = _STUCK[Standing.SUSPENDED]
        return Finding(code=code, message=f"the instance {said}", what_to_do=advice, subject=instance_id)
    return Finding(
        code="rotation-terminated",
        message="was terminated by somebody before it had a record: it changed nothing",
        what_to_do="Restart it if that was not on purpose: POST "
        "$HOST/runtime/webhooks/durabletask/instances/<instance>/restart?code=<durable key>",
        subject=instance_id,
    )


def due(secret: Due, last: str) -> Finding:
    """Return what is told of a secret that is due and isn't being rotated; `last` is how its last rotation ended."""
    failing = last in {"failed", "abandoned"}
    return Finding(
        code="due-and-failing" if failing else "due-not-rotated",
        message=f"{secret.why}, and " + (f"its last rotation ended {last}" if failing else "no rotation was started"),
        what_to_do="Repair what the mail of its last rotation names, then start it by hand: POST /api/rotations."
        if failing
        else "Look whether the nightly sweep runs (its mail, the app's log), or start it by hand: POST /api/rotations.",
        vault=secret.vault,
        secret=secret.secret,
    )


def _finding(verdict: Verdict, message: str, record: Record | None, subject: str) -> Finding:
    return Finding(
        code=verdict,
        message=message,
        what_to_do=_ADVICE[verdict],
        vault=record.vault if record else "",
        secret=record.secret if record else "",
        subject=subject,
    )
