"""What the host knows of an indexed function: its name and its bindings."""

from collections.abc import Mapping
from typing import Any

import msgspec
from azure.functions.decorators.core import BindingDirection

# Trigger types of the durable extension, and the property that gives a function another name than its own.
DURABLE_TRIGGERS = {
    "orchestrationTrigger": "orchestration",
    "activityTrigger": "activity",
    "entityTrigger": "entityName",
}


class FunctionInfo(msgspec.Struct, frozen=True):
    """An indexed function; `bindings` are function.json's binding objects, the trigger among them."""

    name: str
    bindings: list[dict[str, Any]]
    disabled: bool = False
    """Nothing fires it; by hand it runs all the same, as in the real host."""

    @property
    def trigger(self) -> Mapping[str, Any]:
        """The trigger's binding; every indexed function has exactly one."""
        return next(binding for binding in self.bindings if str(binding["type"]).endswith("Trigger"))

    @property
    def unsupported(self) -> list[dict[str, Any]]:
        """The output bindings that this host ignores: all but the HTTP response."""
        out = BindingDirection.OUT.value
        return [b for b in self.bindings if b.get("direction") == out and b["type"] != "http"]


def durable_names(functions: Mapping[str, FunctionInfo], trigger_type: str) -> dict[str, str]:
    """Return the durable names (lower case: they are matched so) of one trigger type, and the functions' names."""
    return {
        str(info.trigger.get(DURABLE_TRIGGERS[trigger_type]) or name).lower(): name
        for name, info in functions.items()
        if info.trigger["type"] == trigger_type and not info.disabled
    }


def is_disabled(name: str, environment: Mapping[str, str]) -> bool:
    """Whether AzureWebJobs.<name>.Disabled is true or 1; names are compared without case, `__` may stand for a dot."""
    wanted = f"azurewebjobs.{name}.disabled".lower()
    settings = {key.lower(): value for key, value in environment.items()}
    value = settings.get(wanted) or settings.get(wanted.replace(".", "__")) or ""
    return value.lower() in {"1", "true"}
