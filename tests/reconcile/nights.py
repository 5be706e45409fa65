"""Runs the parts of the nightly check in a test's own process, in the orchestrator's order, on a company's services."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import msgspec
from durabletask.client import OrchestrationQuery, OrchestrationState, PurgeInstancesResult

from activities import find_issued, find_secrets, find_staged, find_stuck, find_waiting, list_places, sum_up_night
from activities.generate_credential import generate
from activities.open_record import open_record
from activities.preflight import preflight
from activities.set_secret_version import publish
from rekey import names
from rekey.model import Finding, Notice, Walk
from rekey.model.night import Night, Part, Summing
from rekey.reconcile.memory import Memory
from tests.core.company import Company
from tests.triggers.durable import FakeDurable

if TYPE_CHECKING:
    from azure.durable_functions import DurableFunctionsClient

DAY = 86400.0


@dataclass
class Engine(FakeDurable):
    """Instances as they are put in; tells them all, and forgets one when it is asked to."""

    purged: list[str] = field(default_factory=list)

    async def get_all_orchestration_states(self, query: OrchestrationQuery) -> list[OrchestrationState]:
        """Return the instances with one of the states that were asked for, created before the time asked for."""
        wanted = query.runtime_status or []
        found = [s for s in self.instances.values() if s.runtime_status in wanted]
        before = query.created_time_to.replace(tzinfo=None) if query.created_time_to else None
        return [s for s in found if before is None or s.created_at < before]

    async def purge_orchestration(self, instance_id: str, *, recursive: bool = True) -> PurgeInstancesResult:
        """Forget one instance."""
        assert not recursive
        self.purged.append(instance_id)
        del self.instances[instance_id]
        return PurgeInstancesResult(1, is_complete=True)


@dataclass
class Nights:
    """One company, night after night."""

    company: Company
    engine: Engine = field(default_factory=Engine)

    @property
    def instance(self) -> str:
        """The instance of the managed secret's rotation."""
        return names.instance_id(self.company.scenario.vault, self.company.scenario.secret)

    async def killed(self, *, published: bool = False) -> Walk:
        """Let a rotation die right after it generated, or published; return how far it came."""
        desk = self.company.desk
        rotation = await self.company.rotation(str(uuid4()))
        walk = Walk(rotation=rotation)
        await open_record(desk, walk)
        facts = await preflight(desk, walk)
        walk = walk.but(rotation=rotation.knowing(facts), facts=facts)
        walk = walk.but(issued=await generate(desk, walk))
        if published:
            walk = walk.but(published=await publish(desk, walk))
        self.engine.put(self.instance, "TERMINATED", {"rotation_id": rotation.id})
        return walk

    async def night(self, *, later: float = 0.0) -> list[Finding]:
        """Go through one night, so many days later by the services' clocks, and return what it found."""
        self.company.settle(later * DAY)
        return await self.parts(await self.listed())

    async def listed(self) -> Part:
        """Begin a night and list its vaults; return what the parts after that are told."""
        part = self.begun()
        places = await list_places.begin(self.company.desk, Night(run_id=part.run_id, started=part.started))
        for vault in places.vaults:
            await find_secrets.find(self.company.desk, msgspec.structs.replace(part, vault=vault))
        return part

    def begun(self) -> Part:
        """Begin a night."""
        self.last = Part(run_id=str(uuid4()), started=datetime.now(UTC), all_seen=True)
        return self.last

    async def parts(self, part: Part) -> list[Finding]:
        """Go through the parts that come after the vaults, and return all that the night found."""
        desk = self.company.desk
        await find_staged.find(desk, self.engine, part)
        await find_issued.find(desk, self.engine, part)
        await find_stuck.find(desk, cast("DurableFunctionsClient", self.engine), part)
        await find_waiting.find(desk, part)
        kept = await Memory(self.company.clients.container()).kept(part.run_id)
        return sorted((f for result in kept.values() for f in result.findings), key=lambda f: f.code)

    async def notice(self) -> Notice | None:
        """Return what the last night has to say."""
        summing = Summing(run_id=self.last.run_id, started=self.last.started)
        return (await sum_up_night.sum_up(self.company.desk, summing)).notice

    def live(self) -> set[str]:
        """Return the key ids of the passwords that work."""
        return {p.key_id for p in self.company.application.live()}

    def staged(self) -> set[str]:
        """Return what is in the staging vault."""
        held: dict[str, Any] = self.company.azure.cloud.keyvault.state()["vaults"][self.company.scenario.staging]
        return set(held["secrets"])


def codes(findings: list[Finding]) -> list[str]:
    """Return the findings' codes."""
    return [finding.code for finding in findings]
