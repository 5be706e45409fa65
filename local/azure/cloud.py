"""Knows which services one simulated Azure has, under which names they answer, and whom it lets in."""

import secrets
import uuid
from collections.abc import Collection
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from local.azure.clock import Clock
from local.azure.directory import Directory
from local.azure.switches import Switches
from local.azure.tokens import Tokens
from local.azure.wire import Caller, Service

if TYPE_CHECKING:
    from local.azure.arm import ResourceManager
    from local.azure.arm_storage import StorageAccounts
    from local.azure.azuredevops import AzureDevOps
    from local.azure.eventgrid import EventGrid
    from local.azure.keyvault import KeyVault
    from local.azure.keyvault_audit import AuditLogs

_PASSWORD_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789~._-"  # noqa: S105 - an alphabet
_PASSWORD_LENGTH = 40
_MINIMUM_RANDOM = 24
_PASSWORD_LIMIT = 64


class Cloud:
    """One simulated Azure; everything it knows hangs on this object, so that several can live in one process."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.clock = Clock()
        self.switches = Switches()
        self.canary = ""
        self.tenant = str(uuid.uuid4())
        self.directory = Directory(self.clock, self.new_secret)
        self.services: dict[str, Service] = {}
        self.tokens = Tokens(self.clock, self.url("login"))

    def add(self, service: Service) -> None:
        """Put a service on the air under its name."""
        self.services[service.name] = service

    def url(self, host_label: str) -> str:
        """Return the origin of a virtual host: `graph`, `demo-kv.vault`; no trailing slash."""
        return f"https://{host_label}.localhost:{self.port}"

    def new_secret(self) -> str:
        """Return a fresh password: the canary, then random characters of Entra's alphabet; 40 to 64 in all."""
        length = max(_PASSWORD_LENGTH - len(self.canary), _MINIMUM_RANDOM)
        return self.canary + "".join(secrets.choice(_PASSWORD_ALPHABET) for _ in range(length))

    def set_canary(self, canary: str) -> None:
        """Set what every password and secret made from now on starts with; ValueError when it doesn't fit one."""
        if len(canary) > _PASSWORD_LIMIT - _MINIMUM_RANDOM or not set(canary) <= set(_PASSWORD_ALPHABET):
            raise ValueError(f"canary: got {canary!r}, expected at most 40 characters of A-Z a-z 0-9 ~ . _ -")
        self.canary = canary

    def authenticate(self, request: Request, audiences: Collection[str]) -> Caller:
        """Return who calls, by the bearer token; ValueError with the reason when that is not acceptable."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ValueError("there is no bearer token")
        return self.tokens.caller(token.strip(), audiences, self.tenant)

    @property
    def keyvault(self) -> "KeyVault":
        """The simulated Key Vault."""
        return cast("KeyVault", self.services["keyvault"])

    @property
    def eventgrid(self) -> "EventGrid":
        """The simulated Event Grid."""
        return cast("EventGrid", self.services["eventgrid"])

    @property
    def audit(self) -> "AuditLogs":
        """What writes the simulated vaults' audit logs."""
        return cast("AuditLogs", self.services["audit"])

    @property
    def azuredevops(self) -> "AzureDevOps":
        """The simulated Azure DevOps."""
        return cast("AzureDevOps", self.services["azuredevops"])

    @property
    def storage_accounts(self) -> "StorageAccounts":
        """The simulated storage accounts, which belong to Azure Resource Manager."""
        return cast("StorageAccounts", cast("ResourceManager", self.services["arm"]).providers["Microsoft.Storage"])
