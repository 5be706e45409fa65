"""Plans a rotation: everything it would do and what would stop it, changing nothing, not even what proves a right.

Only reads are made. What could be proved by a write alone is named in `not_proved`.
"""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from rekey import due, inspection, names, readers_view, reading
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.model import Facts, Question, Reason, Rotation, RotationRequest
from rekey.model.request import JUDGED
from rekey.plan_steps import A_ROTATION_ID, PlannedStep, Walkthrough
from rekey.ports import ConsumerFacts
from rekey.readers_view import OfVersion


class Verdict(StrEnum):
    """What would become of a rotation that started now."""

    ROTATES = "rotates"
    NOTHING_LEFT = "nothing-left"
    """No consumer needs a key any more: nothing is made."""
    STOPS = "stops"
    NOT_DUE = "not-due"
    UNTAGGED = "untagged"
    BAD_POLICY = "bad-policy"
    NO_VERSION = "no-version"


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What would stop the rotation, at which step and about what, and how to repair it."""

    step: str
    subject: str
    code: str
    message: str
    what_to_do: str


class BadTag(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that can't be used; `got` is None where the secret's own value could be in it."""

    tag: str
    expected: str
    got: str | None


class Dates(msgspec.Struct, frozen=True, kw_only=True):
    """When the old credential is due and ends, and if the rotation started now: the new one's end, the grace's end."""

    due_from: datetime | None
    old_expires: datetime | None
    new_expires: datetime
    grace_until: datetime


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a rotation would do; without steps where there is no policy to follow."""

    vault: str
    secret: str
    reason: Reason
    instance: str
    verdict: Verdict
    why: str
    dates: Dates | None = None
    steps: tuple[PlannedStep, ...] = ()
    missing: tuple[Missing, ...] = ()
    bad_tags: tuple[BadTag, ...] = ()
    not_proved: tuple[str, ...] = ()
    readers: tuple[OfVersion, ...] = ()
    """Who got which version within the last 30 days: whom it concerns that there is a new one."""
    remarks: tuple[str, ...] = ()


async def make(clients: Clients, request: RotationRequest) -> Plan:
    """Return the plan of that rotation; NotYetError while a service that has to be asked doesn't answer."""
    now = datetime.now(UTC)
    question = Question(request=request, rotation_id=A_ROTATION_ID, started=now)
    try:
        found = await reading.examine(clients, question)
    except PermanentError as error:
        subject = f"{request.vault}/{request.secret}"
        stop = _missing(names.READ_POLICY, subject, error)
        return _without_steps(request, Verdict.STOPS, error.message, missing=(stop,))
    rotation = reading.rotation(question, found)
    if rotation is None or found.version is None:
        return _nothing_to_walk(request, found)
    facts, missing = await _looked(clients, rotation)
    if facts.nothing_left():
        return await _nothing_left(clients, rotation, found, facts, missing)
    ends = due.end_of(rotation.policy, found.version.created, rotation.expires)
    missing = (*_gates(rotation), *missing)
    dates = Dates(
        due_from=due.due_from(rotation.policy, found.version.created, ends) if ends else None,
        old_expires=rotation.expires,
        new_expires=due.new_end(rotation.policy, now, facts.longest),
        grace_until=due.grace_until(rotation.policy, now, rotation.expires),
    )
    concerned, unseen = await _readers(clients, rotation)
    skipped = request.reason in JUDGED and not found.is_due
    plan = _without_steps(
        request, Verdict.NOT_DUE if skipped else Verdict.STOPS if missing else Verdict.ROTATES, found.why
    )
    return msgspec.structs.replace(
        plan,
        dates=dates,
        steps=tuple(Walkthrough(rotation, facts, dates.grace_until, clients.settings).steps()),
        missing=missing,
        not_proved=_not_proved(rotation, clients),
        readers=concerned,
        remarks=facts.remarks + unseen + _remarks(rotation, dates, now, is_due=found.is_due),
    )


async def _nothing_left(
    clients: Clients, rotation: Rotation, found: reading.Examined, facts: Facts, missing: tuple[Missing, ...]
) -> Plan:
    """Return the plan of a rotation that ends before anything is made."""
    skipped = rotation.reason in JUDGED and not found.is_due
    verdict = Verdict.NOT_DUE if skipped else Verdict.STOPS if missing else Verdict.NOTHING_LEFT
    why = found.why if skipped else "no consumer needs a key any more"
    concerned, unseen = await _readers(clients, rotation)
    request = RotationRequest(vault=rotation.vault, secret=rotation.secret, reason=rotation.reason)
    return msgspec.structs.replace(
        _without_steps(request, verdict, why, missing),
        steps=tuple(Walkthrough(rotation, facts, rotation.started, clients.settings).steps()),
        not_proved=_not_proved(rotation, clients),
        readers=concerned,
        remarks=facts.remarks + unseen + tuple(f"{t.uri} needs no key any more: {t.keyless}." for t in facts.keyless()),
    )


