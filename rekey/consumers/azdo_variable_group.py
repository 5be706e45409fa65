"""Puts a new value into a secret variable of an Azure DevOps variable group (`azdo-variable-group://org/project/group/variable`).

The group is read, the one value set, the whole written back and read again: no other variable may be lost, and none may
stop being secret. A group that is backed by Key Vault reads the vault itself and is left alone.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar

from rekey.azdo_uri import Form, Place, bound, parsed
from rekey.azure_devops_groups import GRANT, VariableGroups
from rekey.clients import Clients
from rekey.errors import NotYetError, PermanentError
from rekey.model import ConsumerTarget, Rotation, When
from rekey.ports import ConsumerFacts, Handover, Permission
from rekey.settings import Settings

SCHEME = "azdo-variable-group"
FORM = Form(SCHEME, "variable group", f"{SCHEME}://<organization>/<project>/<group name>/<variable name>", names=2)
FROM_VAULT = "AzureKeyVault"
_KEPT = ("id", "name", "type", "description", "providerData")
_CORRECT = "Correct the secret's tags."


class AzdoVariableGroup:
    """A secret variable of a variable group."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("azure-devops", "Variable group: Administrator", "writing the new value", GRANT),
    )
    when: ClassVar[When] = When.WITH_OTHERS

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI's normal form; InputError if it is malformed, ScopeError if the vault may not name it."""
        return bound(parsed(uri, FORM), vault, settings).uri

    async def inspect(self, rotation: Rotation, uri: str) -> ConsumerFacts:
        """Check that the group exists, may be administered and has this variable as a secret."""
        place = parsed(uri, FORM)
        groups = self._groups(place)
        group = await groups.named(place.project, place.name)
        if group is None:
            raise PermanentError("no-variable-group", f"there is no {uri} that the app's identity can see", GRANT)
        project_id, number = _project_id(group, place), str(group["id"])
        object_id = f"{project_id}.variable-group.{number}"
        if group.get("type") == FROM_VAULT:
            return ConsumerFacts(object_id=object_id, remarks=(_reads_vault(group, place, rotation),))
        _variable(group, place)
        if not await groups.may_administer(project_id, number):
            raise PermanentError("not-administrator", f"the app's identity may not administer {uri}", GRANT)
        return ConsumerFacts(object_id=object_id, remarks=_remarks(group, place))

    async def update(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> None:
        """Read the group, set the value, write all of it back, read again and compare what must not have changed."""
        place = parsed(target.uri, FORM)
        groups = self._groups(place)
        group = await self._group(groups, place, target)
        if group.get("type") == FROM_VAULT:
            _reads_vault(group, place, rotation)
            return
        name = _variable(group, place)
        changed = {**group["variables"][name], "value": (await handover.value()).reveal()}
        answer = await groups.replace({**group, "variables": {**group["variables"], name: changed}})
        written = await self._group(groups, place, target)
        _require_same(group, written, place)
        await handover.keep(f"modified:{answer.get('modifiedOn') or written.get('modifiedOn', '')}")

    async def confirm(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> str:
        """Read the group again; its secrets can't be read, so that only its dates say whether the value is ours."""
        place = parsed(target.uri, FORM)
        group = await self._group(self._groups(place), place, target)
        if group.get("type") == FROM_VAULT:
            return _reads_vault(group, place, rotation)
        _variable(group, place)
        note = await handover.recall()
        if not note.startswith("modified:"):
            raise NotYetError("not-written", f"{target.uri} was not written by this rotation yet")
        return _dated(place, note.removeprefix("modified:"), str(group.get("modifiedOn", "")))

    async def _group(self, groups: VariableGroups, place: Place, target: ConsumerTarget) -> dict[str, Any]:
        group = await groups.group(place.project, target.object_id.rpartition(".")[2])
        if group is None:
            raise PermanentError("no-variable-group", f"{place.uri} was deleted meanwhile", "Remove it from the tags.")
        return group

    def _groups(self, place: Place) -> VariableGroups:
        origin = self._clients.settings.cloud.azure_devops
        return VariableGroups(self._clients.azure_devops(), origin, place.organization, GRANT)


def _project_id(group: dict[str, Any], place: Place) -> str:
    for reference in group.get("variableGroupProjectReferences") or ():
        project = reference.get("projectReference") or {}
        if str(project.get("name", "")).lower() == place.project.lower():
            return str(project.get("id"))
    raise NotYetError("malformed-answer", f"{place.uri}: the service named no reference to its own project")


def _variable(group: dict[str, Any], place: Place) -> str:
    """Return the variable's name as the group writes it; refuse one that isn't there or that anybody could read."""
    if group.get("type") != "Vsts":
        raise PermanentError("unknown-group-type", f"{place.uri}: the group is of type {group.get('type')}", _CORRECT)
    wanted = place.names[1].lower()
    name = next((str(name) for name in group.get("variables") or {} if name.lower() == wanted), None)
    if name is None:
        raise PermanentError(
            "no-variable", f"{place.uri}: the group has no such variable", f"Add it as a secret variable. {_CORRECT}"
        )
    if not group["variables"][name].get("isSecret"):
        raise PermanentError(
            "not-secret",
            f"{place.uri} is a plain variable: whoever may view the group could read the value",
            "Change its type to secret (the padlock in Pipelines, Library, the group), and replace what it holds now.",
        )
    return name


def _reads_vault(group: dict[str, Any], place: Place, rotation: Rotation) -> str:
    """Return that nothing needs doing; refuse a group that reads another vault, or a secret by another name."""
    vault = str((group.get("providerData") or {}).get("vault", ""))
    names = {name.lower() for name in group.get("variables") or {}}
    wanted = place.names[1].lower()
    if vault.lower() != rotation.vault.lower() or wanted != rotation.secret.lower() or wanted not in names:
        raise PermanentError(
            "other-secret",
            f"{place.uri}: the group reads its variables from a Key Vault, and this one isn't this secret",
            _CORRECT,
        )
    return f"the variable group reads vault {rotation.vault} itself: its next run gets the new version"


def _remarks(group: dict[str, Any], place: Place) -> tuple[str, ...]:
    others = sum(bool(v.get("isSecret")) for v in group["variables"].values()) - 1
    projects = len(group["variableGroupProjectReferences"])
    found = []
    if others:
        found.append(
            f"{place.uri}: the other secrets of the group ({others}) are sent without value, which keeps them."
        )
    if projects > 1:
        found.append(f"{place.uri}: the group is shared by {projects} projects, all of which get the new value.")
    return tuple(found)


def _require_same(before: dict[str, Any], after: dict[str, Any], place: Place) -> None:
    """Compare all that can be seen and the write must not have changed; a secret's value is null on both sides."""
    for field in (*_KEPT, "variables", "variableGroupProjectReferences"):
        if after.get(field) != before.get(field):
            raise NotYetError("changed-meanwhile", f"{place.uri}: {field} changed with the write")


def _dated(place: Place, written: str, now: str) -> str:
    shown = "Azure DevOps shows no secret's value, so that only a run can prove it"
    if now == written:
        return f"the group was written by this rotation and not changed since; {shown}"
    if _moment(now) < _moment(written):
        raise NotYetError("not-confirmed", f"{place.uri} still shows what it was before it was written")
    return f"the group was written by this rotation, and changed again at {_moment(now):%Y-%m-%d %H:%M} UTC; {shown}"


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
