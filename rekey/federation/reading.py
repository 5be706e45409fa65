"""Turns what was asked for into a walk: finds the connection, and refuses what can't be converted, or may not be."""

from rekey.azure_devops_endpoints import GRANT
from rekey.clients import Clients
from rekey.connections.flaws import shown
from rekey.connections.found import Connection, Principal
from rekey.entra_federation import Directory
from rekey.errors import InputError, PermanentError, ScopeError
from rekey.federation.allowed import asked
from rekey.federation.convertible import nothing_to_do, require_owner
from rekey.federation.document import Document, ProjectRef, named, projects
from rekey.federation.document import read as read_document
from rekey.federation.keepers import Keepers
from rekey.federation.organization import Organization
from rekey.model.federation import Federation, FederationQuestion, FederationReading, Old
from rekey.model.federation_request import FederationRequest, Mode
from rekey.settings import Settings

LONGEST_NAME = 256
"""Characters of a connection's name."""


async def read(clients: Clients, question: FederationQuestion) -> FederationReading:
    """Return the walk that was asked for, or why there is nothing to do.

    InputError and ScopeError name what was asked for wrongly, PermanentError what can't be converted.
    """
    request, settings = question.request, clients.settings
    soak = asked(request, settings)
    organization = Organization(clients, request.organization)
    document = _named(await organization.endpoints.documents(request.project), request)
    connection = read_document(request.organization, request.project, document)
    if why := nothing_to_do(document, connection, request.mode, settings.tenant_id):
        return FederationReading(nothing_to_do=why)
    require_owner(document, connection, request.project)
    old = await _old(clients, request, connection, projects(document))
    walk = Federation(
        id=question.id,
        instance=question.instance,
        mode=request.mode,
        organization=request.organization,
        project=projects(document)[0].project,
        started=question.started,
        soak=soak,
        requested_by=request.requested_by,
        connection=connection.name,
        new_name=await _new_name(organization, request, connection, projects(document)),
        target=request.target,
        identity=request.identity,
        old=old,
    )
    return FederationReading(federations=(walk,))


def _named(listed: list[Document], request: FederationRequest) -> Document:
    """Return the project's connection of that name: to the letter, else whatever its case."""
    name = request.connection
    found = next((one for one in listed if one.get("name") == name), None) or named(listed, name)
    if found is None:
        where = f"{request.organization}/{request.project}"
        raise PermanentError(
            "no-connection", f"{where} has no connection {shown(name)} that the app's identity can see", GRANT
        )
    return found


async def _old(
    clients: Clients, request: FederationRequest, connection: Connection, places: tuple[ProjectRef, ...]
) -> Old:
    """Return the connection with what is known around it; ScopeError if settings don't bind who it signs in as.

    In its own project that is enough to convert it; a new one beside it comes into each of its projects.
    """
    principal = await Directory(clients.graph()).principal(connection.application)
    for place in places if request.mode is Mode.SIDE_BY_SIDE else places[:1]:
        _require_bound(request, connection, principal, place, clients.settings)
    keepers = await Keepers.of(clients, request.organization, places, anew=True)
    if request.mode is Mode.IN_PLACE:
        keepers.require_all()
    return Old(
        id=connection.id,
        name=connection.name,
        owner_project=places[0].id,
        application=connection.application,
        tenant=connection.tenant,
        way=connection.way.value,
        object_id=principal.object_id,
        identity=principal.identity,
        application_name=principal.name,
        environment=connection.environment,
        issuer=connection.issuer,
        subject=connection.subject,
        automatic=connection.automatic,
        shared_with=tuple(place.project for place in places[1:]),
        managed_by=keepers.secrets,
    )


def _require_bound(
    request: FederationRequest, connection: Connection, principal: Principal, place: ProjectRef, settings: Settings
) -> None:
    organization, here = request.organization, f"{request.organization}/{place.project}"
    named = settings.binds(organization, place.project, application=connection.application)
    if not named and not settings.binds(organization, place.project, resource=principal.identity):
        who = principal.identity or connection.application
        raise ScopeError("application", who, f"one that a scope of REKEY_SCOPES has together with {here}")
    if request.identity and not settings.binds(organization, place.project, resource=request.identity):
        raise ScopeError("identity", request.identity, f"one that a scope of REKEY_SCOPES has together with {here}")


async def _new_name(
    organization: Organization, request: FederationRequest, connection: Connection, places: tuple[ProjectRef, ...]
) -> str:
    """Return the new connection's name; PermanentError if it is taken: this walk has made nothing yet."""
    if request.mode is not Mode.SIDE_BY_SIDE:
        return ""
    name = request.name or f"{connection.name}-federated"
    if len(name) > LONGEST_NAME:
        raise InputError("name", name, f"the new connection's name, at most {LONGEST_NAME} characters")
    for place in places:
        listed = await organization.endpoints.documents(place.id)
        if named(listed, name):
            raise PermanentError(
                "name-taken",
                f"{place.project} has a connection {shown(name)} already",
                "Ask for another name, or delete that connection if it is what a former attempt left.",
            )
    return name
