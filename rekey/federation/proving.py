"""Proves that a connection signs in: Azure DevOps itself does, through the connection, as the portal's Verify does."""

import re

from rekey import names
from rekey.clients import Clients
from rekey.entra_advice import advice, explained
from rekey.errors import NotYetError, PermanentError, RekeyError
from rekey.federation import superseded
from rekey.federation.organization import Organization, place
from rekey.federation.records import FederationRecords
from rekey.model.federation import Federation, Proven
from rekey.model.federation_request import Mode, Target
from rekey.role_assignments import ASSIGNMENTS

AGAIN = 3.0
"""Seconds between the first time that it works and the second: Entra is many servers."""
ONCE = "proven-once"
_SUBSCRIPTION = re.compile(r"/subscriptions/[^/]+", re.IGNORECASE)


async def prove(clients: Clients, federation: Federation) -> Proven:
    """Return how it is known that the connection signs in, twice in a row; what a repaired one replaces is removed.

    NotYetError says what a refusal means, as long as that may pass by itself; PermanentError if it can't.
    """
    known = federation.new or federation.old
    if known is None:
        raise PermanentError("no-connection", f"federation {federation.id} has no connection yet that could be proven")
    organization = Organization(clients, federation.organization)
    works, said = await organization.endpoints.test_connection(place(federation), known.id)
    proof = "Azure DevOps signed in with it, twice in a row (TestConnection)"
    if not works:
        found = advice(said)
        if found is None or not found.signed_in or _waits_for_role(federation):
            raise _refusal(known.name, said)
        proof = f"{proof}; {found}"
    if not await _worked_before(clients, federation):
        raise NotYetError(ONCE, f"Azure DevOps signed in through {known.name} once, and shall do so again", AGAIN)
    return Proven(proof=proof + await _tidied(clients, federation))


async def _tidied(clients: Clients, federation: Federation) -> str:
    """Remove what a repaired connection needs no more; a failure of that undoes nothing of what works."""
    if federation.mode is not Mode.REPAIR:
        return ""
    try:
        return await superseded.remove(clients, federation)
    except RekeyError as error:
        return f"; what it replaces was left, because it could not be removed: {error.message}"


def _waits_for_role(federation: Federation) -> bool:
    """Tell whether a missing role may be one that was just granted, and counts after minutes.

    An application keeps the roles that it had. The test reads the subscription: an identity whose roles are for less
    than that may never be allowed to, however long one waits.
    """
    if federation.mode is not Mode.VEND and federation.target is not Target.MANAGED_IDENTITY:
        return False
    granted = federation.granted.assignments if federation.granted else ()
    return not granted or any(_SUBSCRIPTION.fullmatch(one.partition(ASSIGNMENTS)[0]) for one in granted)


def _refusal(name: str, said: str) -> RekeyError:
    found, why = advice(said), explained(said)
    message = f"Azure DevOps could not sign in through {name}{why and f': {why}'}"
    if found and not found.passes:
        return PermanentError("sign-in-refused", message, found.what_to_do)
    return NotYetError("role-missing" if found and found.signed_in else "not-signed-in", message)


async def _worked_before(clients: Clients, federation: Federation) -> bool:
    """Tell whether the attempt before this one signed in: the record has what became of it."""
    record = await FederationRecords(clients.container()).read(federation.id)
    entries = [one for one in record.entries if one.step == names.PROVE_CONNECTION] if record else []
    return bool(entries) and entries[-1].code == ONCE
