"""Gives a new connection's identity its roles: the old one's, or the one that was asked for; never beyond settings.

What may be granted is checked again here, however often it was before. The ARM ids of assignments are made of the walk,
so that a repeated step finds its own, and nothing has to be remembered to take them back.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from rekey import names
from rekey.clients import Clients
from rekey.connections.flaws import shown
from rekey.entra_federation import Directory
from rekey.errors import InputError, PermanentError, ScopeError
from rekey.federation.holders import identity_of
from rekey.federation_settings import REFUSED, Vending
from rekey.model.federation import Federation, Granted
from rekey.model.federation_request import Mode, Target
from rekey.role_assignments import Assignment, RoleAssignments, assignment_id


async def copy(clients: Clients, federation: Federation) -> Granted:
    """Give the new identity the old one's roles at and below the scopes of settings, as far as they allow each."""
    vending = vending_of(clients)
    held = await _of_old(clients, federation, vending)
    allowed = [one for one in held if _may(vending, one)]
    remarks = [_not_copied(one) for one in held if one not in allowed]
    if not held:
        remarks.append(f"The old identity has no role at or below {', '.join(vending.scopes)}.")
    return await _granted(clients, federation, allowed, remarks)


async def grant(clients: Clients, federation: Federation) -> Granted:
    """Give the identity of a vended connection the role that was asked for; ScopeError beyond settings."""
    vending, scope = vending_of(clients), federation.scope
    if not clients.settings.binds(federation.organization, federation.project, resource=scope):
        project = f"{federation.organization}/{federation.project}"
        raise ScopeError("scope", scope, f"an ARM id that REKEY_SCOPES binds to {project}")
    wanted = await _asked(clients, federation)
    if not _may(vending, wanted):
        raise ScopeError("role", f"{federation.role} at {scope}", "a role and a scope that REKEY_VENDING allows")
    return await _granted(clients, federation, [wanted], [])


async def take_back(clients: Clients, federation: Federation) -> int:
    """Remove the role assignments that this walk made, recorded or not; return how many there were."""
    if federation.signs_in_as is None or not _grants(federation):
        return 0
    known = federation.granted.assignments if federation.granted else ()
    planned = [_ours(clients, federation, one) for one in await _planned(clients, federation)]
    ids = dict.fromkeys((*known, *(assignment_id(federation.id, one) for one in planned)))
    return sum([await RoleAssignments(clients).remove(one) for one in ids])


def vending_of(clients: Clients) -> Vending:
    """Return what may be granted; PermanentError where nothing may."""
    found = clients.settings.federating.vending
    if found is None:
        what_to_do = "Ask the function app whose REKEY_DUTY is vending."
        raise PermanentError("not-vending", "this function app makes no identities and grants no roles", what_to_do)
    return found


def _may(vending: Vending, one: Assignment) -> bool:
    return one.role not in REFUSED and vending.allows(one.role, one.scope)


def _grants(federation: Federation) -> bool:
    """Tell whether roles are given on the way; the application of an old connection keeps those that it has."""
    return federation.mode is Mode.VEND or federation.target is Target.MANAGED_IDENTITY


async def _planned(clients: Clients, federation: Federation) -> list[Assignment]:
    """Return what this walk would have granted by now, as far as that can still be told."""
    vending = vending_of(clients)
    try:
        if federation.mode is Mode.VEND:
            return [await _asked(clients, federation)]
        return [one for one in await _of_old(clients, federation, vending) if _may(vending, one)]
    except InputError:
        return []  # a role that is no role was granted to nobody


async def _asked(clients: Clients, federation: Federation) -> Assignment:
    role = await RoleAssignments(clients).definition(federation.role, federation.scope)
    return Assignment(scope=federation.scope, role=role, principal="")


async def _of_old(clients: Clients, federation: Federation, vending: Vending) -> list[Assignment]:
    """Return the roles of whom the old connection signs in as, at and below the scopes of settings, and above."""
    client_id = federation.old.application if federation.old else ""
    old = await Directory(clients.graph()).service_principal(client_id) if client_id else None
    assignments, found = RoleAssignments(clients), dict[str, Assignment]()
    if old is None:
        return []
    for scope in vending.scopes:
        found |= {one.id.lower(): one for one in await assignments.of(old.object_id, scope)}
    return list(found.values())


async def _granted(
    clients: Clients, federation: Federation, wanted: Sequence[Assignment], remarks: list[str]
) -> Granted:
    assignments, made = RoleAssignments(clients), list[str]()
    for one in wanted:
        ours = _ours(clients, federation, one)
        path = assignment_id(federation.id, ours)
        if await assignments.assign(ours, path):
            made.append(path)
        else:
            remarks.append(f"The new identity had role {one.role} at {shown(one.scope)} already.")
    return Granted(assignments=tuple(made), remarks=tuple(remarks))


def _ours(clients: Clients, federation: Federation, one: Assignment) -> Assignment:
    """Return the same role at the same place, under the same condition, for the new identity."""
    label = names.label(clients.settings.deployment, federation.id)
    return replace(one, id="", principal=identity_of(federation).principal_id, description=label)


def _not_copied(one: Assignment) -> str:
    why = "which Rekey never grants" if one.role in REFUSED else "which REKEY_VENDING doesn't allow there"
    return f"Role {REFUSED.get(one.role, one.role)} at {shown(one.scope)} was not copied, {why}."
