"""What scripted activities answer: a rotation that goes well, unless a test says otherwise."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from orchestrators import rotate_secret, switch_consumer
from rekey import names
from rekey.model import (
    ConsumerRef,
    ConsumerResult,
    ConsumerTarget,
    CredentialRef,
    Decided,
    Facts,
    Issued,
    NoticeKind,
    Ok,
    Outcome,
    Permanent,
    Policy,
    Published,
    Question,
    Reading,
    Refusal,
    Retired,
    RetryAfter,
    Rotation,
    RotationRequest,
    Span,
    Told,
    Unclear,
    Undone,
    UseCheck,
    When,
    decode,
    encode,
)
from tests.orchestrators.engine import BEGIN, Activity, Died, Engine, Instance
from tests.triggers.durable import functions

VAULT, SECRET = "kv-shop", "Deploy"
INSTANCE = names.instance_id(VAULT, SECRET)
OWNER = "owner@contoso.example"
PARTNER = "partner@contoso.example"
OLD_KEY = "old-key"
NEW = "version-2"
FEDERATED = "it signs in by workload identity federation"
READER = Refusal(app_id="app-shop", object_id="oid-shop", at=BEGIN + timedelta(hours=1))

ORCHESTRATORS = {
    name: functions(module.blueprint)[name].get_user_function().orchestrator_function
    for name, module in ((names.ROTATE_SECRET, rotate_secret), (names.SWITCH_CONSUMER, switch_consumer))
}

REFUSED = Permanent("forbidden", "it may not", "Grant it.")
BUSY = RetryAfter("throttled", "too many requests")
LOST = Unclear("answer-lost", "the answer was lost")
DIES = "dies"


def for_ever(outcome: Outcome | str) -> Iterator[Outcome | str]:
    """Return the same outcome each time."""
    return itertools.repeat(outcome)


POLICY = Policy(credential=CredentialRef("toy", "target"), owners=(OWNER,), grace=Span(seconds=7 * 86400))


@dataclass
class World:
    """One managed secret and what its steps answer; `script` maps a step to its next outcomes, well after them."""

    lifetime_left: timedelta = timedelta(days=20)
    policy: Policy = POLICY
    consumers: int = 1
    reading: Reading | None = None
    script: dict[str, Iterator[Outcome | str]] = field(default_factory=dict)
    judge: Callable[[str, Any], Outcome | None] = lambda _name, _payload: None
    reason: str = "event"
    whens: tuple[When, ...] = ()
    """When each consumer gets its turn; with the others where nothing is said."""
    keyless: int = 0
    """How many of the consumers, from the first, need no key any more."""
    acknowledged_after: timedelta | None = None
    """When those who act by hand are on the record as acknowledged."""
    refused_after: timedelta | None = None
    """When READER is on the record as refused the old version."""

    def __post_init__(self) -> None:
        self.consumers = len(self.whens) or self.consumers
        refs = tuple(ConsumerRef("toy", f"toy://place/{n}") for n in range(self.consumers))
        self.policy = msgspec.structs.replace(self.policy, consumers=refs)
        self.engine = Engine(ORCHESTRATORS, self._activity)

    def says(self, step: str, *outcomes: Outcome | str | Iterable[Outcome | str]) -> "World":
        """Let a step answer these outcomes first."""
        each = ([o] if isinstance(o, msgspec.Struct | str) else o for o in outcomes)
        self.script[step] = itertools.chain.from_iterable(each)
        return self

    def run(self, instance_id: str = INSTANCE, given: Any = None) -> Instance:
        """Run the rotation to its end."""
        request = {"vault": VAULT, "secret": SECRET, "reason": self.reason}
        return self.engine.run(names.ROTATE_SECRET, instance_id, request if given is None else given)

    @property
    def steps(self) -> list[str]:
        """The steps in the order they were asked for."""
        return [call.what for call in self.engine.calls]

    def _activity(self, name: str) -> Activity:
        def act(payload: Any, now: datetime) -> Any:
            outcome = self.judge(name, payload) or next(self.script.get(name, iter(())), None)
            if outcome == DIES:
                raise Died("Zq8~canary in an exception's text")
            return encode(
                outcome if isinstance(outcome, msgspec.Struct) else Ok(encode(self._well(name, payload, now)))
            )

        return act

    def _well(self, name: str, payload: Any, now: datetime) -> Any:
        expires = now + timedelta(days=180)
        well: dict[str, Callable[[], Any]] = {
            names.READ_POLICY: lambda: self.reading or Reading(rotation=self._rotation(decode(payload, Question), now)),
            names.PREFLIGHT: lambda: Facts(
                object_id="object",
                display_name="Shop",
                old_key_id=OLD_KEY,
                consumers=self._targets(),
            ),
            names.NOTIFY_OWNERS: lambda: Told(kind=NoticeKind(payload["notice"]["kind"]), accepted=(OWNER,)),
            names.GENERATE_CREDENTIAL: lambda: Issued(key_id="new-key", expires=expires, staged_version="staged-1"),
            names.SET_SECRET_VERSION: lambda: Published(version=NEW, expires=expires),
            names.CONFIRM_CONSUMER: lambda: ConsumerResult(uri=payload["target"]["uri"], confirmed_by="a sign-in"),
            names.CHECK_OLD_CREDENTIAL_USE: lambda: UseCheck(checked=False, remark="not checked"),
            names.READ_DECISIONS: lambda: Decided(acknowledged=self._acknowledged(now), refused=self._refused(now)),
            names.RETIRE_OLD_CREDENTIAL: lambda: Retired(removed=(OLD_KEY,)),
            names.UNDO_GENERATION: lambda: Undone(removed=("new-key",)),
        }
        return well.get(name, lambda: None)()

    def _targets(self) -> tuple[ConsumerTarget, ...]:
        refs = self.policy.consumers
        whens = self.whens or (When.WITH_OTHERS,) * len(refs)
        return tuple(
            ConsumerTarget(
                r.kind,
                r.uri,
                f"id-{r.uri}",
                when,
                (PARTNER,) if when == When.BY_HAND else (),
                FEDERATED if number < self.keyless else "",
            )
            for number, (r, when) in enumerate(zip(refs, whens, strict=True))
        )

    def _acknowledged(self, now: datetime) -> dict[str, str]:
        if self.acknowledged_after is None or now < BEGIN + self.acknowledged_after:
            return {}
        return {target.uri: "ops" for target in self._targets() if target.when == When.BY_HAND}

    def _refused(self, now: datetime) -> tuple[Refusal, ...]:
        return () if self.refused_after is None or now < BEGIN + self.refused_after else (READER,)

    def _rotation(self, question: Question, now: datetime) -> Rotation:
        request: RotationRequest = question.request
        return Rotation(
            id=question.rotation_id,
            vault=request.vault,
            secret=request.secret,
            reason=request.reason,
            started=question.started,
            policy=self.policy,
            old_version="version-1",
            expires=now + self.lifetime_left,
        )
