"""Gives a connection back the key that Key Vault keeps for it, where Azure DevOps doesn't convert it back by itself.

Whether it converts back what was made by hand, its documentation and its users disagree. That it takes the whole
connection with another scheme isn't confirmed either: whoever asks for this lets it sign in afterwards.
"""

from rekey.clients import Clients
from rekey.federation.document import Document, projects, with_key
from rekey.federation.keepers import Keepers
from rekey.federation.organization import Organization
from rekey.inventory import Item
from rekey.model.federation import Old
from rekey.vault import Vault


async def give_back(clients: Clients, organization: Organization, found: Document, old: Old) -> str:
    """Write the newest version of its managed secret into it and return which secret, "" if no vault has its key.

    The password works until `retire_secrets`. A secret of another application, whatever its tags name, isn't its key.
    """
    keepers = await Keepers.of(clients, organization.name, projects(found), anew=True)
    item = next((one for one in keepers.items if _is_its_key(one, old)), None)
    if item is None:
        return ""
    _, value = await Vault(clients.vault(item.vault), item.vault).current(item.secret)
    await organization.endpoints.update(with_key(found, value))
    return f"{item.vault}/{item.secret}"


def _is_its_key(item: Item, old: Old) -> bool:
    return item.policy is not None and item.policy.credential.target == old.application
