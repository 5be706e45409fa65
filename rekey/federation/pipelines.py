"""Finds the pipelines of a project that use a connection: those that ran through it, may use it, or name it."""

from collections.abc import Awaitable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Self

import msgspec
from msgspec.structs import replace

from rekey.azure_devops_access import Allowed
from rekey.azure_devops_definitions import Definition
from rekey.azure_devops_executions import Execution
from rekey.errors import PermanentError
from rekey.federation.document import ProjectRef
from rekey.federation.organization import Organization
from rekey.federation.quoting import quoted
from rekey.model.federation import Old, PipelineUse
from rekey.settings import Settings

_NEVER = datetime.min.replace(tzinfo=UTC)
_NONE: tuple[tuple[Definition, ...], bool] = ((), True)
_RAN, _MAY, _NAMES = "ran through it", "is permitted to use it", "names it in a step or a variable"


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Pipelines that use a connection, whose run was last first, and what there is to know beside them."""

    pipelines: tuple[PipelineUse, ...] = ()
    remarks: tuple[str, ...] = ()

    def and_also(self, other: Self) -> Self:
        """Return both together."""
        return replace(self, pipelines=self.pipelines + other.pipelines, remarks=self.remarks + other.remarks)


class _Looking:
    """What may not be seen is a remark, and stops nothing."""

    def __init__(self, place: ProjectRef) -> None:
        self._here = quoted(place.project)
        self.remarks: list[str] = []

    def say(self, remark: str) -> None:
        self.remarks.append(f"{self._here}: {remark}")

    async def at[T](self, asked: Awaitable[T], otherwise: T, what: str) -> T:
        try:
            return await asked
        except PermanentError:
            self.say(f"{what} could not be read")
            return otherwise


async def known(organization: Organization, settings: Settings, place: ProjectRef, old: Old) -> Seen:
    """Return the pipelines of one project.

    A YAML pipeline that names the connection and never ran through it can't be seen: its file isn't looked into.
    """
    looking, words = _Looking(place), (old.id, place.connection)
    runs = await looking.at(organization.executions.of(place.id, old.id), (), "its execution history")
    allowed = await looking.at(organization.access.allowed(place.id, old.id), Allowed(), "pipeline permissions")
    found, whole = await looking.at(organization.definitions.builds(place.id, words), _NONE, "its pipelines")
    asked = organization.release_definitions.releases(place.id, words)
    releases, also_whole = await looking.at(asked, _NONE, "its classic release pipelines")
    if allowed.all:
        looking.say("every pipeline is permitted to use it")
    if not (whole and also_whole):
        looking.say("it has more pipelines than were looked at")
    if running := sum(run.ended is None for run in runs):
        looking.say(f"{running} run{'' if running == 1 else 's'} through it just now")
    definitions = {_key(one.id): one for one in found} | {_key(one.id, release=True): one for one in releases}
    uses = _uses(runs, allowed.pipelines, definitions)
    uses = [replace(one, owner=one.owner if settings.allows_address(one.owner) else "") for one in uses]
    uses.sort(key=lambda one: one.last_run or _NEVER, reverse=True)
    return Seen(pipelines=tuple(uses), remarks=tuple(looking.remarks))


def _key(number: int, name: str = "", *, release: bool = False) -> str:
    """Classic release pipelines have numbers of their own; of what was deleted there may be no more than a name."""
    return f"{'release ' if release else ''}{number or name}"


def _uses(
    runs: Iterable[Execution], permitted: Iterable[int], definitions: Mapping[str, Definition]
) -> list[PipelineUse]:
    """Join what is known of each pipeline."""
    found: dict[str, PipelineUse] = {}

    def know(key: str, name: str, by: str, last: datetime | None = None) -> None:
        definition = definitions.get(key)
        owner, shown = (definition.author, definition.name) if definition else ("", name or f"pipeline {key}")
        one = found.get(key) or PipelineUse(id=key, name=quoted(shown), owner=owner)
        ways = one.known_by.split("; ") if one.known_by else []
        moments = [moment for moment in (one.last_run, last) if moment]
        ways = ways if by in ways else [*ways, by]
        found[key] = replace(one, known_by="; ".join(ways), last_run=max(moments, default=None))

    for run in runs:
        know(_key(run.pipeline, run.name, release=run.release), run.name, _RAN, run.ended or run.began)
    builds = {key for key in definitions if key.isdecimal()}
    for number in permitted:
        if _key(number) in builds or not builds:
            know(_key(number), "", _MAY)
    for key, one in definitions.items():
        if one.naming:
            know(key, one.name, _NAMES)
    return list(found.values())
