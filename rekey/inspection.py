"""Looks at a whole chain, issuer and consumers, changing nothing: what preflight and the plan share."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from rekey import names
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.federation.replaced import replaced
from rekey.model import ConsumerRef, ConsumerTarget, Facts, Reason, Rotation
from rekey.ports import ConsumerFacts, Held, Holdings
from rekey.records import Records
from rekey.registry import consumer_kind, credential_kind
from rekey.secret_value import SecretValue
from rekey.vault import Vault


async def whole(clients: Clients, rotation: Rotation) -> Facts:
    """Return what is to be known before anything changes; PermanentError names what is missing.

    Whether the issuer would make a new credential is not asked if nobody needs one.
    """
    refs = rotation.policy.consumers
    found = await asyncio.gather(*(consumer(clients, rotation, ref) for ref in refs))
    return joined(await issuer(found)(clients, rotation), refs, found)


def issuer(found: Iterable[ConsumerFacts]) -> Callable[[Clients, Rotation], Awaitable[Facts]]:
    """Return what the issuer is asked: by `credential`, or by `left` if no consumer needs one."""
    return left if needless(found) else credential


def needless(found: Iterable[ConsumerFacts]) -> bool:
    """Tell whether there are consumers and none of them needs a key any more."""
    keyless = [bool(facts.keyless) for facts in found]
    return bool(keyless) and all(keyless)


async def credential(clients: Clients, rotation: Rotation) -> Facts:
    """Return what the issuer says; PermanentError names what is missing."""
    return await credential_kind(rotation.policy.credential.kind)(clients).inspect(rotation, Before(clients, rotation))


async def left(clients: Clients, rotation: Rotation) -> Facts:
    """Return which credential of a secret that nobody needs any more is left at the issuer, as far as is proved.

    Whether the issuer would make another one doesn't matter. One that leaked has to be known: PermanentError else.
    """
    known = await _told_apart(clients, rotation)
    kind = credential_kind(rotation.policy.credential.kind)(clients)
    holdings = await kind.holdings(rotation.policy.credential.target)
    recorded = await Before(clients, rotation).recorded_key()
    if is_proved(rotation, holdings, recorded, clients.settings.deployment):
        known = msgspec.structs.replace(known, old_key_id=rotation.tagged_key_id)
    said = "" if known.old_key_id else not_proved(holdings.credentials)
    if said and holdings.credentials and rotation.reason == Reason.LEAK:
        advice = "Find out which one leaked, and remove it at its issuer by its key id: it works until then."
        raise PermanentError("key-unknown", said, advice)
    return msgspec.structs.replace(known, object_id=holdings.object_id, left_alone=said, remarks=())


async def _told_apart(clients: Clients, rotation: Rotation) -> Facts:
    try:
        return await credential(clients, rotation)
    except PermanentError:
        return Facts(object_id="", display_name="")


def is_proved(rotation: Rotation, holdings: Holdings, recorded: str | None, deployment: str) -> bool:
    """Tell whether the version holds the credential that its tags name: the issuer's label or the record agrees.

    Tags are written by others.
    """
    if rotation.tagged_key_id is None:
        return False
    label = names.label(deployment, rotation.tagged_rotation_id or "none")
    labelled = any((held.key_id, held.label) == (rotation.tagged_key_id, label) for held in holdings.credentials)
    return labelled or recorded == rotation.tagged_key_id


def not_proved(held: Sequence[Held]) -> str:
    """Return what is told where it isn't known which credential of several is the secret's own."""
    if not held:
        return "Its issuer has no credential any more."
    ends = max(one.expires for one in held)
    many = f"{len(held)} credentials are" if len(held) > 1 else "1 credential is"
    return f"Which credential it holds can't be proved: {many} left alone, the last works until {ends:%Y-%m-%d}."


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
    """Return what a consumer says; PermanentError names what is missing, unless Rekey itself saw it off."""
    try:
        return await consumer_kind(ref.kind)(clients).inspect(rotation, ref.uri)
    except PermanentError as error:
        gone = await replaced(clients, ref.uri) if error.code == "no-connection" else None
        if gone is None:
            raise
        return gone


def joined(facts: Facts, refs: Sequence[ConsumerRef], found: Sequence[ConsumerFacts]) -> Facts:
    """Return the facts with the consumers' own: each one's object id, and what the reader should know."""
    return msgspec.structs.replace(
        facts,
        consumers=tuple(
            ConsumerTarget(r.kind, r.uri, f.object_id, consumer_kind(r.kind).when, f.third_parties, f.keyless)
            for r, f in zip(refs, found, strict=True)
        ),
        remarks=(*facts.remarks, *(remark for f in found for remark in f.remarks), *_skipped(refs, found)),
    )


def _skipped(refs: Sequence[ConsumerRef], found: Sequence[ConsumerFacts]) -> Iterable[str]:
    """Say which of several consumers are left out; of a secret that nobody needs, its own notice tells all of them."""
    if not needless(found):
        for ref, facts in zip(refs, found, strict=True):
            if facts.keyless:
                yield f"{ref.uri} needs no key any more and is left as it is: {facts.keyless}. Remove it from the tags."
