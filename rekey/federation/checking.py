"""Looks at everything around a connection before anything changes: rights, rotations, and who will notice."""

from collections.abc import AsyncIterator

from rekey.azure_devops_endpoints import GRANT
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.federation.document import ProjectRef, projects
from rekey.federation.keepers import Keepers
from rekey.federation.organization import Organization, old_of
from rekey.federation.pipelines import Seen, known
from rekey.federation.quoting import quoted
from rekey.model.federation import Checked, Federation, Mode, Old
from rekey.records import OPEN, Records

MOST_PIPELINES = 100
"""That are told of."""
_CREATOR = GRANT.replace("on the service connection", "on the project's service connections").replace(
    "Service connections, Security", "Service connections, all of them, Security"
)


async def check(clients: Clients, federation: Federation) -> Checked:
    """Return which pipelines use the connection, whose they are, and what there is to know; nothing is changed.

    PermanentError: the app's identity may not do it, or a rotation of the connection's secret is under way.
    """
    found, problems = await examine(clients, federation)
    if problems:
        raise problems[0]
    return found


async def examine(clients: Clients, federation: Federation) -> tuple[Checked, tuple[PermanentError, ...]]:
    """Return the same, and all that stops the walk: who plans one wants to know everything at once."""
    organization, old = Organization(clients, federation.organization), old_of(federation)
    document, _ = await organization.there(old.owner_project, old.id, quoted(old.name))
    places = projects(document)
    problems = [problem async for problem in _missing_rights(organization, federation, old, places)]
    keepers = await Keepers.of(clients, federation.organization, places, anew=False)
    if federation.mode is Mode.IN_PLACE:
        problems += [problem async for problem in _rotations(clients, keepers)]
    seen = Seen()
    for place in places:
        seen = seen.and_also(await known(organization, clients.settings, place, old))
    remarks = (*_remarks(federation, old, keepers), *seen.remarks)
    if len(seen.pipelines) > MOST_PIPELINES:
        remarks += (f"{len(seen.pipelines) - MOST_PIPELINES} more pipelines use it than are named",)
    found = Checked(pipelines=seen.pipelines[:MOST_PIPELINES], owners=keepers.owners, remarks=remarks)
    return found, tuple(problems)


async def _missing_rights(
    organization: Organization, federation: Federation, old: Old, places: tuple[ProjectRef, ...]
) -> AsyncIterator[PermanentError]:
    if federation.mode is Mode.REPAIR:
        return  # only Entra is written to; proving takes what reading takes
    name = quoted(old.name)
    for place in places if federation.mode is Mode.SIDE_BY_SIDE else places[:1]:
        if not await organization.endpoints.may_administer(place.id, old.id):
            said = f"the app's identity may not administer {name} in {quoted(place.project)}"
            yield PermanentError("not-administrator", said, GRANT)
        if federation.mode is Mode.SIDE_BY_SIDE and not await organization.endpoints.may_create(place.id):
            said = f"the app's identity may not make service connections in {quoted(place.project)}"
            yield PermanentError("not-creator", said, _CREATOR)


async def _rotations(clients: Clients, keepers: Keepers) -> AsyncIterator[PermanentError]:
    """A rotation that is under way writes a key into the connection, which then has none any more."""
    if not keepers.items:
        return
    mine = {(item.vault, item.secret) for item in keepers.items}
    for one in await Records(clients.container()).listing(OPEN):
        if (one.vault.lower(), one.secret.lower()) in mine:
            yield PermanentError(
                "rotation-under-way",
                f"{one.vault}/{one.secret}, from which the connection has its key, is being rotated",
                f"Start again when rotation {one.rotation_id} is over (python -m rekey show {one.rotation_id}).",
            )


def _remarks(federation: Federation, old: Old, keepers: Keepers) -> tuple[str, ...]:
    found = []
    if old.shared_with:
        others = ", ".join(quoted(one) for one in old.shared_with)
        ways = {
            Mode.IN_PLACE: f"it is shared with {others}: for them it is converted, too",
            Mode.SIDE_BY_SIDE: f"it is shared with {others}, and so will the new connection be",
        }
        found.append(ways.get(federation.mode, f"it is shared with {others}"))
    if old.automatic and federation.mode is Mode.IN_PLACE:
        found.append("Azure DevOps made its application itself, and may make the federated credential, too")
    if keepers.unlisted:
        found.append(f"the secrets of {', '.join(keepers.unlisted)} could not be listed: one may hold its key")
    return tuple(found)
