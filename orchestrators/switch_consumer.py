"""One consumer gets the new credential and is confirmed; runs side by side with the others and never stops them."""

from typing import Any

import azure.durable_functions as df
from durabletask.task import OrchestrationContext

from orchestrators.attempts import StepFailed, Steps, attempted
from rekey import names
from rekey.model import ConsumerResult, Walk, decode, encode

blueprint = df.Blueprint()


@blueprint.orchestration_trigger(context_name="context", orchestration=names.SWITCH_CONSUMER)
def switch_consumer(context: OrchestrationContext, payload: Any) -> Steps[Any]:
    """Update, then confirm; a failure is a result, for the others go on."""
    walk = decode(payload, Walk)
    try:
        updated = yield from attempted(context, names.UPDATE_CONSUMER, walk)
        if isinstance(updated, dict):  # it needs no key any more: there is nothing to confirm
            return updated
        confirmed = yield from attempted(context, names.CONFIRM_CONSUMER, walk)
    except StepFailed as failure:
        uri = walk.target.uri if walk.target else ""
        return encode(
            ConsumerResult(uri=uri, code=failure.code, message=failure.message, what_to_do=failure.what_to_do)
        )
    return confirmed
