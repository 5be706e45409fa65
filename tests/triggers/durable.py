"""Knows how a trigger's function is called in a test: without a host, on a durable engine that runs nothing."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from azure.durable_functions import Blueprint
from durabletask.client import OrchestrationState, OrchestrationStatus

MOMENT = datetime(2030, 1, 1, 12)  # noqa: DTZ001 - durabletask gives UTC without saying so


def functions(blueprint: Blueprint) -> dict[str, Any]:
    """Return the blueprint's functions by name, those aside that every durable blueprint has."""
    built = [(function.get_function_name() or "", function) for function in map(_build, blueprint._function_builders)]
    return {name: function for name, function in built if not name.startswith("BuiltIn")}


def _build(builder: Any) -> Any:
    return builder.build()


def body_of(blueprint: Blueprint, name: str) -> Callable[..., Awaitable[Any]]:
    """Return what the author wrote: the host's wrapper would insist on a real client."""
    written: Callable[..., Awaitable[Any]] = functions(blueprint)[name].get_user_function().client_function
    return written


@dataclass
class FakeDurable:
    """Keeps instances as they are put in, and what was started, with its input."""

    instances: dict[str, OrchestrationState] = field(default_factory=dict)
    started: dict[str, Any] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Instance ids whose start fails, and that can't be told anything."""
    raised: list[tuple[str, str, Any]] = field(default_factory=list)
    """Events: instance id, name, data."""

    async def get_orchestration_state(
        self, instance_id: str, *, fetch_payloads: bool = True
    ) -> OrchestrationState | None:
        """Return the instance."""
        del fetch_payloads
        return self.instances.get(instance_id)

    async def schedule_new_orchestration(self, orchestrator: str, *, input: Any, instance_id: str) -> str:  # noqa: A002
        """Start an instance; fail if there is one already that runs, as the engine does."""
        if instance_id in self.broken:
            raise ConnectionError("the engine is away")
        if instance_id in self.instances and self.instances[instance_id].runtime_status.name == "RUNNING":
            raise RuntimeError("an instance of this id is running")
        self.started[instance_id] = input
        self.put(instance_id, name=orchestrator)
        return instance_id

    async def raise_orchestration_event(self, instance_id: str, event_name: str, *, data: Any = None) -> None:
        """Raise an event for an instance that is there."""
        if instance_id in self.broken or instance_id not in self.instances:
            raise ConnectionError("the engine is away")
        self.raised.append((instance_id, event_name, data))

    def put(
        self, instance_id: str, status: str = "RUNNING", custom_status: Any = None, name: str = "rotate_secret"
    ) -> None:
        """Put an instance in as it stands; input and output hold what nobody may be shown."""
        hidden = json.dumps("https://app.example/runtime/webhooks/durabletask?code=hidden&sig=hidden")
        self.instances[instance_id] = OrchestrationState(
            instance_id=instance_id,
            name=name,
            runtime_status=OrchestrationStatus[status],
            created_at=MOMENT,
            last_updated_at=MOMENT,
            serialized_input=hidden,
            serialized_output=hidden,
            serialized_custom_status=None if custom_status is None else json.dumps(custom_status),
            failure_details=None,
        )
