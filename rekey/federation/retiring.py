"""Deletes the connection with the secret, once another one has taken its place and nothing goes through it any more."""

from rekey import names
from rekey.clients import Clients
from rekey.connections.found import Connection
from rekey.errors import PermanentError
from rekey.federation.document import Document, projects
from rekey.federation.organization import Organization, label, old_of
from rekey.federation.quoting import quoted
from rekey.federation.records import FederationRecords
from rekey.federation.runs import look
from rekey.model.federation import STILL_USED, Federation, Mode, New, Old, Proven


async def retire(clients: Clients, federation: Federation) -> Proven:
    """Delete the old connection from all its projects; its application stays. One that is gone is found so.

    PermanentError if something went through it since the new one was proven, if it isn't what it was, or if nobody
    can tell whether it is gone.
    """
    if federation.mode is not Mode.SIDE_BY_SIDE:
        return Proven(proof="there is no old connection to delete")
    organization, old = Organization(clients, federation.organization), old_of(federation)
    records = FederationRecords(clients.container())
    found = await _unless_gone(records, organization, federation, old)
    if found is None:
        return Proven(proof=f"{quoted(old.name)} is gone")
    document, connection = found
    new = await _replacement(clients, organization, federation)
    _require_unchanged(connection, old)
    await _require_unused(clients, federation, old, new)
    await organization.signs_in(old.owner_project, new.id, quoted(new.name))
    await records.ask(federation.id, names.RETIRE_CONNECTION)
    await organization.endpoints.delete(old.id, [one.id for one in projects(document)])
    return Proven(proof=f"{quoted(old.name)} was deleted; {quoted(new.name)} signs in (TestConnection)")


async def _unless_gone(
    records: FederationRecords, organization: Organization, federation: Federation, old: Old
) -> tuple[Document, Connection] | None:
    """One that can't be seen is gone if it was to be deleted; else only if it would be shown were it there."""
    record = await records.read(federation.id)
    if record and names.RETIRE_CONNECTION in record.asking:
        return await organization.connection(old.owner_project, old.id)
    return await organization.unless_gone(old.owner_project, old.id, quoted(old.name))


async def _replacement(clients: Clients, organization: Organization, federation: Federation) -> New:
    """Return the new connection; PermanentError unless it is there and Rekey's own."""
    made = await organization.labelled(old_of(federation).owner_project, label(clients, federation))
    new = federation.new
    if new is None or new.id not in {found.id for _, found in made}:
        raise PermanentError(
            "no-new-connection",
            f"the connection that Rekey made in place of {quoted(old_of(federation).name)} isn't there any more",
            "Find out who deleted it or took its label away; the old one was left.",
        )
    return new


def _require_unchanged(found: Connection, old: Old) -> None:
    if (found.way.value, found.application) != (old.way, old.application):
        raise PermanentError(
            "changed-meanwhile",
            f"{quoted(old.name)} signs in otherwise than before: {found.way}, as {found.application or 'unknown'}",
            "Find out who changed it; delete it by hand if nobody needs it.",
        )


async def _require_unused(clients: Clients, federation: Federation, old: Old, new: New) -> None:
    runs = await look(clients, federation)
    if runs.finished or runs.running:
        raise PermanentError(
            STILL_USED,
            f"{runs.finished + runs.running} runs went through {quoted(old.name)} since then: {', '.join(runs.by)}",
            f"Let those pipelines name {quoted(new.name)}.",
        )
