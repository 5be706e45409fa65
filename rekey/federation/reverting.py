"""Makes everything as it was before a walk began: converts back, or deletes the connection that the walk made."""

from datetime import UTC, datetime

from rekey.clients import Clients
from rekey.connections.found import Way
from rekey.errors import NotYetError, PermanentError
from rekey.federation.document import SECRET, Document, converted, projects, read
from rekey.federation.key_back import give_back
from rekey.federation.organization import Organization, label, old_of, place
from rekey.federation.quoting import quoted
from rekey.leases import leased
from rekey.model.federation import Federation, Mode, Old, Proven

_BY_HAND = (
    "Give the connection's application a new secret and the connection that secret (the connection, Edit), or leave it "
    "federated: it has no other way back."
)


async def revert(clients: Clients, federation: Federation) -> Proven:
    """Undo it and return in words what is as before; what was undone already is found so.

    UnclearError and NotYetError: it is to be asked again. PermanentError: only people can, and what they can do.
    """
    organization = Organization(clients, federation.organization)
    if federation.mode is Mode.IN_PLACE:
        return await _converted_back(clients, organization, old_of(federation))
    if federation.mode is Mode.REPAIR:
        return Proven(proof="the connection itself was not changed")
    return await _deleted(clients, organization, federation)


async def _converted_back(clients: Clients, organization: Organization, old: Old) -> Proven:
    name, kept = quoted(old.name), ""
    async with leased(clients.container(), old.id):
        document, found = await organization.there(old.owner_project, old.id, name)
        if found.way is Way.FEDERATED:
            kept = await _convert_back(clients, organization, document, old)
            _, found = await organization.there(old.owner_project, old.id, name)
    if found.way is not Way.SECRET:
        raise PermanentError("not-reverted", f"{name} signs in by {found.way}, by a secret before", _BY_HAND)
    await organization.signs_in(old.owner_project, old.id, name)
    which = f" of {kept}" if kept else ""
    return Proven(proof=f"{name} signs in with its secret{which} as before (TestConnection)")


async def _convert_back(clients: Clients, organization: Organization, document: Document, old: Old) -> str:
    """Convert it back, or else give it the key that a vault has; return which one that was, "" if Azure DevOps had it.

    Whether it is too late the service decides, by its own clock.
    """
    try:
        await organization.endpoints.convert(old.owner_project, converted(document, SECRET))
    except PermanentError as error:
        if error.code != "refused":
            raise
    else:
        return ""
    kept = await give_back(clients, organization, document, old)
    if not kept:
        raise _not_reverted(read(organization.name, old.owner_project, document).revert_until, old)
    return kept


def _not_reverted(until: datetime | None, old: Old) -> PermanentError:
    over = until is None or until <= datetime.now(UTC)
    when = f"it could be until {until:%Y-%m-%d %H:%M} UTC" if until else "it says no date until when it can be"
    why = f": {when}" if over else ""
    said = f"Azure DevOps refused to convert {quoted(old.name)} back to its secret{why}, and no vault has its key"
    return PermanentError("not-reverted", said, _BY_HAND)


async def _deleted(clients: Clients, organization: Organization, federation: Federation) -> Proven:
    """Delete what carries the walk's label, and nothing else; not if the old connection is gone, and so all others."""
    project, wanted = place(federation), label(clients, federation)
    if federation.old and await organization.connection(project, federation.old.id) is None:
        raise PermanentError(
            "old-one-gone",
            f"{quoted(federation.old.name)} was deleted: without the new connection there would be none",
            "Make a connection with a secret by hand, if you have to.",
        )
    made = await organization.labelled(project, wanted)
    for document, found in made:
        await organization.endpoints.delete(found.id, [one.id for one in projects(document)])
    if await organization.labelled(project, wanted):
        raise NotYetError("not-deleted-yet", "the connection that Rekey made is still there")
    await _require_none_left(organization, federation)
    names = ", ".join(quoted(found.name) for _, found in made)
    before = f"; {quoted(federation.old.name)} is as it was" if federation.old else ""
    return Proven(proof=f"{f'{names} was deleted' if made else 'there is no new connection'}{before}")


async def _require_none_left(organization: Organization, federation: Federation) -> None:
    """What this walk made and somebody took the label from is not Rekey's to delete any more."""
    if federation.new and await organization.connection(place(federation), federation.new.id):
        raise PermanentError(
            "not-ours",
            f"{quoted(federation.new.name)} doesn't carry Rekey's label any more, and was left",
            "Delete it by hand if it isn't needed.",
        )