def _without_steps(request: RotationRequest, verdict: Verdict, why: str, missing: tuple[Missing, ...] = ()) -> Plan:
    return Plan(
        vault=request.vault,
        secret=request.secret,
        reason=request.reason,
        instance=names.instance_id(request.vault, request.secret),
        verdict=verdict,
        why=why,
        missing=missing,
    )


def _nothing_to_walk(request: RotationRequest, found: reading.Examined) -> Plan:
    if found.version is None:
        return _without_steps(request, Verdict.NO_VERSION, found.absent)
    if found.untagged:
        return _without_steps(request, Verdict.UNTAGGED, found.untagged)
    bad = tuple(
        BadTag(tag=e.field, expected=e.expected, got=str(e.value)[:200] if found.quotable else None)
        for e in found.errors
    )
    why = "these tags can't be used: " + ", ".join(tag.tag for tag in bad)
    return msgspec.structs.replace(_without_steps(request, Verdict.BAD_POLICY, why), bad_tags=bad)


async def _looked(clients: Clients, rotation: Rotation) -> tuple[Facts, tuple[Missing, ...]]:
    """Return what could be found out, and all that is missing, where preflight stops at the first."""
    policy = rotation.policy
    found = await asyncio.gather(*(_tried(inspection.consumer(clients, rotation, ref)) for ref in policy.consumers))
    seen = [ConsumerFacts(object_id="") if isinstance(f, PermanentError) else f for f in found]
    credential = await _tried(inspection.issuer(seen)(clients, rotation))
    facts = Facts(object_id="", display_name="") if isinstance(credential, PermanentError) else credential
    subjects = (f"{policy.credential.kind}:{policy.credential.target}", *(ref.uri for ref in policy.consumers))
    asked = zip(subjects, (credential, *found), strict=True)
    missing = tuple(_missing(names.PREFLIGHT, subject, f) for subject, f in asked if isinstance(f, PermanentError))
    return inspection.joined(facts, policy.consumers, seen), missing


def _gates(rotation: Rotation) -> tuple[Missing, ...]:
    """As long as a rotation can't wait for somebody, one whose policy asks for that is refused."""
    return tuple(
        Missing(
            step="approval",
            subject=tag,
            code="gate-not-built",
            message=f"{tag} asks this rotation to wait, which this version of Rekey can't do yet",
            what_to_do=f"Remove {tag} to rotate without it.",
        )
        for tag in rotation.gates()
    )


def _not_proved(rotation: Rotation, clients: Clients) -> tuple[str, ...]:
    return (
        f"The right to write to vault {rotation.vault}: preflight proves it by an update that changes nothing.",
        f"The right to write to the staging vault {clients.settings.staging_vault}, to storage, and to send mail.",
    )


async def _readers(clients: Clients, rotation: Rotation) -> tuple[tuple[OfVersion, ...], tuple[str, ...]]:
    try:
        found, unseen = await readers_view.lately(clients, rotation.vault, rotation.secret)
    except PermanentError as error:
        found, unseen = (), f"Who reads the secret isn't known: {error.message}."
    return found, (unseen,) if unseen else ()


def _remarks(rotation: Rotation, dates: Dates, now: datetime, *, is_due: bool) -> tuple[str, ...]:
    remarks = []
    if not is_due and rotation.reason not in JUDGED:
        remarks.append(f"It isn't due: for the reason {rotation.reason} it is rotated all the same.")
    if dates.new_expires < due.new_end(rotation.policy, now, None):
        remarks.append("The new credential ends earlier than the policy asks: the issuer's own policy caps it.")
    if rotation.reason == Reason.LEAK:
        remarks.append("After a leak there is no grace: the old credential is retired once consumers are confirmed.")
    return tuple(remarks)


async def _tried[T](work: Awaitable[T]) -> T | PermanentError:
    try:
        return await work
    except PermanentError as error:
        return error


def _missing(step: str, subject: str, error: PermanentError) -> Missing:
    return Missing(step=step, subject=subject, code=error.code, message=error.message, what_to_do=error.what_to_do)
