"""Looks at a whole chain, issuer and consumers, changing nothing: what preflight and the plan share."""

import functools
from collections.abc import Sequence

import msgspec

from rekey.clients import Clients
from rekey.model import ConsumerRef, ConsumerTarget, Facts, Rotation
from rekey.ports import ConsumerFacts
from rekey.registry import consumer_kind, credential_kind
from rekey.vault import Vault


async def credential(clients: Clients, rotation: Rotation) -> Facts:
    """Return what the issuer says; PermanentError names what is missing."""
    vault = Vault(clients.vault(rotation.vault), rotation.vault)
    old_value = functools.partial(vault.value, rotation.secret, rotation.old_version)
    return await credential_kind(rotation.policy.credential.kind)(clients).inspect(rotation, old_value)


async def consumer(clients: Clients, rotation: Rotation, ref: ConsumerRef) -> ConsumerFacts:
    """Return what a consumer says; PermanentError names what is missing."""
    return await consumer_kind(ref.kind)(clients).inspect(rotation, ref.uri)


def joined(facts: Facts, refs: Sequence[ConsumerRef], found: Sequence[ConsumerFacts]) -> Facts:
    """Return the facts with the consumers' own: each one's object id, and what the reader should know."""
    return msgspec.structs.replace(
        facts,
        consumers=tuple(ConsumerTarget(r.kind, r.uri, f.object_id) for r, f in zip(refs, found, strict=True)),
        remarks=facts.remarks + tuple(remark for f in found for remark in f.remarks),
    )
