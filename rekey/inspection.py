"""Looks at a whole chain, issuer and consumers, changing nothing: what preflight and the plan share."""

from collections.abc import Sequence

import msgspec

from rekey.clients import Clients
from rekey.model import ConsumerRef, ConsumerTarget, Facts, Rotation
from rekey.ports import ConsumerFacts
from rekey.records import Records
from rekey.registry import consumer_kind, credential_kind
from rekey.secret_value import SecretValue
from rekey.vault import Vault


async def credential(clients: Clients, rotation: Rotation) -> Facts:
    """Return what the issuer says; PermanentError names what is missing."""
    return await credential_kind(rotation.policy.credential.kind)(clients).inspect(rotation, Before(clients, rotation))


class Before:
    """What came before a rotation: the version that is current, and the record of the rotation that made it."""

    def __init__(self, clients: Clients, rotation: Rotation) -> None:
        self._clients = clients
        self._rotation = rotation

    async def value(self) -> SecretValue:
        """Return the value of the version that is current."""
        vault = Vault(self._clients.vault(self._rotation.vault), self._rotation.vault)
        return await vault.value(self._rotation.secret, self._rotation.old_version)

    async def recorded_key(self) -> str | None:
        """Return the key id on the record of the rotation that the version's tags name, if it was of this secret."""
        rotation = self._rotation
        if rotation.tagged_rotation_id is None:
            return None
        record = await Records(self._clients.container()).read(rotation.tagged_rotation_id)
        ours = record and (record.vault.lower(), record.secret.lower()) == (rotation.vault, rotation.secret.lower())
        return record.issued.key_id if record and ours and record.issued else None


async def consumer(clients: Clients, rotation: Rotation, ref: ConsumerRef) -> ConsumerFacts:
    """Return what a consumer says; PermanentError names what is missing."""
    return await consumer_kind(ref.kind)(clients).inspect(rotation, ref.uri)


def joined(facts: Facts, refs: Sequence[ConsumerRef], found: Sequence[ConsumerFacts]) -> Facts:
    """Return the facts with the consumers' own: each one's object id, and what the reader should know."""
    return msgspec.structs.replace(
        facts,
        consumers=tuple(
            ConsumerTarget(r.kind, r.uri, f.object_id, consumer_kind(r.kind).when, f.third_parties)
            for r, f in zip(refs, found, strict=True)
        ),
        remarks=facts.remarks + tuple(remark for f in found for remark in f.remarks),
    )
