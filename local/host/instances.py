"""An orchestration instance in JSON: as the durable HTTP API shows it, and everything the engine stores of it."""

import json
from collections.abc import Iterable
from typing import Any

from durabletask.internal import orchestrator_service_pb2 as pb
from durabletask.testing.in_memory_backend import EntityState, OrchestrationInstance
from google.protobuf import json_format  # type: ignore[import-untyped]

STATUS = {
    pb.ORCHESTRATION_STATUS_RUNNING: "Running",
    pb.ORCHESTRATION_STATUS_COMPLETED: "Completed",
    pb.ORCHESTRATION_STATUS_CONTINUED_AS_NEW: "ContinuedAsNew",
    pb.ORCHESTRATION_STATUS_FAILED: "Failed",
    pb.ORCHESTRATION_STATUS_CANCELED: "Canceled",
    pb.ORCHESTRATION_STATUS_TERMINATED: "Terminated",
    pb.ORCHESTRATION_STATUS_PENDING: "Pending",
    pb.ORCHESTRATION_STATUS_SUSPENDED: "Suspended",
}
# What of an event the API's history shows beside name and time.
_INPUT, _RESULT = "input", "result"


def state_payload(state: pb.OrchestrationState, *, show_input: bool) -> dict[str, Any]:
    """Return what the status queries answer; a failed instance's output is its message."""
    output = _parsed(state.output.value) if state.HasField("output") else None
    if output is None and state.HasField("failureDetails"):
        output = state.failureDetails.errorMessage
    return {
        "name": state.name,
        "instanceId": state.instanceId,
        "runtimeStatus": STATUS[state.orchestrationStatus],
        "input": _parsed(state.input.value) if show_input and state.HasField("input") else None,
        "customStatus": _parsed(state.customStatus.value) if state.HasField("customStatus") else None,
        "output": output,
        "createdTime": _second(state.createdTimestamp),
        "lastUpdatedTime": _second(state.lastUpdatedTimestamp),
    }


def history_payload(events: Iterable[pb.HistoryEvent], *, show_output: bool) -> list[dict[str, Any]]:
    """Return the history, one object an event; results only if asked for, inputs never."""
    shown = []
    for event in events:
        kind = event.WhichOneof("eventType") or ""
        body = json_format.MessageToDict(getattr(event, kind))
        entry = {"EventType": kind[:1].upper() + kind[1:]}
        entry |= {key: body[key] for key in ("name", "taskScheduledId", "timerId", "fireAt") if key in body}
        if show_output and _RESULT in body:
            entry[_RESULT] = _parsed(body[_RESULT])
        shown.append(entry)
    return shown


def dump(instances: Iterable[OrchestrationInstance], entities: Iterable[EntityState]) -> dict[str, Any]:
    """Return all that is stored, every string as it is: what a reader of the task hub could see."""
    return {
        "instances": [_instance(instance) for instance in instances],
        "entities": [
            {
                "id": entity.instance_id,
                "state": entity.serialized_state,
                "operations": _events([*entity.dispatched_operations, *entity.pending_operations]),
            }
            for entity in entities
        ],
    }


def _instance(instance: OrchestrationInstance) -> dict[str, Any]:
    details = instance.failure_details
    return {
        "id": instance.instance_id,
        "name": instance.name,
        "version": instance.version,
        "status": STATUS[instance.status],
        "input": instance.input,
        "output": instance.output,
        "customStatus": instance.custom_status,
        "failureDetails": json_format.MessageToDict(details) if details is not None else None,
        "tags": instance.tags,
        "history": _events(instance.history),
        "undelivered": _events([*instance.dispatched_events, *instance.pending_events]),
    }


def _events(events: Iterable[pb.HistoryEvent]) -> list[dict[str, Any]]:
    return [json_format.MessageToDict(event) for event in events]


def _parsed(text: str) -> Any:
    """Payloads are JSON, but a reason or a failure may be plain text."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def _second(timestamp: Any) -> str:
    return f"{timestamp.ToDatetime():%Y-%m-%dT%H:%M:%SZ}"
