"""Knows which managed secrets a connection's key comes from, and who owns them: by the policies that name it."""

from typing import Self

import msgspec

from rekey.clients import Clients
from rekey.connections.found import Connection, Way
from rekey.connections.managed import managed
from rekey.connections.report import uri
from rekey.errors import NotYetError
from rekey.federation.document import ProjectRef
from rekey.inventory import Item
from rekey.settings import Settings


class Keepers(msgspec.Struct, frozen=True, kw_only=True):
    """The managed secrets that name a connection in any of its projects; `unlisted` are vaults nobody could look into.

    Only those vaults are asked that settings let name one of the projects: a secret of another can't be its key.
    """

    items: tuple[Item, ...] = ()
    unlisted: tuple[str, ...] = ()

    @classmethod
    async def of(cls, clients: Clients, organization: str, places: tuple[ProjectRef, ...], *, anew: bool) -> Self:
        """Look them up; unless `anew`, a listing of the last minutes does."""
        found = await managed(clients, _vaults(clients.settings, organization, places), anew=anew)
        keys = [_key(organization, place) for place in places]
        items = {(one.vault, one.secret): one for key in keys for one in found.by_consumer.get(key, ())}
        return cls(items=tuple(items.values()), unlisted=tuple(problem.vault for problem in found.problems))

    @property
    def secrets(self) -> tuple[str, ...]:
        """`<vault>/<secret>` of each."""
        return tuple(f"{item.vault}/{item.secret}" for item in self.items)

    @property
    def owners(self) -> tuple[str, ...]:
        """The mail addresses of their owners."""
        return tuple(dict.fromkeys(owner for item in self.items if item.policy for owner in item.policy.owners))

    def require_all(self) -> None:
        """Refuse to go on without knowing all: whose rotation is under way, and whose password is left over later."""
        if self.unlisted:
            raise NotYetError("vault-not-listed", f"the secrets of {', '.join(self.unlisted)} could not be listed")


def _vaults(settings: Settings, organization: str, places: tuple[ProjectRef, ...]) -> tuple[str, ...]:
    having = [s for s in settings.scopes if any(s.has_project(organization, place.project) for place in places)]
    return tuple(dict.fromkeys(vault.lower() for scope in having for vault in scope.vaults))


def _key(organization: str, place: ProjectRef) -> str:
    here = Connection(organization=organization, project=place.project, id="", name=place.connection, way=Way.SECRET)
    return uri(here)
