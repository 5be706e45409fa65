"""Knows what a site of the simulated App Service holds: settings, slots, and what its Key Vault references came to.

References are read again a day after they were read last, at any change of the configuration, and when asked for.
Source: https://learn.microsoft.com/azure/app-service/app-service-key-vault-references#understand-rotation.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from local.azure.arm_web_references import Resolved, is_reference, resolve
from local.azure.directory import Identity

if TYPE_CHECKING:
    from local.azure.cloud import Cloud

TYPE = "Microsoft.Web/sites"
REFETCHED_AFTER = timedelta(hours=24)


@dataclass
class Site:
    """One site, or one of its slots; `slot` is "" for the site itself, which alone has `slots` and `sticky` names."""

    cloud: "Cloud"
    subscription: str
    group: str
    name: str
    slot: str
    kind: str
    location: str
    settings: dict[str, str]
    identity: Identity | None
    tells_version: bool = True
    refresh_takes: timedelta = timedelta()
    sticky: list[str] = field(default_factory=list)
    slots: "dict[str, Site]" = field(default_factory=dict)
    restarts: int = 0
    _read_at: datetime | None = None
    _due: datetime | None = None
    _references: dict[str, Resolved] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """The ARM id."""
        site = f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/{TYPE}/{self.name}"
        return f"{site}/slots/{self.slot}" if self.slot else site

    def replace(self, settings: dict[str, str]) -> None:
        """Take these settings in place of all there were; a change restarts the site and reads its references again."""
        if settings != self.settings:
            self.settings = settings
            self.restarts += 1
            self._read_references()

    def refresh(self) -> None:
        """Begin to read the references again."""
        self.references()
        self._due = self.cloud.clock.now() + self.refresh_takes

    def references(self) -> dict[str, Resolved]:
        """Return what the references came to when they were read last, by setting; reads them if that is due."""
        now = self.cloud.clock.now()
        if self._read_at is None or now - self._read_at >= REFETCHED_AFTER or (self._due and now >= self._due):
            self._read_references()
        return self._references

    def environment(self) -> dict[str, str]:
        """Return what the app itself gets."""
        resolved = self.references()
        return {n: (resolved[n].value if n in resolved and resolved[n].value else v) for n, v in self.settings.items()}

    def told(self) -> dict[str, Any]:
        """Return everything, values included."""
        return {
            "kind": self.kind,
            "settings": self.settings,
            "environment": self.environment(),
            "references": {n: {"status": r.status, "version": r.active} for n, r in self.references().items()},
            "sticky": self.sticky,
            "restarts": self.restarts,
            "slots": {name: slot.told() for name, slot in self.slots.items()},
        }

    def _read_references(self) -> None:
        self._read_at, self._due = self.cloud.clock.now(), None
        self._references = {
            name: resolve(self.cloud, value, self.identity)
            for name, value in self.settings.items()
            if is_reference(value)
        }
