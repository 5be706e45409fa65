"""Knows what `GET /_sim/state` tells of Azure Resource Manager, as far as somebody judges it."""

from typing import Any

import msgspec


class Key(msgspec.Struct, frozen=True):
    """A key of a storage account; creation time as the service writes it, None where it tells none."""

    value: str
    creation_time: str | None


class StorageAccount(msgspec.Struct, frozen=True):
    """A storage account; `regenerations` counts those of both keys."""

    keys: dict[str, Key]
    regenerations: int


class Site(msgspec.Struct, frozen=True):
    """A site of App Service: its settings, and what the app itself gets of them."""

    settings: dict[str, str]
    environment: dict[str, str]
    slots: dict[str, "Site"] = {}


class Workflow(msgspec.Struct, frozen=True):
    """A Consumption workflow, secure values included."""

    document: dict[str, Any]

    def value(self, parameter: str) -> Any:
        """Return what was given for a parameter."""
        return self.document["properties"]["parameters"][parameter]["value"]

    def secret_values(self) -> set[str]:
        """Return the values of secure string parameters."""
        declared = self.document["properties"]["definition"].get("parameters", {})
        secure = [name for name, one in declared.items() if one["type"].lower() == "securestring"]
        return {self.value(name) for name in secure}


class ResourceManager(msgspec.Struct, frozen=True):
    """Storage accounts by name; sites and workflows by ARM id."""

    storage: dict[str, StorageAccount] = msgspec.field(default_factory=dict, name="Microsoft.Storage")
    sites: dict[str, Site] = msgspec.field(default_factory=dict, name="Microsoft.Web")
    workflows: dict[str, Workflow] = msgspec.field(default_factory=dict, name="Microsoft.Logic")

    def secret_values(self) -> set[str]:
        """Return the values of keys and of workflows' secure parameters."""
        keys = {key.value for account in self.storage.values() for key in account.keys.values()}
        return keys | {value for workflow in self.workflows.values() for value in workflow.secret_values()}
