"""Which instances a request of the durable HTTP API names by its query: for lists and for purging many at once."""

import math
from datetime import UTC, datetime

from durabletask.internal import orchestrator_service_pb2 as pb
from starlette.requests import Request

from local.host.instances import STATUS

_PAGE = 100


def list_query(request: Request) -> pb.InstanceQuery:
    """Return the query of a list; what can't be read is left out, as the real API does."""
    query = pb.InstanceQuery(
        runtimeStatus=_statuses(request), fetchInputsAndOutputs=True, maxInstanceCount=_page_size(request)
    )
    _set_times(request, query)
    if prefix := request.query_params.get("instanceIdPrefix"):
        query.instanceIdPrefix.value = prefix
    if token := request.headers.get("x-ms-continuation-token"):
        query.continuationToken.value = token
    return query


def purge_filter(request: Request) -> pb.PurgeInstanceFilter | None:
    """Return which instances to purge; None without the start of the time, which the real API demands."""
    if moment(request.query_params.get("createdTimeFrom")) is None:
        return None
    purge = pb.PurgeInstanceFilter(runtimeStatus=_statuses(request))
    purge.createdTimeTo.FromDatetime(datetime.now(UTC))
    _set_times(request, purge)
    return purge


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """Return a switch of the query; what is neither true nor false is the default."""
    given = {key.lower(): value.strip().lower() for key, value in request.query_params.items()}
    return {"true": True, "false": False}.get(given.get(name.lower(), ""), default)


def seconds(request: Request, name: str) -> float | None:
    """Return a time of the query, in seconds; None if there is none, or none that can be read."""
    try:
        value = float(request.query_params.get(name, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def moment(text: str | None) -> datetime | None:
    """Read a time, UTC unless it says otherwise; None if it isn't one."""
    try:
        read = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _statuses(request: Request) -> list[pb.OrchestrationStatus]:
    """Return the statuses named, in any number of lists; names with their capitals, unknown ones mean nothing."""
    names = {name.strip() for given in request.query_params.getlist("runtimeStatus") for name in given.split(",")}
    return [status for status, name in STATUS.items() if name in names]


def _page_size(request: Request) -> int:
    top = request.query_params.get("top", "")
    return int(top) if top.isdecimal() and int(top) else _PAGE


def _set_times(request: Request, query: pb.InstanceQuery | pb.PurgeInstanceFilter) -> None:
    for bound in ("createdTimeFrom", "createdTimeTo"):
        if (read := moment(request.query_params.get(bound))) is not None:
            getattr(query, bound).FromDatetime(read)
