"""Speaks for Microsoft.Logic in the simulated Azure Resource Manager: reads Consumption workflows and replaces them.

Source: https://learn.microsoft.com/rest/api/logic/workflows. A PUT replaces the whole workflow. No ETag was ever
recorded of the service, so that there is one only where a seed asks for it, and then If-Match counts.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from local.azure.arm_access import Access, error
from local.azure.arm_logic_state import TYPE, Hiding, InvalidTemplateError, Workflow, check, cleaned
from local.azure.arm_route import AnyCase, require_version
from local.azure.keyvault_seed import PasswordOf
from local.azure.seeds import mapping, parsed

if TYPE_CHECKING:
    from local.azure.cloud import Cloud

VERSIONS = ("2016-06-01", "2018-07-01-preview", "2019-05-01")
_PATH = f"/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{TYPE}/{{name}}"
_FIRST_VERSION = 8584990666475558275
_SCHEMA = "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#"


class WorkflowSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One workflow; `secrets` are secure string parameters with their values, added to definition and parameters."""

    subscription: str = "11111111-1111-1111-1111-111111111111"
    resource_group: str = "rekey-sim"
    location: str = "westeurope"
    state: Literal["Enabled", "Disabled"] = "Enabled"
    definition: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    secrets: dict[str, str | PasswordOf] = {}
    tags: dict[str, str] = {}
    identity: dict[str, Any] | None = None
    hides: Hiding = "absent"
    has_etag: bool = False


class Workflows:
    """The Consumption workflows of all subscriptions, by ARM id in lower case."""

    namespace = "Microsoft.Logic"

    def __init__(self, cloud: "Cloud", access: Access) -> None:
        self._cloud = cloud
        self._access = access
        self._versions = 0
        self.workflows: dict[str, Workflow] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """Return the operations on one workflow."""
        return [
            AnyCase(_PATH, self._read, methods=["GET"]),
            AnyCase(_PATH, self._replace, methods=["PUT"]),
            AnyCase(_PATH, self._patch, methods=["PATCH"]),
        ]

    def seed(self, document: dict[str, Any]) -> None:
        """Take the part `workflows`: workflows by name; one that is there already stays as it is."""
        for name, part in mapping(document.get("workflows"), "workflows").items():
            made = self._made(name, parsed(part, WorkflowSeed, f"workflows.{name}"), f"workflows.{name}")
            self.workflows.setdefault(made.id.lower(), made)

    def state(self) -> dict[str, Any]:
        """Return the workflows by ARM id, secure values included."""
        return {workflow.id: workflow.told() for workflow in self.workflows.values()}

    def named(self, name: str) -> Workflow:
        """Return the only workflow of that name."""
        (found,) = (w for w in self.workflows.values() if w.name == name)
        return found

    def _made(self, name: str, seed: WorkflowSeed, at: str) -> Workflow:
        values = {secret: {"value": self._value(given, at)} for secret, given in seed.secrets.items()}
        empty: dict[str, Any] = {"$schema": _SCHEMA, "contentVersion": "1.0.0.0", "triggers": {}, "actions": {}}
        definition = {**empty, "outputs": {}, **seed.definition}
        secure = {key: {"type": "SecureString"} for key in seed.secrets}
        definition["parameters"] = {**definition.get("parameters", {}), **secure}
        document: dict[str, Any] = {
            "location": seed.location,
            "properties": {
                "state": seed.state,
                "definition": definition,
                "parameters": {**seed.parameters, **values},
            },
        }
        document |= {"tags": dict(seed.tags)} if seed.tags else {}
        document |= {"identity": seed.identity} if seed.identity else {}
        try:
            check(document)
        except InvalidTemplateError as reason:
            raise ValueError(f"{at}: {reason}") from None
        now, group = self._cloud.clock.now(), seed.resource_group
        made = Workflow(seed.subscription, group, name, {}, now, "", seed.hides, seed.has_etag)
        made.replace(cleaned(document), now, self._next_version())
        return made

    def _value(self, given: str | PasswordOf, at: str) -> str:
        if isinstance(given, str):
            return given
        try:
            return self._cloud.directory.password_value(given.password_of, given.index)
        except ValueError as problem:
            raise ValueError(f"{at}.secrets: {problem}") from None

    def _next_version(self) -> str:
        """Return a version as the service makes them: 20 digits, the newer the smaller."""
        self._versions += 1
        return f"{_FIRST_VERSION - 22578250 * self._versions:020d}"

    async def _read(self, request: Request) -> Response:
        return _answer(self._found(request, "read"), 200)

    async def _patch(self, request: Request) -> Response:
        """Change nothing: this operation takes no body in this api-version."""
        return _answer(self._found(request, "write"), 200)

    async def _replace(self, request: Request) -> Response:
        workflow = self._named(request, "write")
        document = _document(await request.body())
        made = workflow is None
        if workflow is None:
            at = request.path_params
            now = self._cloud.clock.now()
            workflow = Workflow(at["subscription"], at["group"], at["name"], {}, now, "")
        elif document["location"].replace(" ", "").lower() != workflow.document["location"].replace(" ", "").lower():
            raise error(409, "InvalidResourceLocation", f"The resource '{workflow.name}' already exists elsewhere.")
        elif workflow.etag and request.headers.get("if-match", workflow.etag) not in {workflow.etag, "*"}:
            raise error(412, "PreconditionFailed", "The condition of the request was not met.")
        try:
            check(document)
        except InvalidTemplateError as reason:
            raise error(400, "InvalidTemplate", str(reason)) from None
        workflow.replace(cleaned(document), self._cloud.clock.now(), self._next_version())
        self.workflows[workflow.id.lower()] = workflow
        return _answer(workflow, 201 if made else 200)

    def _found(self, request: Request, operation: str) -> Workflow:
        workflow = self._named(request, operation)
        if workflow is None:
            at = request.path_params
            raise error(
                404,
                "ResourceNotFound",
                f"The Resource '{TYPE}/{at['name']}' under resource group '{at['group']}' was not found. For more "
                "details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return workflow

    def _named(self, request: Request, operation: str) -> Workflow | None:
        """Return the workflow a path names, None without one: rights are looked at first."""
        scope = _PATH.format(**request.path_params)
        self._access.require(request, f"{TYPE}/{operation}", scope)
        require_version(request, "workflows", VERSIONS)
        return self.workflows.get(scope.lower())


def _answer(workflow: Workflow, status: int) -> Response:
    return JSONResponse(workflow.shown(), status, {"ETag": workflow.etag} if workflow.etag else {})


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
        found: dict[str, Any] = document["properties"]["definition"]
    except (ValueError, KeyError, TypeError):
        raise error(400, "InvalidRequestContent", "The request content was invalid: a definition is needed.") from None
    if not isinstance(found, dict):
        raise error(400, "InvalidRequestContent", "The request content was invalid: the definition is no object.")
    if not document.get("location"):
        raise error(400, "LocationRequired", "The location property is required for this definition.")
    whole: dict[str, Any] = document
    return whole
