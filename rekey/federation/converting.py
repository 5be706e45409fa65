"""Has Azure DevOps convert a connection in place, from its secret to workload identity federation.

Two behaviours of the service are known, and both are stood: it converts at once and shows issuer and subject then; or
it refuses until Entra trusts the connection, which stays on its secret and shows issuer and subject meanwhile.
"""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from rekey.clients import Clients
from rekey.connections.found import Connection, Way
from rekey.errors import NotYetError, PermanentError
from rekey.federation.document import FEDERATED, converted
from rekey.federation.organization import Organization, old_of
from rekey.federation.quoting import quoted
from rekey.federation.runs import executions
from rekey.leases import leased
from rekey.model.federation import Federation, New, Old

QUIET = timedelta(minutes=10)
"""How long after its start a walk waits for a moment in which nothing runs through the connection."""
_AGAIN = 30.0
"""Seconds."""


async def convert(clients: Clients, federation: Federation) -> New:
    """Convert it and return what it presents now; one that is converted already is found so.

    `federated` False: Azure DevOps wants it trusted first, and it shows what is to be trusted. UnclearError if it may
    have been converted: the next attempt looks. Nothing of what is sent or answered is repeated anywhere.
    """
    organization, old = Organization(clients, federation.organization), old_of(federation)
    _, found = await organization.there(old.owner_project, old.id, quoted(old.name))
    if found.way is not Way.FEDERATED and not (found.issuer and found.subject):
        await _wait_for_quiet(clients, federation)
    async with leased(clients.container(), old.id):
        return await _converted(organization, old)


async def _converted(organization: Organization, old: Old) -> New:
    """A rotation that began meanwhile and writes a key into it has to come before or after."""
    document, before = await organization.there(old.owner_project, old.id, quoted(old.name))
    if before.way is Way.FEDERATED:
        return _new(before)
    _require_unchanged(before, old)
    refused = False
    try:
        await organization.endpoints.convert(old.owner_project, converted(document, FEDERATED))
    except PermanentError as error:
        if error.code != "refused":
            raise
        refused = True
    _, after = await organization.there(old.owner_project, old.id, quoted(old.name))
    return _outcome(after, refused=refused)


def _outcome(after: Connection, *, refused: bool) -> New:
    if after.way is Way.FEDERATED:
        return _new(after)
    if not refused:
        raise NotYetError("not-converted-yet", f"{quoted(after.name)} doesn't show that it was converted")
    if after.issuer and after.subject:
        return replace(_new(after), federated=False)
    raise PermanentError(
        "not-converted",
        f"Azure DevOps refused to convert {quoted(after.name)} and left it as it was",
        "Try it in the portal (the connection, Convert), which says why; or replace it: mode side-by-side.",
    )


def _new(found: Connection) -> New:
    """Issuer and subject are what the connection itself says, to the letter."""
    if not (found.issuer and found.subject):
        raise NotYetError("no-subject-yet", f"{quoted(found.name)} is federated, and shows no issuer and subject yet")
    return New(
        id=found.id, name=found.name, issuer=found.issuer, subject=found.subject, revert_until=found.revert_until
    )


def _require_unchanged(found: Connection, old: Old) -> None:
    if found.way is not Way.SECRET or found.application != old.application:
        raise PermanentError(
            "changed-meanwhile",
            f"{quoted(old.name)} signs in otherwise than when it was looked at: {found.way}, as {found.application}",
            "Find out who changed it, and start again.",
        )


async def _wait_for_quiet(clients: Clients, federation: Federation) -> None:
    """Give what runs through the connection some minutes to end, if converting leaves a gap; then go on all the same.

    A job has the secret from its start, and the secret works until the soak is over: what runs isn't harmed. But the
    next job of the same run, or of a run that starts just then, would meet a connection that Entra doesn't trust yet.
    Where that can't be, because issuer and subject were known and are trusted before, nobody has to wait; and a
    connection through which something always runs is to be converted one day, too.
    """
    if datetime.now(UTC) - federation.started >= QUIET:
        return
    try:
        running = [one for one in await executions(clients, federation) if one.ended is None]
    except PermanentError:  # nobody may look: that is no reason to keep the secret
        return
    if running:
        names = ", ".join(dict.fromkeys(quoted(one.name) for one in running[:3]))
        raise NotYetError("in-use", f"{len(running)} runs use the connection just now ({names})", _AGAIN)
