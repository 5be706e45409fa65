"""Turns what the operator API's work returns or raises into an HTTP answer, JSON in any case."""

from collections.abc import Awaitable
from typing import Any

import azure.functions as func
import msgspec

from rekey.errors import InputError, NotYetError, RekeyError
from rekey.operator_requests import RefusedError, problem

CALLER = "X-MS-CLIENT-PRINCIPAL-NAME"
"""Set by App Service for who signed in; without its authentication anybody may send it, so it proves nothing."""
PAUSE = 5
"""Seconds to Retry-After if the service didn't name any."""

type Answer = tuple[int, dict[str, Any]]
"""Status and body."""


async def answered(work: Awaitable[Answer]) -> func.HttpResponse:
    """Return the answer: 400 for what the caller is to change, 503 for what passes, 500 for what is to be repaired."""
    headers: dict[str, str] = {}
    try:
        status, body = await work
    except RefusedError as refused:
        status, body = refused.status, refused.body
    except InputError as error:
        status, body = 400, problem(error.code, error.message, error.field)
    except NotYetError as error:
        status, body = 503, problem(error.code, error.message)
        headers["Retry-After"] = str(round(error.seconds or PAUSE))
    except RekeyError as error:
        status, body = 500, problem(error.code, f"{error.message}. {error.what_to_do}".strip())
    return func.HttpResponse(
        msgspec.json.encode(body), status_code=status, mimetype="application/json", headers=headers
    )
