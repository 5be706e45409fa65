"""Finds other managed secrets that hold a key of the same account: of keys made in turn, no two secrets can be rotated.

Each would make anew the key that the other one holds. Only what Rekey itself rotates is looked for: vaults that it may
read, and tags that make a policy for the very same credential.
"""

import functools
from typing import TYPE_CHECKING

from rekey.errors import PermanentError, RekeyError
from rekey.model import CredentialRef, Rotation
from rekey.policy import read_policy
from rekey.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rekey.clients import Clients

REMEMBERED = 60.0
"""Seconds: a night's rotations read each vault's list once a minute, not once each."""


async def require_alone(clients: "Clients", rotation: Rotation) -> None:
    """PermanentError `key-shared` if another secret is to be rotated for the same credential, an ARM id."""
    wanted, others = rotation.policy.credential, []
    for vault in clients.settings.vaults():
        if clients.settings.allows_resource(vault, wanted.target):
            held = await clients.remember(
                f"credentials in {vault}", REMEMBERED, functools.partial(_held, clients, vault)
            )
            others += [f"{vault}/{secret}" for secret, credential in held if credential == wanted]
    others = [other for other in others if other != f"{rotation.vault}/{rotation.secret.lower()}"]
    if others:
        raise PermanentError(
            "key-shared",
            f"{', '.join(others)} is to be rotated for {wanted.target}, too: each would break the other's key",
            "Keep one secret for the account and have everybody read that one; remove the tags of the others.",
        )


async def _held(clients: "Clients", vault: str) -> "Sequence[tuple[str, CredentialRef]]":
    """Return the managed secrets of a vault with their credentials; none where Rekey may not look, nor rotate."""
    found = []
    try:
        async for listed in Vault(clients.vault(vault), vault).listing():
            credential = _credential(clients, vault, listed.tags) if listed.enabled else None
            if credential:
                found.append((listed.name.lower(), credential))
    except PermanentError:
        return ()
    return found


def _credential(clients: "Clients", vault: str, tags: "Mapping[str, str]") -> CredentialRef | None:
    try:
        return read_policy(vault, tags, clients.settings).credential
    except RekeyError:
        return None
