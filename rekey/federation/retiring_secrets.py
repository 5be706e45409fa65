"""Knows which managed passwords nobody needs once a connection signs in without one, and removes them for good.

Removed is a password that is proved to be the secret's own; the vault keeps its value, for the newest version is never
disabled. Whatever else the application has was made by others, and stays until they remove it or it ends.
"""

from rekey import inspection, names, nothing_left
from rekey.clients import Clients
from rekey.errors import NotYetError, PermanentError
from rekey.federation.users import APPLICATION, Users, as_rotation
from rekey.inventory import Item
from rekey.model import Rotation
from rekey.model.federation import Federation, Old, SecretsRetired
from rekey.model.federation_request import Mode
from rekey.ports import CredentialKind, Holdings
from rekey.reconcile.memory import hashed
from rekey.records import OPEN, Records
from rekey.registry import credential_kind

_OF_A_PASSWORD = frozenset({Mode.IN_PLACE, Mode.SIDE_BY_SIDE})


async def retire(clients: Clients, federation: Federation) -> SecretsRetired:
    """Remove the passwords of the managed secrets that the connection had its key from; say of each what became of it.

    NotYetError while a rotation of one of them is under way, or something that has to be known can't be asked.
    """
    old = federation.old
    if old is None or federation.mode not in _OF_A_PASSWORD:
        return SecretsRetired()
    users = await Users.of(clients, federation, old)
    retiring = Retiring(clients, federation, old, users)
    for item in users.managed():
        await retiring.judge(item)
    await retiring.look_at_the_rest()
    return SecretsRetired(removed=tuple(retiring.removed), remarks=tuple(retiring.remarks))


class Retiring:
    """One look at the secrets of one connection."""

    def __init__(self, clients: Clients, federation: Federation, old: Old, users: Users) -> None:
        self._clients = clients
        self._federation = federation
        self._old = old
        self._users = users
        self.removed: list[str] = []
        self.remarks: list[str] = []

    async def judge(self, item: Item) -> None:
        """Remove the password of one managed secret, or say why it stays."""
        name = f"{item.vault}/{item.secret}"
        if why := await self._users.needing(item):
            self.remarks.append(f"The password of {name} stays: {why}.")
            return
        await self._require_no_rotation(item)
        rotation = as_rotation(item, self._federation)
        kind = self._kind(rotation.policy.credential.kind)
        holdings = await kind.holdings(rotation.policy.credential.target)
        self._require_no_other(item, holdings)
        if await self._remove(kind, holdings, rotation):
            self.removed.append(rotation.tagged_key_id or "")
            self.remarks.append(
                f"{name}: its password is refused from now on; the vault keeps the value, worth nothing any more. "
                "Remove Rekey's tags from its newest version, or delete the secret if nobody else reads it."
            )
        else:
            self.remarks.append(f"{name}: {inspection.not_proved(holdings.credentials)}")

    async def look_at_the_rest(self) -> None:
        """Say what the application still has that Rekey didn't make for one of its secrets."""
        if not self._old.application or self._old.identity:
            return
        try:
            holdings = await self._kind(APPLICATION).holdings(self._old.application)
        except PermanentError as error:
            self.remarks.append(f"Which passwords are left could not be looked up: {error.message}.")
            return
        left = [held for held in holdings.credentials if held.key_id not in {*self.removed, *self._users.tagged()}]
        if left:
            ends = max(held.expires for held in left)
            many = f"{len(left)} passwords" if len(left) > 1 else "1 password"
            self.remarks.append(
                f"Application {self._old.application} has {many} that Rekey doesn't look after; the last works until "
                f"{ends:%Y-%m-%d}. Once nobody uses them: az ad app credential delete --id {self._old.application} "
                "--key-id <key id>"
            )

    async def _require_no_rotation(self, item: Item) -> None:
        for summary in await Records(self._clients.container()).listing(OPEN):
            if (summary.vault.lower(), summary.secret.lower()) == (item.vault, item.secret):
                raise _under_way(item)

    def _require_no_other(self, item: Item, holdings: Holdings) -> None:
        """A password of this deployment that no version names yet, or any more, is a rotation's: it may be under way.

        The app that makes connections has no records of rotations: this is how it knows.
        """
        prefix, tagged = names.label(self._clients.settings.deployment, ""), self._users.tagged()
        if any(held.label.startswith(prefix) and held.key_id not in tagged for held in holdings.credentials):
            raise _under_way(item)

    async def _remove(self, kind: CredentialKind, holdings: Holdings, rotation: Rotation) -> bool:
        """Remove the password that the tags name; False if it isn't proved to be the secret's."""
        key_id, container = rotation.tagged_key_id, self._clients.container()
        if key_id is None:
            return False
        if not any(held.key_id == key_id for held in holdings.credentials):
            return await nothing_left.is_gone(container, rotation.vault, rotation.secret, hashed(key_id))
        recorded = await inspection.Before(self._clients, rotation).recorded_key()
        if not inspection.is_proved(rotation, holdings, recorded, self._clients.settings.deployment):
            return False
        await nothing_left.remember_gone(container, rotation.vault, rotation.secret, key_id)
        await kind.discard(holdings, key_id)
        return True

    def _kind(self, name: str) -> CredentialKind:
        return credential_kind(name)(self._clients)


def _under_way(item: Item) -> NotYetError:
    return NotYetError(
        "rotation-open", f"a rotation of {item.vault}/{item.secret} is under way: its password is in use"
    )
