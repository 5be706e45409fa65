"""Drives the real delivery in one process: orchestrator, steps, storage, the mail service and its limits, one clock."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities import step
from activities.deliver_mail import deliver
from activities.notify_owners import tell
from activities.sort_outbox import sort
from local.azure.acs_email import Email
from local.azure.email_message import Mail
from orchestrators import deliver_notices
from rekey import names
from rekey.model import Delivered, NoticeKind, Parcel, Sorting, Telling, Told, decode, encode
from rekey.notices.outbox import Outbox, Waiting
from tests.core.company import Company
from tests.notices.waiting import notice
from tests.orchestrators.engine import BEGIN, Activity, Died, Engine
from tests.triggers.durable import functions

ORCHESTRATOR = functions(deliver_notices.blueprint)[names.DELIVER_NOTICES].get_user_function().orchestrator_function
EPOCH = 1_800_000_000.0


@dataclass
class Office:
    """A company's outbox and mail service; time passes only in runs and between them."""

    company: Company
    now: datetime = BEGIN
    kills: set[int] = field(default_factory=set)
    """Which calls of deliver_mail die after the mail is sent: 1 is the first."""
    calls: int = 0

    async def put(self, secret: str, *owners: str, kind: NoticeKind = NoticeKind.DONE, **more: Any) -> Told:
        """Tell news of one of many rotations."""
        told = notice(secret, kind, to=(), **more)
        return await tell(self.company.desk, Telling(notice=told, owners=owners, digest=True, has_record=False))

    async def run(self) -> dict[str, Any]:
        """Deliver what waits, as the timer does, and return what came of it."""
        loop = asyncio.get_running_loop()
        bodies: dict[str, tuple[Any, step.Body[Any]]] = {
            names.SORT_OUTBOX: (Sorting, sort),
            names.DELIVER_MAIL: (Parcel, self._deliver),
        }

        def activity(name: str) -> Activity:
            def act(payload: Any, now: datetime) -> Any:
                self._set(self.now + (now - BEGIN))
                kind, body = bodies[name]
                outcome = step._outcome(name, body, self.company.desk, decode(payload, kind))
                return encode(asyncio.run_coroutine_threadsafe(outcome, loop).result())

            return act

        engine = Engine({names.DELIVER_NOTICES: ORCHESTRATOR}, activity)
        ended = await asyncio.to_thread(engine.run, names.DELIVER_NOTICES, names.DELIVER_NOTICES, None)
        assert not ended.failed, ended.failure
        self.now += engine.now - BEGIN
        output: dict[str, Any] = ended.output
        return output

    async def wait(self, pause: timedelta) -> None:
        """Let time pass; sign-ins are new after it, as they would be."""
        self.now += pause
        self._set(self.now)
        await self.company.clients.aclose()

    async def waiting(self) -> list[Waiting]:
        """Return what waits."""
        outbox = Outbox(self.company.clients.container())
        return [*await outbox.pending(), *await outbox.made()]

    @property
    def mails(self) -> list[Mail]:
        """What the mail service took, in order."""
        email = self.company.azure.cloud.services["email"]
        assert isinstance(email, Email)
        return list(email._mails.values())

    def to(self, address: str) -> list[Mail]:
        """Return somebody's mails."""
        return [mail for mail in self.mails if address in [a.address for a in mail.message.recipients.to]]

    async def statuses(self) -> list[int]:
        """Return how the mail service answered each request to send."""
        answer = await self.company.azure.call("GET", f"{self.company.azure.control}/_sim/requests")
        return [r["status"] for r in answer.body["requests"] if r["service"] == "email"]

    async def _deliver(self, desk: step.Desk, parcel: Parcel) -> Delivered:
        self.calls += 1
        with pytest.MonkeyPatch.context() as patch:
            if self.calls in self.kills:
                patch.setattr(Outbox, "settle", _killed)
            return await deliver(desk, parcel, self._clock)

    def _clock(self) -> float:
        return EPOCH + (self._moment - BEGIN).total_seconds()

    def _set(self, moment: datetime) -> None:
        self._moment = moment
        self.company.azure.cloud.clock.offset = moment - BEGIN


async def _killed(*_arguments: object) -> None:
    raise Died
