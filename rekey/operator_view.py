"""What operators are shown of rotations: the JSON of the operator API, apart from how it travels.

Nothing here holds a management URL of the durable engine: whoever has one can terminate, raise and purge.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from rekey import decisions, names
from rekey.operator_requests import RefusedError
from rekey.starting import BUSY

if TYPE_CHECKING:
    from rekey.records import Record, Summary

ROTATIONS = "/api/rotations"
INSTANCE_ID = re.compile(r"rotate\.[a-z0-9-]+\.[a-z0-9-]+")


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A durable instance without its input, output and addresses; `custom_status` is as the orchestrator wrote it."""

    id: str
    runtime_status: str
    custom_status: Any
    created: datetime
    last_updated: datetime

    @classmethod
    def of(cls, state: Any) -> "Instance":
        """Return what may be shown of durabletask's OrchestrationState, with the portal's words for its status."""
        return cls(
            id=state.instance_id,
            runtime_status=_status(state.runtime_status.name),
            custom_status=_custom_status(state),
            created=_utc(state.created_at),
            last_updated=_utc(state.last_updated_at),
        )

    @property
    def is_busy(self) -> bool:
        """Tell whether it is running, pending or suspended."""
        return self.runtime_status in {_status(name) for name in BUSY}

    @property
    def rotation_id(self) -> str:
        """Return the rotation, or the federation, that this instance is, or was, walking; "" if it hasn't said so."""
        status = self.custom_status if isinstance(self.custom_status, dict) else {}
        said = status.get("rotation_id") or status.get("federation_id")
        return said if isinstance(said, str) and names.ROTATION_ID.fullmatch(said) else ""


def unknown(wanted: str) -> RefusedError:
    """Return the answer to an id that nothing is known of."""
    expected = "a rotation's id (a GUID), or an instance id such as rotate.<vault>.<secret>"
    return RefusedError(404, "unknown-rotation", f"id: got {wanted[:200]!r}, expected {expected}", "id")


def started(instance: str, *, just_now: bool) -> dict[str, Any]:
    """Return what became of a request; not `started` means that a rotation of this secret is on its way already."""
    return {
        "instance": instance,
        "started": just_now,
        "rotation": f"{ROTATIONS}/{instance}",
        "rotations": f"{ROTATIONS}?state=open",
    }


def instances_of(summaries: Iterable["Summary"]) -> list[str]:
    """Return the instances that may be walking the open ones of these rotations, each once."""
    return list(dict.fromkeys(_instance_id(summary) for summary in summaries if summary.state == "open"))


def listing(summaries: Iterable["Summary"], instances: Mapping[str, Instance | None]) -> dict[str, Any]:
    """Return the rotations, each with its instance; `null` for an open one means that nothing drives it."""
    return {"rotations": [_listed(summary, instances.get(_instance_id(summary))) for summary in summaries]}


def rotation(record: "Record | None", instance: Instance | None) -> dict[str, Any]:
    """Return one rotation in full; an instance that walks another rotation by now is left out."""
    shown = record is None or (instance is not None and instance.rotation_id == record.rotation_id)
    return {
        "record": _in_full(record) if record else None,
        "instance": msgspec.to_builtins(instance) if shown else None,
        "acknowledgements": msgspec.to_builtins(decisions.acknowledgements(record)) if record else [],
    }


def decided(
    record: "Record", consumer: str, standing: Iterable[decisions.Acknowledgement], *, heard: bool
) -> dict[str, Any]:
    """Return what became of an acknowledgement: who gave it first and when, and who is waited for yet."""
    standing = list(standing)
    taken: dict[str, Any] = msgspec.to_builtins(next(one for one in standing if one.consumer == consumer))
    return {
        "rotation_id": record.rotation_id,
        "vault": record.vault,
        "secret": record.secret,
        "decision": "acknowledge",
        **taken,
        "waiting_for": [one.consumer for one in standing if one.by is None],
        "heard": heard,
    }


def _in_full(record: "Record") -> dict[str, Any]:
    """Return every field: stored, a record leaves out what is as it was at first, such as its state."""
    return {field: msgspec.to_builtins(getattr(record, field)) for field in record.__struct_fields__}


def _listed(summary: "Summary", instance: Instance | None) -> dict[str, Any]:
    same = instance is not None and instance.rotation_id == summary.rotation_id
    listed: dict[str, Any] = msgspec.to_builtins(summary)
    return {**listed, "instance": msgspec.to_builtins(instance) if same else None}


def _instance_id(summary: "Summary") -> str:
    return names.instance_id(summary.vault, summary.secret)


def _status(name: str) -> str:
    """Return the portal's word for a status of durabletask's."""
    return name.title().replace("_", "")


def _custom_status(state: Any) -> Any:
    try:
        return state.get_custom_status()
    except ValueError:  # not JSON: written by something else
        return None


def _utc(moment: datetime) -> datetime:
    # durabletask gives protobuf's ToDatetime(): UTC, and without saying so.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
