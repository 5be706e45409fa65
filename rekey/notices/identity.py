"""Which notice is the same notice: the id that mail service, outbox and markers agree on."""

import json
import uuid
from collections.abc import Iterable

from rekey.model import Notice

# Never change it: a notice that is sent again after an upgrade has to be recognised.
_NAMESPACE = uuid.UUID("5d3a1f0e-7b52-4c0e-9a55-2f6b8c4d9e17")


def notice_id(notice: Notice, addresses: Iterable[str]) -> uuid.UUID:
    """Return the same id for the same rotation, kind, key and recipients, in whatever order and case those are."""
    people = sorted({address.lower() for address in addresses})
    secret = f"{notice.vault}/{notice.secret}".lower()
    # As JSON, so that no choice of key or address looks like another one.
    return uuid.uuid5(_NAMESPACE, json.dumps([notice.rotation_id, secret, notice.kind, notice.key, people]))


def digest_id(recipient: str, waiting: Iterable[str]) -> str:
    """Return the same id for a digest of the same notices (ids in the outbox) for the same person."""
    return str(uuid.uuid5(_NAMESPACE, json.dumps(["digest", recipient.lower(), sorted(waiting)])))
