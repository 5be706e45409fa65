"""What operators are shown of federations: the JSON of the operator API, apart from how it travels.

Nothing here holds a management URL of the durable engine, and no secret: a record has names and ids alone.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from rekey.federation import deciding
from rekey.federation.records import OPEN, FederationRecord
from rekey.model.federation import FederationDecisionKind
from rekey.operator_requests import RefusedError
from rekey.operator_view import Instance

FEDERATIONS = "/api/federations"
INSTANCE_ID = re.compile(r"federate(?:\.[a-z0-9_-]+){1,3}")
_LISTED = ("organization", "project", "connection", "new_name", "mode", "target", "requested_by")


def unknown(wanted: str) -> RefusedError:
    """Return the answer to an id that nothing is known of."""
    expected = "a federation's id (a GUID), or an instance id, federate.<organization>.<project>.<connection>"
    return RefusedError(404, "unknown-federation", f"id: got {wanted[:200]!r}, expected {expected}", "id")


def started(instance: str, *, just_now: bool) -> dict[str, Any]:
    """Return what became of a request; not `started` means that the connection is being dealt with already."""
    return {
        "instance": instance,
        "started": just_now,
        "federation": f"{FEDERATIONS}/{instance}",
        "federations": f"{FEDERATIONS}?state=open",
    }


def instances_of(records: Iterable[FederationRecord]) -> list[str]:
    """Return the instances that may be at work on the open ones, each once."""
    return list(dict.fromkeys(record.federation.instance for record in records if record.state == OPEN))


def listing(records: Iterable[FederationRecord], instances: Mapping[str, Instance | None]) -> dict[str, Any]:
    """Return the federations, each with its instance; `null` for an open one means that nothing drives it."""
    return {"federations": [_listed(one, instances.get(one.federation.instance)) for one in records]}


def federation(record: FederationRecord | None, instance: Instance | None) -> dict[str, Any]:
    """Return one federation in full, with what can be decided now; an instance that walks another one is left out."""
    shown = record is None or walks(record, instance)
    return {
        "record": _in_full(record) if record else None,
        "instance": msgspec.to_builtins(instance) if shown else None,
        "open_to": deciding.open_to(record, datetime.now(UTC)) if record else [],
    }


def walks(record: FederationRecord, instance: Instance | None) -> bool:
    """Tell whether an instance walks the federation of that record, or may do so: it hasn't said yet which one."""
    return record.state == OPEN and instance is not None and instance.rotation_id in {"", record.federation.id}


def decided(record: FederationRecord, kind: FederationDecisionKind, *, heard: bool) -> dict[str, Any]:
    """Return what became of a decision: who took it first and when, and whether the instance was told at once."""
    taken = deciding.standing(record, kind)
    walk = record.federation
    return {
        "id": walk.id,
        "organization": walk.organization,
        "project": walk.project,
        "connection": walk.connection or walk.new_name,
        "role": walk.role,
        "scope": walk.scope,
        "identity": walk.identity,
        "decision": kind,
        "by": taken.by if taken else None,
        "at": taken.at.isoformat() if taken else None,
        "heard": heard,
    }


def _in_full(record: FederationRecord) -> dict[str, Any]:
    """Return every field: stored, a record leaves out what is as it was at first, such as its state."""
    return {field: msgspec.to_builtins(getattr(record, field)) for field in record.__struct_fields__}


def _listed(record: FederationRecord, instance: Instance | None) -> dict[str, Any]:
    known = {field: getattr(record.federation, field) for field in _LISTED}
    dates = {"opened": record.opened, "closed": record.closed}
    ids = {"id": record.federation.id, "instance_id": record.federation.instance}
    running = instance if walks(record, instance) else None
    told = {**ids, **known, "state": record.state, "result": record.result, **dates, "instance": running}
    listed: dict[str, Any] = msgspec.to_builtins(told)
    return listed
