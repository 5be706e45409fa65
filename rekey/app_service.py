"""Speaks the part of App Service's REST API that App Service, Functions and Standard Logic Apps share: app settings.

Sources: https://learn.microsoft.com/rest/api/appservice/web-apps and, for the refresh of Key Vault references,
https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#understand-rotation.
"""

from typing import TYPE_CHECKING, Any, Self

from rekey.errors import NotYetError, PermanentError
from rekey.resource_manager import Answer, ResourceManager, granting
from rekey.secret_value import SecretValue

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rekey.clients import Clients

TYPE = "Microsoft.Web/sites"
API = "2023-12-01"
ROLE = "Website Contributor"
_REFERENCES = "/config/configreferences/appsettings"


class AppSettings:
    """All settings of a site, in memory only: any of them may be a secret, so that names are all that is shown."""

    __slots__ = ("__values",)

    def __init__(self, values: "Mapping[str, str]") -> None:
        self.__values = dict(values)

    def __repr__(self) -> str:
        return f"AppSettings({sorted(self.__values)})"

    def __contains__(self, name: str) -> bool:
        return name in self.__values

    def spelled(self, name: str) -> str:
        """Return how a setting of that name is written, "" if there is none in any case."""
        return next((known for known in self.__values if known.lower() == name.lower()), "")

    def holds(self, name: str, value: SecretValue) -> bool:
        """Tell whether that setting has that value."""
        return self.__values.get(name) == value.reveal()

    def is_reference(self, name: str) -> bool:
        """Tell whether that setting is a Key Vault reference."""
        return self.__values[name].lower().lstrip().startswith("@microsoft.keyvault(")

    def but(self, name: str, value: SecretValue) -> Self:
        """Return these settings with another value of that one."""
        return type(self)({**self.__values, name: value.reveal()})

    def differing(self, other: "AppSettings") -> list[str]:
        """Return the names of the settings that are not the same in both."""
        theirs = other.reveal()
        return sorted(n for n in self.__values.keys() | theirs.keys() if self.__values.get(n) != theirs.get(n))

    def reveal(self) -> dict[str, str]:
        """Return names and values, for the request that writes them back."""
        return dict(self.__values)


class Site:
    """One site, or one slot of it, by its ARM id."""

    def __init__(self, clients: "Clients", arm_id: str) -> None:
        self._arm = ResourceManager(clients)
        self.arm_id = arm_id

    async def described(self) -> dict[str, Any] | None:
        """Return the site without its settings, None if there is no such site."""
        return await self._found("")

    async def settings(self) -> AppSettings:
        """Return all its settings."""
        path = f"{self.arm_id}/config/appsettings/list"
        return _settings(await self._arm.write("POST", path, API, role=ROLE), path)

    async def replace(self, settings: AppSettings) -> None:
        """Put these settings in place of all there are: one that isn't among them is deleted."""
        body = {"properties": settings.reveal()}
        await self._arm.write("PUT", f"{self.arm_id}/config/appsettings", API, body, role=ROLE)

    async def sticky(self) -> list[str]:
        """Return the names of the settings that stay with their slot at a swap."""
        site = self.arm_id.partition("/slots/")[0]
        answer = await self._arm.get(f"{site}/config/slotConfigNames", API, role=ROLE)
        names: list[str] = _properties(answer, site).get("appSettingNames") or []
        return names

    async def reference(self, name: str) -> dict[str, Any] | None:
        """Return what App Service says of a setting's Key Vault reference, None if the setting isn't one."""
        found = await self._found(f"{_REFERENCES}/{name}")
        return None if found is None else found.get("properties") or {}

    async def refresh(self) -> None:
        """Have all Key Vault references of the site read again now instead of within a day."""
        await self._arm.write("POST", f"{self.arm_id}{_REFERENCES}/refresh", API, role=ROLE)

    async def require_rights(self, rights: "Sequence[str]") -> None:
        """Raise PermanentError unless the app's identity has these rights below the site, such as `config/write`."""
        kind = f"{TYPE}/slots" if "/slots/" in self.arm_id else TYPE
        missing = await self._arm.may(self.arm_id, [f"{kind}/{one}" for one in rights], role=ROLE)
        if missing:
            raise PermanentError(
                "not-allowed",
                f"the app's identity lacks {', '.join(missing)} on {self.arm_id}",
                granting(ROLE, self.arm_id),
            )

    async def _found(self, below: str) -> dict[str, Any] | None:
        try:
            answer = await self._arm.get(self.arm_id + below, API, role=ROLE)
        except PermanentError as error:
            if error.code == "not-found":
                return None
            raise
        if not isinstance(answer.body, dict):
            raise _malformed(self.arm_id)
        return answer.body


def _settings(answer: Answer, where: str) -> AppSettings:
    values = _properties(answer, where)
    if not all(isinstance(value, str) for value in values.values()):
        raise _malformed(where)
    return AppSettings(values)


def _properties(answer: Answer, where: str) -> dict[str, Any]:
    """Return an answer's properties: without any, nothing may be written back."""
    properties = answer.body.get("properties") if isinstance(answer.body, dict) else None
    if not isinstance(properties, dict):
        raise _malformed(where)
    return properties


def _malformed(where: str) -> NotYetError:
    return NotYetError("malformed-answer", f"Azure Resource Manager, {where}: the answer isn't what was asked for")
