"""Turns a request for a connection that never has a secret into walks, and refuses what settings don't allow.

Everything is checked again before it is granted; here it is refused before anybody is asked to approve it.
"""

from collections.abc import Sequence

from rekey.clients import Clients
from rekey.errors import InputError, PermanentError, ScopeError
from rekey.federation.allowed import in_scope, may
from rekey.federation.document import Document, has_label, named
from rekey.federation.organization import Organization
from rekey.federation.quoting import quoted
from rekey.federation.reading import LONGEST_NAME
from rekey.federation.records import FederationRecords
from rekey.federation.roles import vending_of
from rekey.federation_settings import READER, REFUSED, Vending
from rekey.model.federation import Federation, FederationReading, VendingQuestion
from rekey.model.federation_request import Mode, VendingRequest
from rekey.names import label
from rekey.resource_manager import ResourceManager, granting
from rekey.role_assignments import ROLE, RoleAssignments

TWIN = "-readonly"
_MAKE = "Microsoft.ManagedIdentity/userAssignedIdentities/write"
_GRANT = "Microsoft.Authorization/roleAssignments/write"
_MAKER = "Managed Identity Contributor"


async def check(clients: Clients, question: VendingQuestion) -> FederationReading:
    """Return the walk that was asked for, and its twin's, or why there is nothing to do.

    InputError and ScopeError name what was asked for wrongly; PermanentError: a name is taken, or a right is missing.
    """
    request, settings = question.request, clients.settings
    may(Mode.VEND, settings)
    in_scope(request.organization, request.project, settings)
    vending = vending_of(clients)
    await _require_role(clients, request, vending)
    wanted = _walks(question)
    organization = Organization(clients, request.organization)
    project = await organization.project(request.project, request.name)
    await _require_rights(clients, organization, project.id, request, vending)
    listed = await organization.endpoints.documents(project.id)
    left = [walk.but(project=project.project) for walk in wanted if not await _is_made(clients, listed, walk)]
    if not left:
        return FederationReading(nothing_to_do=f"{quoted(request.name)} was made already, and is there")
    first, *twins = left
    return FederationReading(federations=(first, *(twin.but(approved_with=first.id) for twin in twins)))


async def _require_role(clients: Clients, request: VendingRequest, vending: Vending) -> None:
    here = f"{request.organization}/{request.project}"
    if not clients.settings.binds(request.organization, request.project, resource=request.scope):
        raise ScopeError("scope", request.scope, f"an ARM id that a scope of REKEY_SCOPES has together with {here}")
    if not any(vending.allows(role, request.scope) for role in vending.roles):
        expected = f"an ARM id at or below REKEY_VENDING.scopes: {', '.join(vending.scopes) or 'none'}"
        raise ScopeError("scope", request.scope, expected)
    guid = await RoleAssignments(clients).definition(request.role, request.scope)
    if guid in REFUSED:
        raise ScopeError("role", request.role, f"no role that can grant all others ({REFUSED[guid]})")
    if not vending.allows(guid, request.scope):
        raise ScopeError("role", request.role, f"a role of REKEY_VENDING.roles: {', '.join(vending.roles)}")
    if request.twin and not vending.allows(READER, request.scope):
        expected = f"no twin unless REKEY_VENDING.roles has Reader ({READER}), which a twin gets"
        raise ScopeError("twin", request.twin, expected)


def _walks(question: VendingQuestion) -> Sequence[Federation]:
    request = question.request
    first = Federation(
        id=question.id,
        instance=question.instance,
        mode=Mode.VEND,
        organization=request.organization,
        project=request.project,
        started=question.started,
        requested_by=request.requested_by,
        new_name=request.name,
        scope=request.scope,
        role=request.role,
    )
    if not request.twin:
        return (first,)
    name = f"{request.name}{TWIN}"
    if len(name) > LONGEST_NAME:
        raise InputError(
            "name", request.name, f"at most {LONGEST_NAME - len(TWIN)} characters, since a twin has {TWIN}"
        )
    return (first, first.but(id=question.twin_id, new_name=name, role="Reader"))


async def _require_rights(
    clients: Clients, organization: Organization, project_id: str, request: VendingRequest, vending: Vending
) -> None:
    """What is missing is found out before anybody is asked to approve."""
    if not await organization.endpoints.may_create(project_id):
        said = f"the app's identity may not make service connections in {quoted(request.project)}"
        what_to_do = "Give it the role Creator there (Project settings, Service connections, all of them, Security)."
        raise PermanentError("not-creator", said, what_to_do)
    arm = ResourceManager(clients)
    for place, action, role, does in (
        (vending.identities, _MAKE, _MAKER, "make managed identities in"),
        (request.scope, _GRANT, ROLE, "assign roles at"),
    ):
        if await arm.may(place, [action], role=role):
            raise PermanentError("not-allowed", f"the app's identity may not {does} {place}", granting(role, place))


async def _is_made(clients: Clients, listed: list[Document], walk: Federation) -> bool:
    """Tell whether a former request made that connection; PermanentError if it is somebody else's."""
    found = named(listed, walk.new_name)
    if found is None:
        return False
    for record in await FederationRecords(clients.container()).all():
        ours = label(clients.settings.deployment, record.federation.id)
        if record.result == "done" and record.federation.mode is Mode.VEND and has_label(found, ours):
            return True
    raise PermanentError(
        "name-taken",
        f"{quoted(walk.project)} has a connection {quoted(walk.new_name)} already, which no such request made",
        "Ask for another name, or delete that connection if it is what a former attempt left.",
    )
