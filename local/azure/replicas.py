"""Knows what the services held a while ago, so that a stale read is answered as a replica that lags behind would."""

import copy
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from starlette.types import ASGIApp

from local.azure.azuredevops import AzureDevOps
from local.azure.fault_request import OLDEST
from local.azure.graph import Graph
from local.azure.keyvault import KeyVault
from local.azure.wire import Service, service_app


@dataclass
class _Past:
    """A service as it was until `until` (monotonic seconds)."""

    until: float
    service: Service

    @cached_property
    def app(self) -> ASGIApp:
        return service_app(self.service)


class Replicas:
    """Remembers the services' states while stale reads are wanted: nothing before, nothing afterwards."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._services = {service.name: service for service in services if isinstance(service, _CAN_LAG)}
        self._past: dict[str, list[_Past]] = {}

    @property
    def services(self) -> list[str]:
        """The names of services that can be read as of a while ago."""
        return sorted(self._services)

    def remember(self, service: str) -> None:
        """Begin to remember a service's states."""
        self._past.setdefault(service, [])

    def forget(self) -> None:
        """Remember nothing any more."""
        self._past.clear()

    def before_change(self) -> None:
        """Remember the states as they are now: something is about to change."""
        now = time.monotonic()
        for name, past in self._past.items():
            self._past[name] = [one for one in past if one.until >= now - OLDEST]
            self._past[name].append(_Past(now, _frozen(self._services[name])))

    def as_of(self, service: str, seconds: float) -> ASGIApp | None:
        """Return what answers as the service did that long ago; None when nothing has changed since."""
        then = time.monotonic() - seconds
        past = self._past.get(service, [])
        return next((one.app for one in past if one.until >= then), None)


_CAN_LAG = (Graph, KeyVault, AzureDevOps)


def _frozen(service: Service) -> Service:
    """Return a service that goes on answering reads by what it holds now."""
    twin = copy.copy(service)
    match twin:
        case KeyVault():
            twin.vaults = copy.deepcopy(twin.vaults)
            now = time.monotonic()
            for vault in twin.vaults.values():
                vault.machine_time = lambda: now  # a deletion that is under way stands still
        case AzureDevOps():
            twin.organizations = copy.deepcopy(twin.organizations)
        case Graph():
            twin._cloud = copy.copy(twin._cloud)  # noqa: SLF001 - its only state is the directory that it finds there
            twin._cloud.directory = copy.copy(twin._cloud.directory)  # noqa: SLF001
            twin._cloud.directory.applications = copy.deepcopy(twin._cloud.directory.applications)  # noqa: SLF001
            twin._cloud.directory.identities = copy.deepcopy(twin._cloud.directory.identities)  # noqa: SLF001
    return twin
