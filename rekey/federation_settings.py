"""The settings of leaving service connections without a secret: what may be done, by which of the two function apps.

Making connections and granting roles takes rights over role assignments, which the app that rotates never has: that is
the duty of another function app with the same code and an identity of its own.
"""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from rekey.errors import SettingError
from rekey.model.federation import Mode
from rekey.setting_values import given, json_of

_GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_SCOPE = re.compile(rf"(?ai)/subscriptions/{_GUID}(?:/[^/\s?#%\\]+)*")
_GROUP = re.compile(rf"(?ai)/subscriptions/{_GUID}/resourceGroups/[^/\s?#%\\]+")
_LOCATION = re.compile(r"[a-z0-9]{2,40}")

READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
REFUSED = {
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635": "Owner",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9": "User Access Administrator",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168": "Role Based Access Control Administrator",
}
"""Role definitions that are never granted: whoever has one can grant all others.

https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/privileged
"""


class Duty(StrEnum):
    """What a function app is there for."""

    ROTATION = "rotation"
    VENDING = "vending"


MODES = {Duty.ROTATION: (Mode.REPAIR, Mode.IN_PLACE), Duty.VENDING: (Mode.SIDE_BY_SIDE, Mode.VEND)}
"""What each of the function apps may be allowed to do."""


class Vending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be granted: role definitions (GUIDs) at or below `scopes` (ARM ids).

    `identities` is the ARM id of the resource group that managed identities are made in, `location` their region.
    """

    roles: tuple[str, ...]
    scopes: tuple[str, ...]
    identities: str
    location: str

    def allows(self, role: str, scope: str) -> bool:
        """Tell whether that role definition (GUID) may be granted at that ARM id."""
        below = f"{scope.lower()}/"
        return role.lower() in self.roles and any(below.startswith(f"{one.lower()}/") for one in self.scopes)


class Federating(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done to service connections; `vending` is there if that is the app's duty."""

    duty: Duty = Duty.ROTATION
    modes: tuple[Mode, ...] = (Mode.REPAIR,)
    vending: Vending | None = None


def federating(environ: Mapping[str, str]) -> Federating:
    """Return what REKEY_DUTY, REKEY_FEDERATION and REKEY_VENDING say; SettingError."""
    duty = _duty(environ)
    return Federating(duty=duty, modes=_modes(environ, duty), vending=_vending(environ, duty))


def _duty(environ: Mapping[str, str]) -> Duty:
    text = given(environ, "REKEY_DUTY") or Duty.ROTATION
    if text not in tuple(Duty):
        raise SettingError("REKEY_DUTY", text, f"one of {', '.join(Duty)}")
    return Duty(text)


def _modes(environ: Mapping[str, str], duty: Duty) -> tuple[Mode, ...]:
    name, able = "REKEY_FEDERATION", MODES[duty]
    if name not in environ:
        return (Mode.REPAIR,) if duty is Duty.ROTATION else able
    wanted = [part.strip() for part in environ[name].split(",") if part.strip()]
    for one in wanted:
        if one not in able:
            raise SettingError(name, one, f"a list of what this function app may do, among {', '.join(able)}")
    return tuple(mode for mode in able if mode in wanted)


def _vending(environ: Mapping[str, str], duty: Duty) -> Vending | None:
    name, text = "REKEY_VENDING", given(environ, "REKEY_VENDING")
    if duty is not Duty.VENDING:
        if text:
            raise SettingError(name, text, f"no such setting where REKEY_DUTY is {duty}")
        return None
    expected = "a JSON object of roles (GUIDs), scopes (ARM ids), identities (a resource group's ARM id), location"
    found = json_of(name, text, Vending, expected)
    for one in found.roles:
        if not re.fullmatch(_GUID, one, re.IGNORECASE):
            raise SettingError(f"{name}.roles", one, "role definitions by their GUID")
        if one.lower() in REFUSED:
            raise SettingError(f"{name}.roles", one, f"no role that can grant all others ({REFUSED[one.lower()]})")
    for one in found.scopes:
        if not _SCOPE.fullmatch(one):
            raise SettingError(f"{name}.scopes", one, "ARM ids, /subscriptions/<id>/..., without a slash at the end")
    if not _GROUP.fullmatch(found.identities):
        expected = "a resource group, /subscriptions/<id>/resourceGroups/<name>"
        raise SettingError(f"{name}.identities", found.identities, expected)
    if not _LOCATION.fullmatch(found.location):
        raise SettingError(f"{name}.location", found.location, "a region's short name such as westeurope")
    return msgspec.structs.replace(found, roles=tuple(one.lower() for one in found.roles))
