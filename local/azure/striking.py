"""Knows what each kind of fault does to a request that it strikes, and to connections."""

import asyncio

from starlette.responses import Response
from starlette.types import ASGIApp

from local.azure.exchange import Exchange
from local.azure.fault_request import EVERYTHING, Malformed, Reset, When
from local.azure.faults import Fault, Faults
from local.azure.gate import Connections
from local.azure.replicas import Replicas
from local.azure.spoiled import refusal, spoiled
from local.azure.wire import Answering

_DELIVERY = 0.05
"""Seconds that half a body gets to reach its client: what is still under way when a reset comes is lost."""


class Striking:
    """The faults at work."""

    def __init__(self, faults: Faults, replicas: Replicas, connections: Connections) -> None:
        self.faults = faults
        self.replicas = replicas
        self._connections = connections
        faults.on_arming.append(self._armed)

    def _armed(self, fault: Fault) -> None:
        wanted = fault.request
        if wanted.stale is not None:
            self.replicas.remember(wanted.service)
        if wanted.refuse and wanted.service != EVERYTHING:
            self._connections.reset_used_for(wanted.service)

    def clear(self) -> None:
        """Disarm every fault."""
        self.faults.clear()
        self.replicas.forget()

    async def answered(self, service: Answering, app: ASGIApp, exchange: Exchange) -> Response | None:
        """Return the answer to a request; None when its client gets none."""
        scope = exchange.scope
        self._connections.used(scope, service.name)
        fault = self.faults.strike(service.name, scope["method"], scope["path"])
        if scope["method"] not in {"GET", "HEAD"}:
            self.replicas.before_change()
        if fault is None:
            return await exchange.process(app)
        if (seconds := fault.request.stale) is not None:
            return await exchange.process(self.replicas.as_of(service.name, seconds) or app)
        return await self._struck(fault, service, app, exchange)

    async def _struck(self, fault: Fault, service: Answering, app: ASGIApp, exchange: Exchange) -> Response | None:
        wanted = fault.request
        early = wanted.when is When.BEFORE
        lost = None if early else await exchange.process(app)
        match wanted.kind:
            case "status":
                return refusal(wanted, service)
            case "malformed":
                return spoiled(Malformed(wanted.malformed or ""), lost)
            case "reset":
                await self._reset(wanted.reset, lost, exchange)
                return None
            case "timeout":
                await self._never(fault, exchange)
                return None
            case "delay":
                await asyncio.sleep(fault.wait())
            case _:
                if not await _released(fault, exchange) and early:
                    return None
        return lost or await exchange.process(app)

    async def _never(self, fault: Fault, exchange: Exchange) -> None:
        if await _released(fault, exchange):
            self._connections.reset(exchange.scope)

    async def _reset(self, where: Reset | None, lost: Response | None, exchange: Exchange) -> None:
        if where is Reset.BODY and lost is not None and lost.body:
            await exchange.send(lost, half=True)
            await asyncio.sleep(_DELIVERY)
        self._connections.reset(exchange.scope)
        await exchange.gone()


async def _released(fault: Fault, exchange: Exchange) -> bool:
    """Wait until a held request is let go; False when its client went first."""
    waits = [asyncio.ensure_future(fault.released.wait()), asyncio.ensure_future(exchange.gone())]
    fault.held += 1
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        return fault.released.is_set()
    finally:
        fault.held -= 1
        for wait in waits:
            wait.cancel()
