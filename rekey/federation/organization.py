"""Knows how a walk reaches what its Azure DevOps organization has of connections, and what of it is the walk's own."""

from urllib.parse import quote

from rekey import names
from rekey.azure_devops_access import Access
from rekey.azure_devops_definitions import Definitions
from rekey.azure_devops_endpoints import GRANT, ServiceEndpoints
from rekey.azure_devops_executions import Executions
from rekey.clients import Clients
from rekey.connections.found import Connection
from rekey.entra_advice import advice, explained
from rekey.errors import NotYetError, PermanentError
from rekey.federation.document import Document, ProjectRef, has_label, read
from rekey.federation.quoting import quoted
from rekey.model.federation import Federation, Old
from rekey.settings import GUID


class Organization:
    """One organization, on the hosts that settings name."""

    def __init__(self, clients: Clients, name: str) -> None:
        client, origin = clients.azure_devops(), clients.settings.cloud.azure_devops
        self.name = name
        self.endpoints = ServiceEndpoints(client, origin, name, GRANT)
        self.executions = Executions(client, origin, name, GRANT)
        self.access = Access(client, origin, name, GRANT)
        self.definitions = Definitions(client, origin, name, GRANT)
        releases = clients.settings.cloud.azure_devops_release
        self.release_definitions = Definitions(clients.azure_devops_releases(), releases, name, GRANT)

    async def connection(self, project: str, endpoint_id: str) -> tuple[Document, Connection] | None:
        """Return a connection and what it says of itself, None if it is gone."""
        found = await self.endpoints.document(project, endpoint_id)
        return (found, read(self.name, project, found)) if found else None

    async def there(self, project: str, endpoint_id: str, name: str) -> tuple[Document, Connection]:
        """Return a connection that has to be there; PermanentError if it isn't, or the app's identity can't see it."""
        found = await self.connection(project, endpoint_id)
        if found is None:
            raise PermanentError("no-connection", f"{name} is gone, or the app's identity can't see it any more", GRANT)
        return found

    async def unless_gone(self, project_id: str, endpoint_id: str, name: str) -> tuple[Document, Connection] | None:
        """Return a connection, None if it was deleted; PermanentError if that can't be told from one that isn't shown.

        Azure DevOps answers for both alike: whoever has the project's rights still would see it if it were there.
        """
        found = await self.connection(project_id, endpoint_id)
        if found is None and not await self.endpoints.may_administer(project_id, endpoint_id):
            said = f"{name} is deleted, or the app's identity may not see it any more: nobody can tell"
            raise PermanentError("not-seen", said, GRANT)
        return found

    async def project(self, name: str, connection: str) -> ProjectRef:
        """Return a project that a connection of that name is to be in; PermanentError if it can't be seen."""
        found = await self.endpoints.found(f"/_apis/projects/{quote(name, safe='')}")
        if found is None or not GUID.fullmatch(str(found.get("id"))):
            raise PermanentError("no-project", f"{self.name} has no project {quoted(name)} that can be seen", GRANT)
        return ProjectRef(str(found["id"]).lower(), str(found.get("name") or name), connection)

    async def labelled(self, project: str, label: str) -> list[tuple[Document, Connection]]:
        """Return the connections that carry the label: those that one walk made."""
        found = [one for one in await self.endpoints.documents(project) if has_label(one, label)]
        return [(one, read(self.name, project, one)) for one in found]

    async def signs_in(self, project: str, endpoint_id: str, name: str) -> None:
        """Let Azure DevOps sign in through a connection; NotYetError says why it couldn't.

        Whom Azure refuses for want of a role, which the test asks for and a pipeline may not need, has signed in.
        """
        works, said = await self.endpoints.test_connection(project, endpoint_id)
        found = advice(said)
        if not works and not (found and found.signed_in):
            why = explained(said)
            raise NotYetError("not-signed-in", f"Azure DevOps could not sign in through {name}{why and f': {why}'}")


def place(federation: Federation) -> str:
    """Return the project to ask: by its id as soon as that is known, for a project can be renamed."""
    return federation.old.owner_project if federation.old else federation.project


def old_of(federation: Federation) -> Old:
    """Return the connection that the walk is about, which one that vends doesn't have."""
    if federation.old is None:
        raise PermanentError("no-connection", f"federation {federation.id} is about no connection", "Report this.")
    return federation.old


def label(clients: Clients, federation: Federation) -> str:
    """Return what a connection carries that this walk made."""
    return names.label(clients.settings.deployment, federation.id)
