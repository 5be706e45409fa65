"""Step open_federation: the evidence of a federation begins before anything is changed."""

from activities.blueprint import blueprint
from activities.step import Desk, run_federation
from rekey import names
from rekey.errors import PermanentError
from rekey.model.federation import Federation


@blueprint.activity_trigger(input_name="payload", activity=names.OPEN_FEDERATION)
async def open_federation_step(payload: dict) -> dict:
    """Write the federation's record, once."""
    return await run_federation(names.OPEN_FEDERATION, open_federation, payload)


async def open_federation(desk: Desk, federation: Federation) -> None:
    """Create the record, which a repeated step finds; PermanentError if nobody could ever approve it."""
    from rekey.federation.records import FederationRecord
    from rekey.federation.resolving import is_named

    if federation.grants_roles and not is_named(federation.requested_by):
        raise PermanentError(
            "unknown-requester",
            "it grants roles, so that somebody else than who asked has to approve it, and who asked isn't known",
            "Ask over the operator API, with Entra authentication in front of the function app.",
        )
    record = FederationRecord(federation=federation, deployment=desk.settings.deployment, opened=federation.started)
    await desk.federations().open(record)
