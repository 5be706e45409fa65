"""Lets the same pipelines use the new connection as the old one, past the same checks.

The checks come first, and a pipeline is permitted only where all of them are there: at no moment may anybody do more
with the new connection than with the old one.
"""

from typing import Any

from msgspec.structs import replace

from rekey.azure_devops_access import Access, like
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.federation.document import projects
from rekey.federation.organization import Organization, old_of
from rekey.federation.quoting import quoted
from rekey.model.federation import Copied, Federation, New

_SECURITY = (
    "who may use and administer it (the connection, Security, User permissions) is not copied: the project's own "
    "settings apply"
)


async def copy(clients: Clients, federation: Federation) -> Copied:
    """Copy checks and pipeline permissions in each project that has both; what is there already stays.

    What Azure DevOps doesn't take is a remark. UnclearError if a check may have been added: the next attempt looks.
    """
    organization, old = Organization(clients, federation.organization), old_of(federation)
    if federation.new is None:
        raise PermanentError("no-new-connection", f"federation {federation.id} has made no connection", "Report this.")
    document, _ = await organization.there(old.owner_project, old.id, quoted(old.name))
    copied = Copied(remarks=(_SECURITY,))
    for place in projects(document):
        copied = await _Copying(organization.access, place.id, quoted(place.project)).run(
            old.id, federation.new, copied
        )
    return copied


class _Copying:
    """What is copied in one project."""

    def __init__(self, access: Access, project: str, here: str) -> None:
        self._access = access
        self._project = project
        self._here = here

    async def run(self, old: str, new: New, copied: Copied) -> Copied:
        checks, refused = await self._checks(old, new.id)
        copied = replace(copied, checks=copied.checks + checks)
        if refused:
            said = (
                f"{self._here}: {refused} of its checks could not be copied, so that no pipeline was permitted to use "
                f"{quoted(new.name)}: add them by hand, then permit the pipelines"
            )
            return replace(copied, remarks=(*copied.remarks, said))
        permitted, remarks = await self._permissions(old, new.id)
        return replace(copied, pipelines=copied.pipelines + permitted, remarks=copied.remarks + remarks)

    async def _checks(self, old: str, new: str) -> tuple[int, int]:
        """Return how many of the old one's checks the new one has, and how many it can't have."""
        there = await self._access.checks(self._project, new)
        copied = refused = 0
        for check in await self._access.checks(self._project, old):
            same = next((one for one in there if _guards_as(one, check)), None)
            if same is not None:
                there.remove(same)
                copied += 1
                continue
            try:
                await self._access.add_check(self._project, new, check)
                copied += 1
            except PermanentError as error:
                if error.code != "refused":
                    raise
                refused += 1
        return copied, refused

    async def _permissions(self, old: str, new: str) -> tuple[int, tuple[str, ...]]:
        """Return how many pipelines of the old one's may use the new one, and what is to be said of the others."""
        theirs = await self._access.allowed(self._project, old)
        ours = await self._access.allowed(self._project, new)
        if ours.all != theirs.all:
            await self._access.allow_all(self._project, new, allowed=theirs.all)
        failed = await self._allow(new, sorted(theirs.pipelines - ours.pipelines))
        remarks = []
        if failed:
            remarks.append(f"{self._here}: {failed} pipelines could not be permitted: they may be gone")
        if theirs.all:
            remarks.append(f"{self._here}: every pipeline may use it, as the old one")
        return len(theirs.pipelines) - failed, tuple(remarks)

    async def _allow(self, new: str, pipelines: list[int]) -> int:
        """Permit them together, else one by one; return how many could not be."""
        if not pipelines:
            return 0
        try:
            await self._access.allow(self._project, new, pipelines)
        except PermanentError as error:
            if error.code not in {"refused", "not-found"}:
                raise
            if len(pipelines) == 1:
                return 1
            return sum([await self._allow(new, [one]) for one in pipelines])
        return 0


def _guards_as(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Tell whether a check guards no less than another: it is the same, and not disabled unless that is, too."""
    same = [{**like(check), "isDisabled": False} for check in (one, other)]
    return same[0] == same[1] and (bool(other.get("isDisabled")) or not one.get("isDisabled"))
