"""Knows who else uses an application with a password: other connections, and other managed secrets."""

from collections.abc import Sequence
from typing import Self
from urllib.parse import unquote

from rekey import inspection
from rekey.clients import Clients
from rekey.connections.found import Connection, Way
from rekey.connections.report import Row, uri
from rekey.connections.reports import Reports
from rekey.errors import NotYetError, PermanentError
from rekey.federation.document import is_azurerm, read
from rekey.federation.organization import Organization
from rekey.inventory import Item
from rekey.inventory_taking import take
from rekey.model import ConsumerRef, CredentialRef, Reason, Rotation
from rekey.model.federation import Federation, Old
from rekey.model.federation_request import Mode
from rekey.policy import written_ids
from rekey.settings import Scope

APPLICATION = "entra-app-password"


class Users:
    """Whoever signs in as the application of one connection, as far as settings let them be seen."""

    def __init__(self, clients: Clients, federation: Federation, old: Old, items: Sequence[Item]) -> None:
        self._clients = clients
        self._federation = federation
        self._old = old
        self._items = [one for one in items if one.policy and one.policy.credential == _credential(old)]
        self._keyless: dict[tuple[str, str], bool] = {}
        self._connections: list[str] | None = None

    @classmethod
    async def of(cls, clients: Clients, federation: Federation, old: Old) -> Self:
        """List the secrets of every vault that may name the application; NotYetError if one can't be listed."""
        vaults = [vault for scope in _scopes(clients, old) for vault in scope.vaults]
        inventory = await take(clients, vaults, anew=True)
        if inventory.problems:
            unlisted = ", ".join(problem.vault for problem in inventory.problems)
            raise NotYetError("vault-not-listed", f"the secrets of {unlisted} could not be listed")
        return cls(clients, federation, old, inventory.items)

    def managed(self) -> list[Item]:
        """Return the managed secrets with the application's password whose policy names the connection."""
        named = frozenset(self._old.managed_by)
        return [item for item in self._items if f"{item.vault}/{item.secret}" in named]

    def tagged(self) -> frozenset[str]:
        """Return the key ids that the newest versions of all managed secrets of the application name."""
        return frozenset(key for item in self._items if (key := written_ids(item.tags)[0]))

    async def needing(self, item: Item) -> str:
        """Return who needs the password of that secret, or may, "" if nobody that is known does."""
        for ref in item.policy.consumers if item.policy else ():
            if not await self._is_keyless(item, ref):
                return f"{ref.uri} needs it, or can't be asked"
        for other in self._items:
            if other is not item and not await self._is_needless(other):
                return f"{other.vault}/{other.secret} is of the same application"
        connections = await self._other_connections()
        return f"{connections[0]} signs in with a secret of the same application" if connections else ""

    async def _is_needless(self, item: Item) -> bool:
        refs = item.policy.consumers if item.policy else ()
        keyless = [await self._is_keyless(item, ref) for ref in refs]
        return bool(keyless) and all(keyless)

    async def _is_keyless(self, item: Item, ref: ConsumerRef) -> bool:
        """Tell whether a consumer needs no key any more; what can't be asked may need one."""
        if self._is_deleted(ref):
            return True
        asked = (f"{item.vault}/{item.secret}", ref.uri)
        if asked not in self._keyless:
            try:
                found = await inspection.consumer(self._clients, as_rotation(item, self._federation), ref)
            except PermanentError:
                self._keyless[asked] = False
            else:
                self._keyless[asked] = bool(found.keyless)
        return self._keyless[asked]

    def _is_deleted(self, ref: ConsumerRef) -> bool:
        """Tell whether it is the old connection, which an earlier step deleted."""
        walk = self._federation
        places = (walk.project, *self._old.shared_with) if walk.mode is Mode.SIDE_BY_SIDE else ()
        return unquote(ref.uri).lower() in {uri(_connection(walk.organization, one, self._old.name)) for one in places}

    async def _other_connections(self) -> list[str]:
        """Return the connections that sign in with a secret of the application, the one of this walk aside."""
        if self._connections is None:
            rows = [_of_row(row) for row in await self._reported()]
            known = {one.key: one for one in (*rows, *await self._there())}
            known.pop(f"{self._federation.organization}/{self._old.id}".lower(), None)
            self._connections = [
                f"{one.organization}/{one.project}/{one.name}"
                for one in known.values()
                if one.way is Way.SECRET and one.application == self._old.application
            ]
        return self._connections

    async def _reported(self) -> tuple[Row, ...]:
        report = await Reports(self._clients.container()).last()
        return report.rows if report else ()

    async def _there(self) -> list[Connection]:
        """Return what the projects have now that settings let name the application: a report is of last night."""
        found = []
        for organization, project in _projects(self._clients, self._old):
            try:
                documents = await Organization(self._clients, organization).endpoints.documents(project)
            except PermanentError:
                continue  # what can't be seen is in the last report, or not known
            found += [read(organization, project, one) for one in documents if is_azurerm(one)]
        return found


def as_rotation(item: Item, federation: Federation) -> Rotation:
    """Return a managed secret as kinds are told of it; nothing is rotated."""
    if item.policy is None:
        raise PermanentError("untagged", f"{item.vault}/{item.secret} has no policy any more")
    key_id, rotation_id = written_ids(item.tags)
    return Rotation(
        id=federation.id,
        vault=item.vault,
        secret=item.secret,
        reason=Reason.MANUAL,
        started=federation.started,
        policy=item.policy,
        old_version="",
        expires=item.expires,
        tagged_key_id=key_id,
        tagged_rotation_id=rotation_id,
    )


def _credential(old: Old) -> CredentialRef:
    return CredentialRef(APPLICATION, old.application)


def _scopes(clients: Clients, old: Old) -> list[Scope]:
    return [one for one in clients.settings.scopes if old.application in {a.lower() for a in one.applications}]


def _projects(clients: Clients, old: Old) -> list[tuple[str, str]]:
    every = [
        (organization.lower(), project)
        for scope in _scopes(clients, old)
        for organization, projects in scope.organizations.items()
        for project in projects
    ]
    return list(dict.fromkeys(every))


def _connection(organization: str, project: str, name: str) -> Connection:
    return Connection(organization=organization, project=project, id="", name=name, way=Way.SECRET)


def _of_row(row: Row) -> Connection:
    return Connection(
        organization=row.organization,
        project=row.project,
        id=row.id,
        name=row.connection,
        way=row.way,
        application=row.application,
    )
