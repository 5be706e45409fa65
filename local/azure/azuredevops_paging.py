"""Knows how Azure DevOps hands out long lists: `$top`, `$skip`, and a token in a header while there is more.

A token says how many came before, as `continuationToken` of projects is documented; of other lists clients can't tell.
"""

from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from local.azure import azuredevops_errors as errors
from local.azure.azuredevops_call import Call

_MOST = 10_000
HEADER = "x-ms-continuationtoken"


def paged(call: Call, items: Sequence[Any], *, most: int = _MOST, top: str = "$top") -> Response:
    """Return the page that a request asks for, of at most `most` items; its parameter `top` may ask for fewer."""
    start = _number(call, "$skip", 0) + _number(call, "continuationToken", 0)
    ends = start + min(_number(call, top, most) or most, most)
    headers = {HEADER: str(ends)} if ends < len(items) else {}
    return JSONResponse(errors.listed(list(items[start:ends])), headers=headers)


def _number(call: Call, name: str, default: int) -> int:
    given = call.request.query_params.get(name)
    if not given:
        return default
    if not given.isdigit():
        raise errors.invalid(
            f"The value '{given}' of the parameter '{name}' is not valid: a number from 0 is expected."
        )
    return int(given)
