"""Walks a federation in this process: real orchestrators on an engine with a clock of its own, real activities.

Days pass in no time, in the simulated Azure too. A process that dies is one whose request is never answered, whose
clients are gone and whose activity is run again from its start; one that dies with its work done is one whose result
nobody hears of.
"""

import asyncio
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, override

import activities
from orchestrators import federate_service_connection, vend_service_connection
from rekey import names
from rekey.clients import Clients
from rekey.federation import asked_here
from rekey.federation.records import FederationRecord
from rekey.model.federation import FederationDecision, FederationDecisionKind, Mode
from rekey.model.federation_request import FederationRequest, VendingRequest
from tests.core.company import Company
from tests.faults.federation_looks import Look
from tests.faults.federation_scenario import APPROVED_BY, FederationScenario
from tests.faults.walking import Request
from tests.orchestrators.engine import BEGIN, Activity, Engine, Instance
from tests.triggers.durable import functions

_ORCHESTRATORS = {
    name: functions(module.blueprint)[name].get_user_function().orchestrator_function
    for name, module in (
        (names.FEDERATE_SERVICE_CONNECTION, federate_service_connection),
        (names.VEND_SERVICE_CONNECTION, vend_service_connection),
    )
}
_PATIENCE = 60
"""Seconds of this machine that one activity may take."""
_LOOKS_EVERY = 0.02


class _InTime(Engine):
    """An engine whose time is that of the simulated Azure: what waits here lets it pass there."""

    def __init__(self, company: Company, activity: Callable[[str], Activity]) -> None:
        super().__init__(_ORCHESTRATORS, activity)
        self._clock = company.azure.cloud.clock
        self.now = self._clock.now()

    @override
    def _reached(self, at: datetime) -> datetime:
        self._clock.advance(max(at - self._clock.now(), timedelta()))
        return max(at, self.now)


@dataclass
class Walk:
    """One federation of a company."""

    company: Company
    loses_results: bool = False
    """Whether the result of every activity is lost once, the first time it runs."""
    dies_at: Request | None = None
    """The request whose answer never reaches the process, which dies with it."""
    reverts: bool = False
    """Whether somebody wants it reverted as soon as it is proven."""
    asked: list[str] = field(default_factory=list)
    """The activities that ran, in order, repetitions included."""
    wrong: list[str] = field(default_factory=list)
    """What pipelines could not use at some moment."""
    died: bool = False
    _armed: str = ""
    lost: str = ""
    """The fault that has an answer lost."""

    @property
    def scenario(self) -> FederationScenario:
        """What was seeded."""
        assert isinstance(self.company.scenario, FederationScenario)
        return self.company.scenario

    def look(self) -> Look:
        """Look at the company now."""
        services = self.company.azure.cloud.services
        return Look(self.scenario, {name: services[name].state() for name in ("azuredevops", "entra", "arm")})

    def told(self) -> list[str]:
        """Return which notices the mail service has, in order."""
        outbox = self.company.azure.cloud.services["email"].state()["outbox"]
        return [mail["subject"].removeprefix("[Rekey] ").partition(":")[0] for mail in outbox]

    async def run(self) -> Instance:
        """Walk to the end, with somebody watching the connections."""
        self._loop, self._steps = asyncio.get_running_loop(), _steps()
        await self.company.clients.storage_ready()
        await asked_here.keep(self.company.clients.container(), self._request())
        self.engine = _InTime(self.company, self._activity)
        watching = asyncio.create_task(self._watch())
        try:
            start = (self.scenario.orchestrator, self.scenario.instance, self.scenario.request)
            return await asyncio.to_thread(self.engine.run, *start)
        finally:
            watching.cancel()

    def _request(self) -> FederationRequest | VendingRequest:
        """Return what is asked for, as the operator API understands it."""
        parse = VendingRequest.parse if self.scenario.mode is Mode.VEND else FederationRequest.parse
        return parse(self.scenario.request)

    async def struck(self) -> bool:
        """Tell whether the process died, or the answer was lost, as it was to be."""
        return self.died or any(fault["hits"] for fault in await self._faults() if fault["id"] == self.lost)

    async def record(self) -> FederationRecord:
        """Return the only record there is."""
        (found,) = await self.company.desk.federations().all()
        return found

    async def _watch(self) -> None:
        while True:
            self.wrong += self.look().out()
            await asyncio.sleep(_LOOKS_EVERY)

    def _activity(self, name: str) -> Activity:
        def act(payload: Any, _now: datetime) -> Any:
            return asyncio.run_coroutine_threadsafe(self._acted(name, payload), self._loop).result(_PATIENCE)

        return act

    async def _acted(self, name: str, payload: Any) -> Any:
        first = name not in self.asked
        self.asked.append(name)
        if self.dies_at and not self.died:
            outcome = await self._until_it_dies(name, payload)
        else:
            outcome = await self._steps[name](payload)
        if outcome is None or (self.loses_results and first):
            await self._begin_anew()
            outcome = await self._steps[name](payload)
        await self._decide(name, outcome)
        return outcome

    async def _until_it_dies(self, name: str, payload: Any) -> Any:
        """Return the outcome, None if the process died: the request was done, and its answer reached nobody."""
        assert self.dies_at is not None
        where = {"method": self.dies_at.method, "path": self.dies_at.path, "skip": self.dies_at.skip}
        if not self._armed:
            self._armed = await self.company.fault(self.dies_at.service, hold=True, when="after", **where)
        running = asyncio.create_task(self._steps[name](payload))
        while not running.done() and not await self._held():  # noqa: ASYNC110 - the service knows, and tells who asks
            await asyncio.sleep(_LOOKS_EVERY)
        if running.done():
            return running.result()
        self.died = True
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await self.company.azure.call("POST", f"{self.company.azure.control}/_sim/faults/{self._armed}/release")
        return None

    async def _held(self) -> bool:
        return any(fault["held"] for fault in await self._faults() if fault["id"] == self._armed)

    async def _faults(self) -> list[dict[str, Any]]:
        answer = await self.company.azure.call("GET", f"{self.company.azure.control}/_sim/faults")
        found: list[dict[str, Any]] = answer.body["faults"]
        return found

    async def _begin_anew(self) -> None:
        """Have a new process, which remembers nothing."""
        before, self.company.clients = self.company.clients, Clients(self.company.settings)
        await before.aclose()

    async def _decide(self, name: str, outcome: Any) -> None:
        """Approve what has to be, or revert what is proven, as soon as there is a record to decide about."""
        wanted = {names.OPEN_FEDERATION: FederationDecisionKind.APPROVE}
        if self.reverts:
            wanted[names.PROVE_CONNECTION] = FederationDecisionKind.REVERT
        if name in wanted and outcome["outcome"] == "ok":
            record = await self.record()
            decision = FederationDecision(kind=wanted[name], by=APPROVED_BY, at=datetime.now(UTC))
            await self.company.desk.federations().decide(record.federation.id, decision)
            self.engine.raise_event(self.scenario.instance, names.DECISION_EVENT, self._later())

    def _later(self) -> timedelta:
        """Return half an hour from now, as the engine counts."""
        return self.engine.now + timedelta(minutes=30) - BEGIN


def _steps() -> dict[str, Any]:
    """Return every activity's function by its name."""
    found: dict[str, Any] = {}
    for module in pkgutil.iter_modules(activities.__path__):
        whole = vars(importlib.import_module(f"activities.{module.name}"))
        found |= {name.removesuffix("_step"): one for name, one in whole.items() if name.endswith("_step")}
    return found
