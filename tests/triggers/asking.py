"""Knows how the tests of the operator API ask it: each function called as the host would, its answer taken apart."""

import json
from typing import Any

import azure.functions as func
from azure.durable_functions import Blueprint

from tests.triggers.durable import FakeDurable, functions

NEVER_SHOWN = ("runtime/webhooks", "code=", "sig=", "hidden")


async def call(
    blueprint: Blueprint,
    function: str,
    body: object = None,
    *,
    durable: FakeDurable | None = None,
    headers: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    wanted: str = "",
    decision: str = "",
    route: dict[str, str] | None = None,
) -> func.HttpResponse:
    """Call a function as the host would; in what it answers there is never a management URL."""
    request = func.HttpRequest(
        method="POST" if body is not None else "GET",
        url="https://app.example/api/rotations",
        headers=headers or {},
        params=query or {},
        route_params=route or {"id": wanted, "decision": decision},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )
    written = functions(blueprint)[function].get_user_function()
    answer = written.client_function(request, durable) if durable is not None else written(request)
    response: func.HttpResponse = await answer
    text = response.get_body().decode().lower()
    assert not [needle for needle in NEVER_SHOWN if needle in text]
    assert response.mimetype == "application/json"
    return response


async def ask(blueprint: Blueprint, function: str, body: object = None, **options: Any) -> tuple[int, Any]:
    """Call a function; return status and JSON."""
    response = await call(blueprint, function, body, **options)
    return response.status_code, json.loads(response.get_body())
