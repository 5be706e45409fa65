"""Step read_policy: is there anything to do for this secret, and what exactly."""

from datetime import UTC, datetime

import azure.durable_functions as df

from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.due import is_due
from rekey.errors import PermanentError, TagError
from rekey.model import BadPolicy, Question, Reading, Reason, Rotation

blueprint = df.Blueprint()

ANY_KEY_ID = "00000000-0000-0000-0000-000000000000"
"""As long as a real one: whether the new version's tags fit is known before there is a new version."""

JUDGED = frozenset({Reason.EVENT, Reason.SCHEDULE})
"""Reasons that are a hint, never an order: what is left of the lifetime decides."""


@blueprint.activity_trigger(input_name="payload", activity=names.READ_POLICY)
async def read_policy_step(payload: dict) -> dict:
    """Decide on the newest version alone, whatever the event said."""
    return await run_unrecorded(names.READ_POLICY, Question, read, payload)


async def read(desk: Desk, question: Question) -> Reading:
    """Return the rotation to walk, or why there is nothing to do, or what is wrong with the tags."""
    from rekey.policy import PolicyError, Untagged, policy_owners, read_policy, tags_for_new_version, written_ids

    request = question.request
    desk.settings.scope_of(request.vault)
    try:
        version, value = await desk.vault(request.vault).current(request.secret)
    except PermanentError as error:
        return _not_readable(error)
    # What is wrong with a tag is quoted in notices, logs and the engine's store, and people paste passwords into tags.
    tags = {value.hidden_in(name): value.hidden_in(text) for name, text in version.tags.items()}
    try:
        policy = read_policy(request.vault, tags, desk.settings)
        tags_for_new_version(tags, question.rotation_id, ANY_KEY_ID)
    except Untagged as untagged:
        return Reading(not_due=untagged.message)
    except (PolicyError, TagError) as error:
        errors = error.errors if isinstance(error, PolicyError) else (error,)
        owners = policy_owners(tags, desk.settings)
        return Reading(bad=BadPolicy(version=version.id, errors=tuple(e.message for e in errors), owners=owners))
    due, why = is_due(policy, version.expires, version.created, datetime.now(UTC))
    if request.reason in JUDGED and not due:
        return Reading(not_due=why)
    key_id, rotation_id = written_ids(tags)
    return Reading(
        rotation=Rotation(
            id=question.rotation_id,
            vault=request.vault.lower(),
            secret=request.secret,
            reason=request.reason,
            requested_by=request.requested_by,
            digest=request.digest,
            started=question.started,
            policy=policy,
            old_version=version.id,
            expires=version.expires,
            tagged_key_id=key_id,
            tagged_rotation_id=rotation_id,
        )
    )


def _not_readable(error: PermanentError) -> Reading:
    """A secret that is gone or disabled is nothing to rotate; anything else is a failure."""
    if error.code in {"not-found", "secret-disabled"}:
        return Reading(not_due=error.message)
    raise error
