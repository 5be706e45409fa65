"""Knows how a classic release of Azure DevOps is found, created and watched, on the host releases have to themselves.

https://learn.microsoft.com/rest/api/azure/devops/release (7.1). A stage without conditions is started by people: only
those that start by themselves are waited for.
"""

from typing import Any
from urllib.parse import quote

from rekey.azdo_uri import Place
from rekey.azure_devops import MEMBERSHIP, AzureDevOps, below
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.queued_work import GONE, Ended, Found, chosen, succeeded

GRANT = f"{MEMBERSHIP}Create releases and View releases on the release pipeline (Pipelines, Releases, Security)."
_NAMESPACE = "c788c23e-1b46-4162-8f5e-d7585343b5de"
_CREATE_RELEASES = 64
_ENOUGH = "20"
"""How many of the newest releases are looked through for one whose answer was lost."""
_UNFINISHED = frozenset({"undefined", "notStarted", "inProgress", "queued", "scheduled"})


class Releases:
    """The releases of the definition that a URI names."""

    def __init__(self, clients: Clients, place: Place) -> None:
        cloud = clients.settings.cloud
        self._origin = cloud.azure_devops
        self._core = AzureDevOps(clients.azure_devops(), cloud.azure_devops, place.organization, GRANT)
        releases = clients.azure_devops_releases()
        self._api = AzureDevOps(releases, cloud.azure_devops_release, place.organization, GRANT)
        self._place = place
        self._path = f"{below(place.project)}/release"

    async def find(self) -> Found:
        """Return the definition; PermanentError unless it is there, deploys something by itself, and may be used."""
        number = await chosen(self._place, self._named, GRANT)
        definition = await self._api.found(f"{self._path}/definitions/{number}")
        project = await self._core.found(f"/_apis/projects/{quote(self._place.project, safe='')}")
        if definition is None or project is None:
            raise PermanentError("no-pipeline", f"there is no {self._place.uri} that the app's identity can see", GRANT)
        if not any(stage.get("conditions") for stage in definition.get("environments") or ()):
            raise PermanentError(
                "nothing-automatic",
                f"no stage of {self._place.uri} starts by itself, so that a release would try out nothing",
                "Give a stage the trigger After release, or name another release pipeline.",
            )
        folder = [part for part in str(definition.get("path", "")).split("\\") if part]
        token = "/".join([str(project["id"]), *folder, str(number)])
        if not await self._core.allows(_NAMESPACE, _CREATE_RELEASES, token):
            raise PermanentError("may-not-queue", f"the app's identity may not create {self._place.uri}", GRANT)
        return Found(number=number, project_id=str(project["id"]))

    async def newest(self, number: int) -> int:
        """Return the highest id of any release of the definition, 0 if there is none."""
        return max((int(release["id"]) for release in await self._newest(number, "1")), default=0)

    async def after(self, number: int, run: int, label: str) -> int | None:
        """Return the release after that one which carries the label, None without one."""
        found = await self._newest(number, _ENOUGH)
        mine = (int(r["id"]) for r in found if int(r["id"]) > run and r.get("description") == label)
        return min(mine, default=None)

    async def queue(self, number: int, label: str) -> int:
        """Create a release and return its id; UnclearError if that may have happened."""
        body = {"definitionId": number, "description": label, "isDraft": False, "reason": "manual"}
        answer = await self._api.call("POST", f"{self._path}/releases", body=body, repeatable=False)
        return int((answer or {})["id"])

    async def state(self, number: int, run: int) -> Ended | None:  # noqa: ARG002 - a release is found by its own id
        """Return how a release ended, None while a stage that starts by itself goes on."""
        release = await self._api.found(f"{self._path}/releases/{run}")
        if release is None:
            return GONE
        if release.get("status") == "abandoned":
            return Ended("was abandoned")
        return _ended([stage for stage in release.get("environments") or () if stage.get("conditions")])

    def link(self, run: int) -> str:
        """Return where people see a release: built from what was asked for, never from an answer."""
        base = f"{self._origin}/{quote(self._place.organization)}/{quote(self._place.project)}"
        return f"{base}/_releaseProgress?_a=release-pipeline-progress&releaseId={run}"

    async def _named(self, name: str) -> list[dict[str, Any]]:
        return await self._api.listed(f"{self._path}/definitions", {"searchText": name, "isExactNameMatch": "true"})

    async def _newest(self, number: int, count: str) -> list[dict[str, Any]]:
        query = {"definitionId": str(number), "$top": count, "queryOrder": "descending"}
        return await self._api.listed(f"{self._path}/releases", query)


def _ended(stages: list[dict[str, Any]]) -> Ended | None:
    """A stage that fails keeps those after it from starting; without any stage nothing was tried out."""
    statuses = [str(stage.get("status", "undefined")) for stage in stages]
    bad = [status for status in statuses if status != "succeeded" and status not in _UNFINISHED]
    if bad or not statuses:
        return Ended(f"ended {bad[0]}" if bad else "deployed nothing by itself")
    return succeeded("succeeded") if all(status == "succeeded" for status in statuses) else None
