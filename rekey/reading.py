"""Decides on a secret's newest version alone what there is to rotate: what `read_policy` and the plan share."""

from datetime import UTC, datetime

import msgspec

from rekey.clients import Clients
from rekey.due import is_due
from rekey.errors import PermanentError, TagError
from rekey.model import BadPolicy, Policy, Question, Reading, Rotation
from rekey.model.request import JUDGED
from rekey.policy import PolicyError, Untagged, policy_owners, read_policy, tags_for_new_version, written_ids
from rekey.vault import Vault, Version

ANY_KEY_ID = "00000000-0000-0000-0000-000000000000"
"""As long as a real one: whether the new version's tags fit is known before there is a new version."""


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What a secret's newest version says; exactly one of `version` and `absent` is there, `policy` if it is good.

    `absent`: why there is nothing to read. `untagged`: that nobody asked for a rotation. `errors` are the bad tags; in
    them, and in `tags`, the secret's own value is hidden, unless it is so short that it can't be told from other text.
    """

    version: Version | None = None
    absent: str = ""
    untagged: str = ""
    tags: dict[str, str] = {}
    policy: Policy | None = None
    errors: tuple[TagError, ...] = ()
    quotable: bool = False
    is_due: bool = False
    why: str = ""


async def examine(clients: Clients, question: Question) -> Examined:
    """Look at the newest version; a vault that settings don't allow is a ScopeError, one that can't be read another."""
    request = question.request
    clients.settings.scope_of(request.vault)
    try:
        version, value = await Vault(clients.vault(request.vault), request.vault).current(request.secret)
    except PermanentError as error:
        return _absent(error)
    # What is wrong with a tag is quoted in notices, logs and the engine's store, and people paste passwords into tags.
    tags = {value.hidden_in(name): value.hidden_in(text) for name, text in version.tags.items()}
    found = Examined(version=version, tags=tags, quotable=value.can_be_hidden())
    try:
        policy = read_policy(request.vault, tags, clients.settings)
        tags_for_new_version(tags, question.rotation_id, ANY_KEY_ID)
    except Untagged as untagged:
        return msgspec.structs.replace(found, untagged=untagged.message)
    except PolicyError as error:
        return msgspec.structs.replace(found, errors=error.errors)
    except TagError as error:
        return msgspec.structs.replace(found, errors=(error,))
    due, why = is_due(policy, version.expires, version.created, datetime.now(UTC))
    return msgspec.structs.replace(found, policy=policy, is_due=due, why=why)


async def read(clients: Clients, question: Question) -> Reading:
    """Return the rotation to walk, or why there is nothing to do, or what is wrong with the tags."""
    found = await examine(clients, question)
    if found.version is None or found.untagged:
        return Reading(not_due=found.absent or found.untagged)
    if found.errors:
        owners = policy_owners(found.tags, clients.settings)
        errors = tuple(error.message for error in found.errors)
        return Reading(bad=BadPolicy(version=found.version.id, errors=errors, owners=owners))
    if question.request.reason in JUDGED and not found.is_due:
        return Reading(not_due=found.why)
    return Reading(rotation=rotation(question, found))


def rotation(question: Question, found: Examined) -> Rotation | None:
    """Return the rotation of a secret whose tags are good."""
    if found.version is None or found.policy is None:
        return None
    request = question.request
    key_id, rotation_id = written_ids(found.tags)
    return Rotation(
        id=question.rotation_id,
        vault=request.vault.lower(),
        secret=request.secret,
        reason=request.reason,
        requested_by=request.requested_by,
        digest=request.digest,
        started=question.started,
        policy=found.policy,
        old_version=found.version.id,
        expires=found.version.expires,
        tagged_key_id=key_id,
        tagged_rotation_id=rotation_id,
    )


def _absent(error: PermanentError) -> Examined:
    """A secret that is gone or disabled is nothing to rotate; anything else is a failure."""
    if error.code in {"not-found", "secret-disabled"}:
        return Examined(absent=error.message)
    raise error
