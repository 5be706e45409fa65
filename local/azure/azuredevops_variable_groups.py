"""Speaks the variable groups part of Azure DevOps' Distributed Task API 7.1: look up by name or id, replace.

A secret's value is null in every answer. Unconfirmed and chosen: the sentence of a 403; that a list leaves the
projects of a group out.
"""

import fnmatch
from typing import Any

import msgspec
from starlette.responses import JSONResponse, Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call, Table, parsed_body
from local.azure.azuredevops_paging import paged
from local.azure.azuredevops_rights import LIBRARY, Library
from local.azure.azuredevops_variable_groups_state import VariableGroup
from local.azure.cloud import Cloud
from local.azure.wire import ServiceError

_ASSEMBLY = "Microsoft.TeamFoundation.DistributedTask.WebApi"
_OWN = ("id", "createdBy", "createdOn", "isShared")


class Group(msgspec.Struct, frozen=True, rename="camel"):
    """The parts of a PUT's body that have to be there."""

    name: str = ""
    type: str = ""
    variables: dict[str, dict[str, Any]] = {}
    variable_group_project_references: list[dict[str, Any]] | None = None


class VariableGroups:
    """Variable groups of every organisation."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def table(self) -> Table:
        """Return the operations."""
        groups = "_apis/distributedtask/variablegroups"
        return [
            ("GET", f"/{{org}}/{{project}}/{groups}", self._list),
            ("GET", f"/{{org}}/{{project}}/{groups}/{{group:int}}", self._get),
            ("PUT", f"/{{org}}/{groups}/{{group:int}}", self._put),
        ]

    async def _list(self, call: Call) -> Response:
        """Groups by `groupName` (wildcards allowed) or `groupIds`; whoever may not view any sees none."""
        query, project = call.request.query_params, call.project
        pattern = query.get("groupName", "*").lower()
        ids = {value for value in query.get("groupIds", "").split(",") if value}
        found = [
            group.listed()
            for group in call.organization.groups_in(project)
            if call.has(project, LIBRARY, Library.VIEW)
            and fnmatch.fnmatchcase(group.name.lower(), pattern)
            and (not ids or str(group.id) in ids)
        ]
        return paged(call, found)

    async def _get(self, call: Call) -> Response:
        """Answer null with 200 for a group that isn't there, as the service does for deleted ones."""
        group = self._group(call)
        project = call.project
        if group is None or project.id not in group.project_ids or not call.has(project, LIBRARY, Library.VIEW):
            return JSONResponse(None)
        return JSONResponse(group.shown())

    async def _put(self, call: Call) -> Response:
        """Replace the whole group: a variable that isn't in the body is deleted."""
        group, raw = self._group(call), await parsed_body(call, dict[str, Any])
        body = await parsed_body(call, Group)
        if not body.variable_group_project_references:
            # https://github.com/MicrosoftDocs/vsts-rest-api-specs/issues/531
            raise errors.unauthorized(call.caller.client_id)
        if group is None or not self._may(call, group, Library.VIEW):
            number = call.path("group")
            raise errors.vss(
                404, f"Variable group with id {number} does not exist.", "VariableGroupNotFoundException", _ASSEMBLY
            )
        if not self._may(call, group, Library.ADMINISTER):
            raise _forbidden(group)
        _check(body, call)
        self._replace(call, group, raw, body.variables)
        return JSONResponse(group.shown())

    def _group(self, call: Call) -> VariableGroup | None:
        number = int(call.path("group"))
        found = (project.groups.get(number) for project in call.organization.projects.values())
        return next((group for group in found if group is not None), None)

    def _may(self, call: Call, group: VariableGroup, bits: int) -> bool:
        project = call.organization.project(group.project_ids[0])
        return project is not None and call.has(project, LIBRARY, bits)

    def _replace(self, call: Call, group: VariableGroup, raw: dict[str, Any], variables: dict[str, Any]) -> None:
        secrets = stored(group, variables, call.organization.null_variable)
        visible = {name: _visible(variable) for name, variable in variables.items()}
        own = {name: group.document[name] for name in _OWN if name in group.document}
        at = self._cloud.clock.now().isoformat()
        changed = {"modifiedBy": call.member(), "modifiedOn": at}
        group.document = {**raw, **own, **changed, "variables": visible}
        group.secrets = secrets
        group.updates.append({"by": call.caller.client_id, "at": at})


def stored(group: VariableGroup, variables: dict[str, Any], null_variable: str) -> dict[str, str]:
    """Return the secret values from now on. A secret sent without value is kept, as many clients rely on.

    https://github.com/microsoft/terraform-provider-azuredevops/issues/1433 says so, and the Azure CLI's `az pipelines
    variable-group variable update` sends nulls. A switch has other services: one that clears, one that refuses.
    """
    before = {name.lower(): value for name, value in group.secrets.items()}
    secrets = {}
    for name, variable in variables.items():
        if not variable.get("isSecret"):
            continue
        value = variable.get("value")
        if value is None and null_variable == "refuses":
            raise errors.missing(f"group.variables.{name}.value")
        kept = before.get(name.lower(), "") if null_variable == "keeps" else ""
        secrets[name] = kept if value is None else str(value)
    return secrets


def _visible(variable: dict[str, Any]) -> dict[str, Any]:
    return {**variable, "value": None} if variable.get("isSecret") else variable


def _check(body: Group, call: Call) -> None:
    for field in ("name", "type", "variables"):
        if not getattr(body, field):
            raise errors.missing(f"group.{field}")
    if len({name.lower() for name in body.variables}) < len(body.variables):
        raise errors.invalid("Variable names are not unique.")
    for reference in body.variable_group_project_references or []:
        if not reference.get("name"):
            raise errors.invalid("Project information name is not valid for variable group.")
        project = reference.get("projectReference") or {}
        if call.organization.project(str(project.get("id", ""))) is None:
            raise errors.invalid("Project information is not valid for variable group.")


def _forbidden(group: VariableGroup) -> ServiceError:
    message = f"You do not have permissions to perform this operation on the variable group {group.id}. "
    return errors.vss(403, message + "A role of Administrator is required.", "AccessDeniedException", _ASSEMBLY)
