"""What scripted activities answer of a service connection: all goes well, unless a test says otherwise."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from orchestrators import federate_service_connection, vend_service_connection
from rekey import names
from rekey.model import NoticeKind, Ok, Outcome, Span, Told, encode
from rekey.model.federation import (
    Checked,
    Copied,
    Federation,
    FederationReading,
    Granted,
    Identity,
    Mode,
    New,
    Old,
    PipelineUse,
    Proven,
    Resolved,
    Runs,
    SecretsRetired,
    Target,
    Trust,
)
from tests.orchestrators.engine import BEGIN, Activity, Died, Engine, Instance
from tests.orchestrators.scripts import DIES
from tests.triggers.durable import functions

ORCHESTRATORS = {
    name: functions(module.blueprint)[name].get_user_function().orchestrator_function
    for name, module in (
        (names.FEDERATE_SERVICE_CONNECTION, federate_service_connection),
        (names.VEND_SERVICE_CONNECTION, vend_service_connection),
    )
}
INSTANCE = names.federation_instance("contoso", "Shop", "deploy")
ASKER, APPROVER = "erin@contoso.example", "dana@contoso.example"
OWNER, PIPELINE_OWNER = "owner@contoso.example", "ada@contoso.example"
IDENTITY = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/deploy"
SCOPE = "/subscriptions/0/resourceGroups/shop"
WEEK = timedelta(days=7)
USED = Ok(encode(Runs(finished=2, last=BEGIN, by=("Shop release",))))
NOT_YET = Ok(encode(New(id="c", name="deploy", issuer="i", subject="s", federated=False)))


@dataclass
class Federating:
    """One connection and what the steps answer; `script` maps a step to its next outcomes, well after them."""

    mode: Mode = Mode.IN_PLACE
    target: Target = Target.APPLICATION
    shows_issuer: bool = False
    soak: timedelta = WEEK
    revert_after: timedelta | None = WEEK
    """How long after the beginning Azure DevOps converts back."""
    twin: bool = False
    approved_after: timedelta | None = None
    reverted_after: timedelta | None = None
    """When that is on the record."""
    reading: FederationReading | None = None
    script: dict[str, Iterator[Outcome | str]] = field(default_factory=dict)
    judge: Callable[[str, Any], Outcome | None] = lambda _name, _payload: None

    def __post_init__(self) -> None:
        self.engine = Engine(ORCHESTRATORS, self._activity)

    def says(self, step: str, *outcomes: Outcome | str | Iterable[Outcome | str]) -> "Federating":
        """Let a step answer these outcomes first."""
        each = ([o] if isinstance(o, msgspec.Struct | str) else o for o in outcomes)
        self.script[step] = itertools.chain.from_iterable(each)
        return self

    def heard(self, *after: timedelta) -> "Federating":
        """Raise an event for the instance at these times."""
        for one in after:
            self.engine.raise_event(INSTANCE, names.DECISION_EVENT, one)
        return self

    def run(self, instance_id: str = INSTANCE, given: Any = None) -> Instance:
        """Run it to its end."""
        vends = self.mode is Mode.VEND
        name = names.VEND_SERVICE_CONNECTION if vends else names.FEDERATE_SERVICE_CONNECTION
        asked = self._vending() if vends else self._federation()
        return self.engine.run(name, instance_id, asked if given is None else given)

    @property
    def steps(self) -> list[str]:
        """The steps in the order they were asked for, a notice with its stage; reading decisions aside."""
        calls = [call for call in self.engine.calls if call.name != names.READ_FEDERATION_DECISIONS]
        return [f"told {c.payload['notice']['federation']['stage']}" if _is_told(c) else c.name for c in calls]

    @property
    def done(self) -> list[str]:
        """The steps that succeeded, without notices."""
        calls = (c for c in self.engine.calls if c.outcome and c.outcome["outcome"] == "ok" and not _is_told(c))
        return [c.name for c in calls if c.name != names.READ_FEDERATION_DECISIONS]

    def told(self, stage: str) -> list[dict[str, Any]]:
        """The notices of a stage."""
        return [n["notice"] for n in self.tellings if n["notice"]["federation"]["stage"] == stage]

    @property
    def tellings(self) -> list[dict[str, Any]]:
        """What was asked of the step that tells people."""
        return [call.payload for call in self.engine.calls if _is_told(call)]

    def after(self, step: str, nth: int = 0) -> timedelta:
        """Return when a step was asked for."""
        return [call.at for call in self.engine.calls if call.name == step][nth] - BEGIN

    def _federation(self) -> dict[str, Any]:
        asked = {"organization": "contoso", "project": "Shop", "connection": "deploy", "mode": self.mode}
        if self.target is Target.MANAGED_IDENTITY:
            asked |= {"target": self.target, "identity": IDENTITY}
        return {**asked, "requested_by": ASKER}

    def _vending(self) -> dict[str, Any]:
        asked = {"organization": "contoso", "project": "Shop", "name": "deploy", "scope": SCOPE, "role": "Contributor"}
        return {**asked, "twin": self.twin, "requested_by": ASKER}

    def _activity(self, name: str) -> Activity:
        def act(payload: Any, now: datetime) -> Any:
            outcome = self.judge(name, payload) or next(self.script.get(name, iter(())), None)
            if outcome == DIES:
                raise Died("Zq8~canary in an exception's text")
            well = outcome if isinstance(outcome, msgspec.Struct) else Ok(encode(self._well(name, payload, now)))
            return encode(well)

        return act

    def _well(self, name: str, payload: Any, now: datetime) -> Any:
        well: dict[str, Callable[[], Any]] = {
            names.READ_CONNECTION: lambda: self.reading or FederationReading(federations=(self._walk(payload),)),
            names.CHECK_VENDING: lambda: self.reading or FederationReading(federations=self._vended(payload)),
            names.FIND_IDENTITY: lambda: Identity(client_id="app", object_id="object"),
            names.CHECK_CONNECTION: lambda: Checked(
                pipelines=(PipelineUse(id="1", name="Shop release", owner=PIPELINE_OWNER),), owners=(OWNER,)
            ),
            names.READ_FEDERATION_DECISIONS: lambda: Resolved(
                approved_by=APPROVER if _is_over(self.approved_after, now) else "",
                reverted_by=APPROVER if _is_over(self.reverted_after, now) else "",
            ),
            names.CONVERT_CONNECTION: self._new,
            names.CREATE_CONNECTION: lambda: New(id="n", name="deploy-federated", issuer="i", subject="s"),
            names.TRUST_CONNECTION: lambda: Trust(
                principal="object", name="rekey-f", issuer="i", subject="s", made=True
            ),
            names.COPY_ROLES: lambda: Granted(assignments=("a",), remarks=("Owner was not copied.",)),
            names.GRANT_ROLE: lambda: Granted(assignments=("a",)),
            names.CREATE_IDENTITY: lambda: Identity(client_id="app", principal_id="p", arm_id=IDENTITY),
            names.PROVE_CONNECTION: lambda: Proven(proof="it signed in twice"),
            names.COPY_ACCESS: lambda: Copied(pipelines=1, checks=1, remarks=("1 pipeline may use it.",)),
            names.LOOK_AT_RUNS: Runs,
            names.RETIRE_CONNECTION: lambda: Proven(proof="it is gone"),
            names.RETIRE_SECRETS: lambda: SecretsRetired(removed=("key-1",)),
            names.REVERT_CONNECTION: lambda: Proven(proof="it has its secret again"),
            names.WITHDRAW_TRUST: lambda: Proven(proof="its trust is gone"),
            names.NOTIFY_OWNERS: lambda: Told(kind=NoticeKind.FEDERATION, accepted=(OWNER,)),
        }
        return well.get(name, lambda: None)()

    def _new(self) -> New:
        until = BEGIN + self.revert_after if self.revert_after is not None else None
        return New(id="c", name="deploy", issuer="i", subject="s", revert_until=until)

    def _walk(self, question: Any) -> Federation:
        old = Old(id="c", name="deploy", owner_project="p", application="app", tenant="t", way="secret")
        shown = {"issuer": "i", "subject": "s"} if self.shows_issuer else {}
        return self._named(question["id"], question).but(
            connection="deploy",
            new_name="deploy-federated" if self.mode is Mode.SIDE_BY_SIDE else "",
            target=self.target,
            old=msgspec.structs.replace(old, **shown),
        )

    def _vended(self, question: Any) -> tuple[Federation, ...]:
        first = self._named(question["id"], question).but(new_name="deploy", scope=SCOPE, role="Contributor")
        twin = first.but(id=question["twin_id"], new_name="deploy-readonly", role="Reader")
        return (first, twin) if self.twin else (first,)

    def _named(self, id_: str, question: Any) -> Federation:
        return Federation(
            id=id_,
            instance=question["instance"],
            mode=self.mode,
            organization="contoso",
            project="Shop",
            started=BEGIN,
            soak=Span(seconds=int(self.soak.total_seconds())),
            requested_by=ASKER,
        )


def managed(**more: Any) -> Federating:
    """Return one that is to have a managed identity, which takes an approval."""
    return Federating(mode=Mode.SIDE_BY_SIDE, target=Target.MANAGED_IDENTITY, **more)


def _is_told(call: Any) -> bool:
    return bool(call.name == names.NOTIFY_OWNERS)


def _is_over(after: timedelta | None, now: datetime) -> bool:
    return after is not None and now >= BEGIN + after
