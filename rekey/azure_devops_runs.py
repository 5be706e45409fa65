"""Knows how a YAML pipeline of Azure DevOps is found, queued and watched.

https://learn.microsoft.com/rest/api/azure/devops/pipelines (7.1). Only the Build API finds a pipeline by its name, says
whether it may be queued at all, and lists a few runs instead of ten thousand: a run's id is its build's.
"""

from typing import Any
from urllib.parse import quote

from rekey.azdo_uri import Place
from rekey.azure_devops import MEMBERSHIP, AzureDevOps, below
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.queued_work import GONE, Ended, Found, chosen, succeeded

GRANT = f"{MEMBERSHIP}Queue builds and View builds on the pipeline (Pipelines, the pipeline, Manage security)."
_NAMESPACE = "33344d9c-fc72-4d6f-aba5-fa317101a7e9"
_QUEUE_BUILDS = 128
_YAML = 2
_ENOUGH = "20"
"""How many of the newest runs are looked through for one whose answer was lost."""


class Runs:
    """The runs of the pipeline that a URI names."""

    def __init__(self, clients: Clients, place: Place) -> None:
        self._origin = clients.settings.cloud.azure_devops
        self._api = AzureDevOps(clients.azure_devops(), self._origin, place.organization, GRANT)
        self._place = place
        self._path = below(place.project)

    async def find(self) -> Found:
        """Return the pipeline by name or id; PermanentError unless it is there, enabled, YAML, and may be queued."""
        number = await chosen(self._place, self._named, GRANT)
        definition = await self._definition(number)
        self._require_queueable(definition)
        project_id, folder = str((definition.get("project") or {}).get("id")), str(definition.get("path", ""))
        token = "/".join([project_id, *(part for part in folder.split("\\") if part), str(number)])
        if not await self._api.allows(_NAMESPACE, _QUEUE_BUILDS, token):
            raise PermanentError("may-not-queue", f"the app's identity may not queue {self._place.uri}", GRANT)
        return Found(number=number, project_id=project_id)

    async def newest(self, number: int) -> int:
        """Return the highest id of any run of the pipeline, 0 if it never ran."""
        return max((int(build["id"]) for build in await self._builds(number, {"$top": "1"})), default=0)

    async def after(self, number: int, run: int, label: str) -> int | None:  # noqa: ARG002 - a run takes no label
        """Return the first run that somebody queued after that one, on the branch that is wanted; None without one.

        Whoever queued it: it began later, so it tries out the same.
        """
        definition = await self._definition(number)
        branch = self._branch() or _full(str((definition.get("repository") or {}).get("defaultBranch") or ""))
        query = {"$top": _ENOUGH, "reasonFilter": "manual", **({"branchName": branch} if branch else {})}
        return min((int(b["id"]) for b in await self._builds(number, query) if int(b["id"]) > run), default=None)

    async def queue(self, number: int, label: str) -> int:  # noqa: ARG002 - a run takes no label
        """Queue a run and return its id; UnclearError if that may have happened."""
        branch = self._branch()
        resources = {"repositories": {"self": {"refName": branch}}} if branch else {}
        path = f"{self._path}/pipelines/{number}/runs"
        answer = await self._api.call("POST", path, body={"resources": resources}, repeatable=False)
        return int((answer or {})["id"])

    async def state(self, number: int, run: int) -> Ended | None:
        """Return how a run ended, None while it goes on."""
        answer = await self._api.found(f"{self._path}/pipelines/{number}/runs/{run}")
        if answer is None:
            return GONE
        return succeeded(str(answer.get("result") or "unknown")) if answer.get("state") == "completed" else None

    def link(self, run: int) -> str:
        """Return where people see a run: built from what was asked for, never from an answer."""
        place = self._place
        return f"{self._origin}/{quote(place.organization)}/{quote(place.project)}/_build/results?buildId={run}"

    def _branch(self) -> str:
        return _full(self._place.options.get("branch", ""))

    async def _named(self, name: str) -> list[dict[str, Any]]:
        return await self._api.listed(f"{self._path}/build/definitions", {"name": name})

    async def _definition(self, number: int) -> dict[str, Any]:
        definition = await self._api.found(f"{self._path}/build/definitions/{number}")
        if definition is None:
            raise PermanentError("no-pipeline", f"there is no {self._place.uri} that the app's identity can see", GRANT)
        return definition

    async def _builds(self, number: int, query: dict[str, str]) -> list[dict[str, Any]]:
        query = {"definitions": str(number), "queryOrder": "queueTimeDescending", **query}
        return await self._api.listed(f"{self._path}/build/builds", query)

    def _require_queueable(self, definition: dict[str, Any]) -> None:
        status = str(definition.get("queueStatus", "enabled"))
        if status != "enabled":
            raise PermanentError(
                "pipeline-not-enabled",
                f"{self._place.uri} is {status}",
                "Enable it (its settings), or correct the tags.",
            )
        if (definition.get("process") or {}).get("type") != _YAML:
            raise PermanentError(
                "not-yaml",
                f"{self._place.uri} is a classic build pipeline",
                "Name a YAML pipeline, or a classic release with ?type=release.",
            )


def _full(branch: str) -> str:
    return branch if branch.startswith("refs/") or not branch else f"refs/heads/{branch}"
