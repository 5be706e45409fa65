"""Makes a connection that never has a secret: beside one that has, for the same scope; or for nobody's place.

A POST that was answered by nothing may have made it: the label in the description says whose it is, and is looked for
before every attempt.
"""

from datetime import UTC, datetime, timedelta

from rekey import names
from rekey.clients import Clients
from rekey.connections.found import Connection
from rekey.errors import NotYetError, PermanentError, UnclearError
from rekey.federation.document import Document, beside, named, projects, read
from rekey.federation.organization import Organization, label, place
from rekey.federation.quoting import quoted
from rekey.federation.records import FederationRecords
from rekey.federation.vended import vended
from rekey.model.federation import Federation, New

SETTLED = timedelta(seconds=30)
"""How long after a POST without an answer what it may have made would be listed."""


async def create(clients: Clients, federation: Federation) -> New:
    """Make the connection, or find it made, and return what it presents; no pipeline may use it yet.

    UnclearError if it may have been made; PermanentError if its name is taken or it may not be made.
    """
    organization, project = Organization(clients, federation.organization), place(federation)
    mark = label(clients, federation)
    made = await organization.labelled(project, mark)
    if made:
        return _new(made[0][1])
    wanted = await _wanted(clients, organization, federation, mark)
    await _ask(clients, federation)
    try:
        answer = await organization.endpoints.create(wanted)
    except NotYetError as error:
        if error.code == "conflict":
            await _require_free(organization, federation)
        raise
    found = await organization.connection(project, read(organization.name, project, answer).id)
    if found is None:
        raise UnclearError("not-seen-yet", f"{quoted(federation.new_name)} was made, and can't be seen yet")
    return _new(found[1])


async def _wanted(clients: Clients, organization: Organization, federation: Federation, mark: str) -> Document:
    who = federation.signs_in_as
    if who is None:
        raise PermanentError("no-identity", f"federation {federation.id} says nobody to sign in as", "Report this.")
    if federation.old is None:
        return await vended(clients, organization, federation, who.client_id, mark)
    old = federation.old
    document, _ = await organization.there(old.owner_project, old.id, quoted(old.name))
    return beside(document, federation.new_name, mark, who.client_id, projects(document))


async def _ask(clients: Clients, federation: Federation) -> None:
    """Put down that it is asked for now; UnclearError so soon after it was before that the answer may still come."""
    records = FederationRecords(clients.container())
    record = await records.read(federation.id)
    before = record.asking.get(names.CREATE_CONNECTION) if record else None
    left = SETTLED - (datetime.now(UTC) - before) if before else timedelta()
    if left > timedelta():
        said = f"{quoted(federation.new_name)} was asked for just now, and can't be seen yet"
        raise UnclearError("asked-just-now", said, left.total_seconds())
    await records.ask(federation.id, names.CREATE_CONNECTION)


async def _require_free(organization: Organization, federation: Federation) -> None:
    name = federation.new_name
    if named(await organization.endpoints.documents(place(federation)), name):
        raise PermanentError(
            "name-taken",
            f"the project has a connection {quoted(name)} already, which this walk didn't make",
            "Delete that connection if nobody needs it, or ask for another name.",
        )


def _new(found: Connection) -> New:
    """Issuer and subject are what the connection itself says, to the letter."""
    if not (found.issuer and found.subject):
        raise NotYetError("no-subject-yet", f"{quoted(found.name)} was made, and shows no issuer and subject yet")
    return New(id=found.id, name=found.name, issuer=found.issuer, subject=found.subject)
