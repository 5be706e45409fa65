"""How an instance under another id hands over to the one that may do the work: an outcome, whatever the engine says."""

from collections.abc import Awaitable
from typing import Any

from rekey.model import Ok, Outcome, Unclear, encode


async def outcome_of(starting: Awaitable[tuple[str, bool]]) -> dict[str, Any]:
    """Return which instance it is and whether it was started just now; `not-started` if the engine failed."""
    try:
        instance, started = await starting
    except Exception as error:  # noqa: BLE001 - the engine's errors may quote the input
        outcome: Outcome = Unclear("not-started", f"starting it failed ({type(error).__name__})")
    else:
        outcome = Ok({"instance": instance, "started": started})
    encoded: dict[str, Any] = encode(outcome)
    return encoded
