"""Knows how consumers in Azure Resource Manager are named: `<kind>://<subscription id>/<group>/<name>/<item>[?slot=]`.

Written so, instead of as an ARM id, because a tag holds 256 characters. Nothing is decoded: a URI is plainly of this
form, or it is refused.
"""

import re
from typing import TYPE_CHECKING

import msgspec

from rekey.arm_id import GROUP, ArmId
from rekey.errors import InputError, ScopeError
from rekey.settings import GUID

if TYPE_CHECKING:
    from rekey.settings import Settings

_RESOURCE = r"[A-Za-z0-9](?:[A-Za-z0-9_.()-]{0,78}[A-Za-z0-9_()-])?"
_ITEM = r"[A-Za-z0-9_](?:[A-Za-z0-9_.:-]{0,126}[A-Za-z0-9_])?"
_SLOT = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,57}[A-Za-z0-9])?"
_PLACE = re.compile(
    rf"(?P<scheme>[a-z-]+)://(?P<subscription>(?i:{GUID.pattern}))/(?P<group>{GROUP.pattern})/(?P<name>{_RESOURCE})"
    rf"/(?P<item>{_ITEM})(?:\?slot=(?P<slot>{_SLOT}))?"
)


class Place(msgspec.Struct, frozen=True):
    """A parameter or setting of a resource. What Azure reads without regard to case is in lower case; `item` isn't."""

    scheme: str
    subscription: str
    group: str
    name: str
    item: str
    slot: str = ""

    @property
    def uri(self) -> str:
        """The normal form."""
        slot = f"?slot={self.slot}" if self.slot else ""
        return f"{self.scheme}://{self.subscription}/{self.group}/{self.name}/{self.item}{slot}"

    def arm_id(self, type_: str) -> str:
        """Return the ARM id of the resource, or of its slot, as one of that type."""
        found = f"{ArmId(self.subscription, self.group, type_, self.name)}"
        return f"{found}/slots/{self.slot}" if self.slot else found

    def allowed_ids(self, types: "tuple[str, ...]", vault: str, settings: "Settings") -> dict[str, str]:
        """Return the ARM ids by type that secrets of that vault may name, of those that this could be."""
        ids = {type_: self.arm_id(type_) for type_ in types}
        return {type_: arm_id for type_, arm_id in ids.items() if settings.allows_resource(vault, arm_id)}


def parsed(uri: str, scheme: str, item: str, *, slots: bool) -> Place:
    """Return the place that a URI of that kind names; InputError if it isn't plainly one."""
    found = _PLACE.fullmatch(uri)
    if found is None or found["scheme"] != scheme or (found["slot"] and not slots):
        expected = f"{scheme}://<subscription id>/<resource group>/<name>/<{item}>"
        raise InputError("consumer", uri, f"{expected}[?slot=<slot>]" if slots else expected)
    lower = {part: (found[part] or "").lower() for part in ("subscription", "group", "name", "slot")}
    return Place(scheme=scheme, item=found["item"], **lower)


def bound(place: Place, types: tuple[str, ...], vault: str, settings: "Settings") -> Place:
    """Return the place; ScopeError if secrets of that vault may name it as none of these types."""
    if not place.allowed_ids(types, vault, settings):
        raise ScopeError("resource", place.arm_id(types[0]), f"below an ARM id REKEY_SCOPES binds to vault {vault}")
    return place
