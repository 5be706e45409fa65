"""Puts a value into an app setting of App Service or Functions (`app-setting://<subscription>/<group>/<site>/<name>`).

All settings are written back as they were read. It is confirmed by listing them again: what the app does with the value
nobody can ask it.
"""

from typing import ClassVar

from rekey.app_service import ROLE, TYPE
from rekey.arm_uri import Place, bound, parsed
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.model import ConsumerTarget, Rotation, When
from rekey.ports import ConsumerFacts, Handover, Permission
from rekey.resource_manager import right
from rekey.settings import Settings
from rekey.site_setting import SiteSetting

SCHEME = "app-setting"


class AppSetting:
    """One app setting of a site or of one of its slots."""

    permissions: ClassVar[tuple[Permission, ...]] = (right(ROLE, "listing and writing the site's settings"),)
    when: ClassVar[When] = When.WITH_OTHERS

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI's normal form; InputError if it is malformed, ScopeError if the vault may not name it."""
        return bound(_place(uri), (TYPE,), vault, settings).uri

    async def inspect(self, rotation: Rotation, uri: str) -> ConsumerFacts:  # noqa: ARG002 - the port's signature
        """Check that the site and the setting exist and that its settings may be written."""
        setting = self._setting(uri)
        if await setting.site.described() is None:
            raise PermanentError("no-site", f"there is no site for {uri}", "Correct the secret's tags.")
        return await setting.inspect()

    async def update(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> None:  # noqa: ARG002 - the port's signature
        """List all settings, change this one, write all back, list again."""
        await self._setting(target.uri).update(handover)

    async def confirm(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> str:  # noqa: ARG002 - the port's signature
        """List once more and compare."""
        return await self._setting(target.uri).confirm(handover)

    def _setting(self, uri: str) -> SiteSetting:
        place = _place(uri)
        return SiteSetting(self._clients, place.arm_id(TYPE), place)


def _place(uri: str) -> Place:
    return parsed(uri, SCHEME, "setting", slots=True)
