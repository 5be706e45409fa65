"""How steps get at the new credential's value: where the issuer or the staging vault keeps it, or not at all."""

from activities.step import Desk
from rekey import names
from rekey.errors import NotYetError, PermanentError
from rekey.model import Issued, Walk
from rekey.secret_value import SecretValue


def issued_of(walk: Walk) -> Issued:
    """Return what was issued; a walk without it is a defect of the orchestrator."""
    if walk.issued is None:
        raise PermanentError("no-credential", "the step came before generate_credential")
    return walk.issued


async def new_value(desk: Desk, walk: Walk) -> SecretValue:
    """Return the value behind the committed key id; PermanentError if it belongs to another key.

    NotYetError while it isn't there: a replica may not have heard of what was staged a moment ago.
    """
    issued, kind = issued_of(walk), desk.credential_kind(walk)
    if not kind.reveals_once:
        return await kind.reveal(walk.rotation, issued.key_id)
    name = names.staged_secret(walk.rotation.id)
    found = await desk.staging().read(name, issued.staged_version or "")
    if found is None:
        raise NotYetError("staged-value-gone", f"{name} is not in the staging vault, or not seen there yet")
    version, value = found
    if version.tags.get(names.TAG_KEY_ID) != issued.key_id:
        raise PermanentError("staged-value-mismatch", f"{name} holds another key than {issued.key_id}")
    return value
