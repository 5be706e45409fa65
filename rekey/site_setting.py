"""Puts a value into one app setting among others: what the consumers of App Service and of Standard Logic Apps share.

App Service takes all settings at once and no If-Match. They are listed right before they are written, and again after:
whoever writes in between, within one request's time, loses his change, and nothing tells. Other rotations don't: the
caller holds the lease of the site.
"""

from typing import TYPE_CHECKING

from msgspec import structs

from rekey.app_service import Site
from rekey.errors import NotYetError, PermanentError
from rekey.ports import ConsumerFacts

if TYPE_CHECKING:
    from rekey.app_service import AppSettings
    from rekey.arm_uri import Place
    from rekey.clients import Clients
    from rekey.ports import Handover

REFERENCE = "key-vault-reference"
"""The scheme of the consumer for settings that are Key Vault references."""


class SiteSetting:
    """The app setting that a place names, of the site that has this ARM id."""

    def __init__(self, clients: "Clients", arm_id: str, place: "Place") -> None:
        self.site = Site(clients, arm_id)
        self._name, self._uri, self._place = place.item, place.uri, place

    async def inspect(self) -> ConsumerFacts:
        """Check that settings may be written and that this one is there, with a value of its own."""
        await self.site.require_rights(("config/list/action", "config/write"))
        self._require(await self.site.settings())
        remarks = (f"{self._uri}: App Service restarts the site when its settings change.", await self._swapped())
        return ConsumerFacts(object_id=self.site.arm_id, remarks=tuple(remark for remark in remarks if remark))

    async def update(self, handover: "Handover") -> None:
        """List, merge, write all, list again; nothing is written if the setting has the value already."""
        value = await handover.value()
        before = await self.site.settings()
        self._require(before)
        if before.holds(self._name, value):
            return
        wanted = before.but(self._name, value)
        await self.site.replace(wanted)
        if changed := wanted.differing(await self.site.settings()):
            raise NotYetError(
                "changed-meanwhile",
                f"{self._uri}: after the write these settings are not as they were written: {', '.join(changed)}",
            )

    async def confirm(self, handover: "Handover") -> str:
        """List once more and compare in memory."""
        settings = await self.site.settings()
        if not settings.holds(self._name, await handover.value()):
            raise NotYetError("not-confirmed", f"{self._uri} doesn't have the new value, or not yet")
        return "listed again, the setting has the new value; the site was restarted by the change"

    async def _swapped(self) -> str:
        """Return what a swap would do to a slot's setting; who has rights on the slot alone can't tell."""
        if not self._place.slot:
            return ""
        try:
            if self._name in await self.site.sticky():
                return ""
        except PermanentError:
            return f"{self._uri}: the app's identity may not read whether this is a slot setting, which swaps leave."
        return (
            f"{self._uri} is no slot setting: with a swap its value goes to the other slot and that one's value comes "
            "here. Name the other slot's setting as a consumer too."
        )

    def _require(self, settings: "AppSettings") -> None:
        if self._name not in settings:
            spelled = settings.spelled(self._name)
            raise PermanentError(
                "no-setting",
                f"there is no setting {self._uri}" + (f", it is written {spelled}" if spelled else ""),
                "Correct the secret's tags, or add the setting to the site with any value.",
            )
        if settings.is_reference(self._name):
            raise PermanentError(
                "is-reference",
                f"{self._uri} is a Key Vault reference: the site reads the vault itself",
                f"Name it {structs.replace(self._place, scheme=REFERENCE).uri} in the secret's tags.",
            )
