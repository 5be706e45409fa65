"""Speaks Azure DevOps' check configurations (7.1-preview.1): what has to pass before a run may use a connection.

They are kept and shown; runs don't wait for them. Settings are shown only with `$expand=settings`.
https://learn.microsoft.com/rest/api/azure/devops/approvalsandchecks/check-configurations. Unconfirmed and chosen: what
is said of a type that isn't known and of settings that are missing.
"""

from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Table, parsed_body
from local.azure.azuredevops_guards_state import Check
from local.azure.azuredevops_permissions import guarded
from local.azure.azuredevops_state import Endpoint, Organization, Permission, Project
from local.azure.cloud import Cloud

TYPES = {
    "Approval": "8c6f20a7-a545-4486-9777-f762fafe0d4d",
    "Task Check": "fe1de3ee-a436-41b4-bb20-f6eb4cb879a7",
    "ExclusiveLock": "2ef31ad6-baa0-403a-8b45-2cbc9b4e5563",
}
_NEEDED = {"Approval": "approvers", "Task Check": "definitionRef"}
"""The setting that a type can't be without."""
_ASSEMBLY = "Microsoft.Azure.Pipelines.Checks.WebApi"
_DEFAULT_TIMEOUT = 43200


class Kind(msgspec.Struct, frozen=True):
    """A type of check, by id or name."""

    id: str = ""
    name: str = ""


class Resource(msgspec.Struct, frozen=True):
    """What is checked."""

    type: str
    id: str
    name: str = ""


class Wanted(msgspec.Struct, frozen=True, rename="camel"):
    """The body that adds a check; `timeout` is minutes."""

    type: Kind
    resource: Resource
    settings: dict[str, Any] | None = None
    timeout: int = _DEFAULT_TIMEOUT
    is_disabled: bool = False


class Checks:
    """The checks on every organisation's connections."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def table(self) -> Table:
        """Return the operations."""
        path = "/{org}/{project}/_apis/pipelines/checks/configurations"
        return [
            ("GET", path, self._list),
            ("POST", path, self._add),
            ("GET", f"{path}/{{check:int}}", self._get),
            ("DELETE", f"{path}/{{check:int}}", self._delete),
        ]

    async def _list(self, call: Call) -> Response:
        query = call.request.query_params
        endpoint = guarded(call, query.get("resourceType", ""), query.get("resourceId", ""), Permission.VIEW)
        found = [one for one in call.project.checks.values() if one.endpoint == endpoint.id]
        return JSONResponse(errors.listed([one.shown(settings=_expanded(call)) for one in found]))

    async def _get(self, call: Call) -> Response:
        return JSONResponse(self._found(call, Permission.VIEW).shown(settings=_expanded(call)))

    async def _add(self, call: Call) -> Response:
        wanted = await parsed_body(call, Wanted)
        endpoint = guarded(call, wanted.resource.type, wanted.resource.id, Permission.ADMINISTER)
        made = added(self._cloud, call.organization, call.project, endpoint, wanted, call.member())
        return JSONResponse(made.shown(settings=True))

    async def _delete(self, call: Call) -> Response:
        del call.project.checks[self._found(call, Permission.ADMINISTER).id]
        return Response(status_code=204)

    def _found(self, call: Call, needed: Permission) -> Check:
        check = call.project.checks.get(int(call.path("check")))
        if check is None:
            message = f"Check configuration with id {call.path('check')} was not found."
            raise errors.vss(
                404, message, "CheckConfigurationNotFoundException", "Microsoft.Azure.Pipelines.Checks.WebApi"
            )
        guarded(call, "endpoint", check.endpoint, needed)
        return check


def added(
    cloud: Cloud, organization: Organization, project: Project, endpoint: Endpoint, wanted: Wanted, by: dict[str, Any]
) -> Check:
    """Add a check to a connection in a project and return it; a 400 says what doesn't fit."""
    kind = _kind(wanted.type)
    needed = _NEEDED.get(kind)
    if needed and not (wanted.settings or {}).get(needed):
        raise errors.missing(f"settings.{needed}")
    number, now = organization.next_number("check"), cloud.clock.now().isoformat()
    document = {
        "id": number,
        "type": {"id": TYPES[kind], "name": kind},
        "settings": wanted.settings,
        "resource": {"type": "endpoint", "id": endpoint.id, "name": endpoint.name_in(project.id)},
        "timeout": wanted.timeout,
        "isDisabled": wanted.is_disabled,
        "createdBy": by,
        "createdOn": now,
        "modifiedBy": by,
        "modifiedOn": now,
    }
    project.checks[number] = made = Check(number, endpoint.id, document)
    return made


def _kind(wanted: Kind) -> str:
    for name, identifier in TYPES.items():
        if wanted.id.lower() == identifier or (not wanted.id and wanted.name.lower() == name.lower()):
            return name
    raise errors.invalid(f"There is no check type '{wanted.id or wanted.name}' in the simulated Azure.")


def _expanded(call: Call) -> bool:
    return "settings" in call.request.query_params.get("$expand", "").lower()
