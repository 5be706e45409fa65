"""Plans a federation: everything it would do and what would stop it, changing nothing. Only reads are made."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from rekey import names
from rekey.clients import Clients
from rekey.errors import NotYetError, RekeyError
from rekey.federation import checking, identifying, reading
from rekey.federation.plan_steps import A_FEDERATION_ID, Walkthrough
from rekey.model import NoticeKind
from rekey.model.federation import (
    Checked,
    Federation,
    FederationQuestion,
    Identity,
    Mode,
    PipelineUse,
    Target,
)
from rekey.model.federation_request import FederationRequest
from rekey.notices.recipients import recipients
from rekey.plan import Missing
from rekey.plan_steps import PlannedStep

REVERTIBLE = timedelta(days=7)
"""How long Azure DevOps can convert a connection back."""
AT_ONCE = 4
"""Plans; each asks Azure DevOps a dozen questions."""


class Verdict(StrEnum):
    """What would become of a federation that started now."""

    FEDERATES = "federates"
    STOPS = "stops"
    NOTHING_TO_DO = "nothing-to-do"


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Whether there is a moment in which the connection can't sign in, and why."""

    possible: bool
    why: str


class FederationPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a federation would do; without steps where the connection couldn't be read.

    `issuer` and `subject` are what the connection shows now, "" for nothing. `revert_until`: until when Azure DevOps
    could convert it back, if it were converted now. `managed` says what becomes of each managed secret.
    """

    organization: str
    project: str
    connection: str
    mode: Mode
    target: Target
    instance: str
    verdict: Verdict
    why: str = ""
    signs_in_by: str = ""
    signs_in_as: Identity | None = None
    new_name: str = ""
    issuer: str = ""
    subject: str = ""
    gap: Gap | None = None
    needs_approval: bool = False
    soak_until: datetime | None = None
    revert_until: datetime | None = None
    steps: tuple[PlannedStep, ...] = ()
    missing: tuple[Missing, ...] = ()
    pipelines: tuple[PipelineUse, ...] = ()
    owners: tuple[str, ...] = ()
    managed: dict[str, str] = {}
    remarks: tuple[str, ...] = ()


async def plans(clients: Clients, requests: tuple[FederationRequest, ...]) -> list[FederationPlan]:
    """Return the plan of each, in their order."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(request: FederationRequest) -> FederationPlan:
        async with limit:
            return await plan(clients, request)

    return list(await asyncio.gather(*map(one, requests)))


async def plan(clients: Clients, request: FederationRequest) -> FederationPlan:
    """Return the plan of one; what can't be found out now is among what is missing."""
    now = datetime.now(UTC)
    instance = names.federation_instance(request.organization, request.project, request.connection)
    bare = FederationPlan(
        organization=request.organization,
        project=request.project,
        connection=request.connection,
        mode=request.mode,
        target=request.target,
        instance=instance,
        verdict=Verdict.STOPS,
    )
    question = FederationQuestion(request=request, id=A_FEDERATION_ID, instance=instance, started=now)
    found = await _tried(reading.read(clients, question))
    if isinstance(found, RekeyError):
        stop = _missing(names.READ_CONNECTION, request.connection, found)
        return replace(bare, why=found.message, missing=(stop,))
    if not found.federations:
        return replace(bare, verdict=Verdict.NOTHING_TO_DO, why=found.nothing_to_do)
    return await _of_walk(clients, bare, found.federations[0], now)


async def _of_walk(clients: Clients, bare: FederationPlan, walk: Federation, now: datetime) -> FederationPlan:
    identity, examined = await asyncio.gather(
        _tried(identifying.identify(clients, walk)), _tried(checking.examine(clients, walk))
    )
    signs_in_as = None if isinstance(identity, RekeyError) else identity
    seen, problems = (Checked(), (examined,)) if isinstance(examined, RekeyError) else examined
    missing = (
        *(_missing(names.FIND_IDENTITY, walk.connection, one) for one in (identity,) if isinstance(one, RekeyError)),
        *(_missing(names.CHECK_CONNECTION, walk.connection, problem) for problem in problems),
    )
    old, until = walk.old, walk.soak_ends(now, now + REVERTIBLE)
    vending = clients.settings.federating.vending
    walked = Walkthrough(walk, signs_in_as, _told(clients, seen), until, vending.scopes if vending else ())
    return replace(
        bare,
        project=walk.project,
        connection=walk.connection,
        verdict=Verdict.STOPS if missing else Verdict.FEDERATES,
        why=_why(walk) if not missing else missing[0].message,
        signs_in_by=old.way if old else "",
        signs_in_as=signs_in_as,
        new_name=walk.new_name,
        issuer=old.issuer if old else "",
        subject=old.subject if old else "",
        gap=_gap(walk),
        needs_approval=walk.grants_roles,
        soak_until=until if walk.mode is not Mode.REPAIR else None,
        revert_until=now + REVERTIBLE if walk.mode is Mode.IN_PLACE else None,
        steps=tuple(walked.steps()),
        missing=missing,
        pipelines=seen.pipelines,
        owners=seen.owners,
        managed={secret: _becomes(walk) for secret in (old.managed_by if old else ())},
        remarks=seen.remarks,
    )


def _told(clients: Clients, seen: Checked) -> tuple[str, ...]:
    owners = (*seen.owners, *(one.owner for one in seen.pipelines))
    settings = clients.settings
    return recipients(NoticeKind.FEDERATION, owners=owners, notify=(), application_owners=(), settings=settings)


def _why(walk: Federation) -> str:
    return {
        Mode.IN_PLACE: "Azure DevOps converts it, and Entra trusts it in place of its secret",
        Mode.SIDE_BY_SIDE: f"a new connection, {walk.new_name}, takes its place",
        Mode.REPAIR: "Entra gets to know the issuer and the subject that it presents",
    }[walk.mode]


def _gap(walk: Federation) -> Gap:
    old = walk.old
    if walk.mode is Mode.SIDE_BY_SIDE:
        return Gap(possible=False, why="the old connection stays as it is until nothing runs through it any more")
    if walk.mode is Mode.REPAIR:
        return Gap(possible=True, why="it can't sign in now; it can as soon as Entra knows what it presents")
    if old and old.issuer and old.subject:
        return Gap(possible=False, why="it shows issuer and subject already: Entra trusts them ten minutes before")
    why = (
        "it shows neither issuer nor subject yet: if Azure DevOps converts it at once, a job that signs in before "
        "Entra knows them, which takes seconds, and minutes at worst, fails, and can be run again"
    )
    return Gap(possible=True, why=why)


def _becomes(walk: Federation) -> str:
    if walk.mode is Mode.REPAIR:
        return "is not touched"
    return (
        "stops rotating for this connection once that needs no secret; its last password is removed after the soak, "
        "unless another consumer still needs it"
    )


async def _tried[T](work: Awaitable[T]) -> T | RekeyError:
    try:
        return await work
    except RekeyError as error:
        return error


def _missing(step: str, subject: str, error: RekeyError) -> Missing:
    what_to_do = "Ask again in a moment." if isinstance(error, NotYetError) else error.what_to_do
    return Missing(step=step, subject=subject, code=error.code, message=error.message, what_to_do=what_to_do)
