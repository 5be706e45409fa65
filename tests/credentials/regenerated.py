"""What every kind must do whose issuer has a fixed number of keys that are made anew in turn.

Such an issuer has no labels and no second chance: each regeneration breaks the value there was. So what counts is how
often it was asked, and that the published value is one that it takes, at any time.
"""

import asyncio
import itertools
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from activities import generate_credential, set_secret_version, verify_credential
from activities.generate_credential import generate
from activities.open_record import open_record
from activities.retire_old_credential import retire
from activities.set_secret_version import publish
from activities.undo_generation import undo
from activities.verify_credential import verify
from rekey import clients
from rekey.errors import NotYetError, OvertakenError, PermanentError, RekeyError, UnclearError
from rekey.model import Issued, Walk
from rekey.ports import CredentialKind
from rekey.secret_value import SecretValue
from rekey.transport import SentOnce
from tests.core.company import Company
from tests.credentials.any_kind import AnyKindContract
from tests.credentials.attempts import Asked, end_asked, inspected, labels_of, old_value_of

LOST: tuple[dict[str, Any], ...] = (
    {"status": 500},
    {"status": 503},
    {"timeout": True},
    {"reset": "answer"},
    {"malformed": "html"},
)
"""Faults that don't say whether the work was done."""


class Killed(BaseException):
    """The process died here: no error handling gets to see it."""


class RegeneratedContract(AnyKindContract):
    """The contract. The old key is the one that the company's secret holds; Rekey may make it anew at the end."""

    service: ClassVar[str]
    """The simulated service that makes the keys."""
    path: ClassVar[str]
    """Part of the path by which it is asked to."""

    @abstractmethod
    def regenerations(self, company: Company) -> int:
        """Return how often a key was made anew, by whomever."""

    @abstractmethod
    def meddle(self, company: Company, key_id: str) -> None:
        """Make a key anew as somebody else."""

    @abstractmethod
    def without_target(self, company: Company) -> bytes:
        """Return all that the simulated services hold, but for the target itself and the managed secret."""

    @pytest.fixture(autouse=True)
    def settled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let nothing wait for what the simulation does at once."""
        self.settle_at_once(monkeypatch)
        monkeypatch.setattr(verify_credential, "APART", 0.0)
        monkeypatch.setattr(set_secret_version, "READ_BACK_PAUSES", (0.0, 0.1, 0.2))
        monkeypatch.setattr(generate_credential, "WITHDRAW_PAUSES", (0.0,))
        monkeypatch.setitem(clients.TIMEOUTS, "read_timeout", 1)

    @abstractmethod
    def settle_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the kind's own waits be none."""

    @abstractmethod
    def wait_for_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the kind wait as long as it really does."""

    async def test_same_rotation_makes_one_regeneration(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Repeated as often as one likes, every step finds what was done already."""
        issued = await _until_done(lambda: generate(company.desk, walk))
        walk = walk.but(issued=issued)
        assert await generate(company.desk, walk) == issued
        assert self.regenerations(company) == 1
        published = await publish(company.desk, walk)
        assert await publish(company.desk, walk) == published
        first, second = [await retire(company.desk, walk.but(published=published)) for _ in range(2)]
        assert first.removed == second.removed == (walk.rotation.old_key_id,)
        assert self.regenerations(company) == 2
        assert issuer.reveals_once is False

    async def test_published_value_is_the_issuers_and_nothing_else_changed(self, company: Company, walk: Walk) -> None:
        """After a whole rotation the secret holds the new key, and only the target and the secret are others."""
        before = self.without_target(company)
        issued = await self.walked(company, walk)
        assert self.live(company)[issued.key_id] in newest(company)["value"]
        assert newest(company)["tags"]["rekey-key-id"] == issued.key_id
        assert walk.rotation.old_key_id not in self.live(company)
        assert self.without_target(company) == before

    @pytest.mark.parametrize(
        "every", [5, pytest.param(1, marks=pytest.mark.exhaustive)], ids=["a fifth of the requests", "each request"]
    )
    async def test_killed_anywhere_it_converges(
        self, company: Company, issuer: CredentialKind, monkeypatch: pytest.MonkeyPatch, every: int
    ) -> None:
        """Killed before or after any request and repeated, it ends as if nothing had been; what readers get works."""
        killing, deaths = Killing(monkeypatch), 0
        for first, after in ((1, False), (min(3, every), True)):
            for number in itertools.count(first, every):
                walk = await self.prepared(company, issuer)
                killing.at(number, after=after)
                issued = await self.walked(company, walk)
                if not killing.disarmed():
                    break
                deaths += 1
                assert issued.key_id in self.live(company)
                assert walk.rotation.old_key_id not in self.live(company)
        assert deaths * every > 25

    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_lost_answer_is_looked_for(self, company: Company, issuer: CredentialKind, when: str) -> None:
        """An answer that didn't come is never simply asked for again: what was made is found, what wasn't is made."""
        for fault in LOST:
            walk, before = await self.prepared(company, issuer), self.regenerations(company)
            await company.fault(self.service, method="POST", path=self.path, when=when, **fault)
            with pytest.raises(UnclearError):
                await generate(company.desk, walk)
            assert self.regenerations(company) - before == (1 if when == "after" else 0), fault
            issued = await _until_done(partial(generate, company.desk, walk))
            assert self.regenerations(company) - before == 1, fault
            assert issued.key_id in self.live(company)

    async def test_unclear_attempt_is_waited_out_before_anything_is_asked(
        self, company: Company, walk: Walk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """While an earlier attempt's request may be on its way, the next one only says when to come back."""
        self.wait_for_answers(monkeypatch)
        await company.fault(self.service, method="POST", path=self.path, status=503)
        with pytest.raises(RekeyError):
            await generate(company.desk, walk)
        with pytest.raises(NotYetError) as caught:
            await generate(company.desk, walk)
        assert 60 < (caught.value.seconds or 0) <= 120
        assert self.regenerations(company) == 0

    async def test_attempt_that_wakes_up_late_sends_nothing(
        self, company: Company, issuer: CredentialKind, walk: Walk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Held up between saying that it asks and asking, it finds that it may no longer: others went on."""
        turn = Paused()
        late = asyncio.create_task(issuer.generate(walk.rotation, labels_of(walk)[0], end_asked(), turn))
        await turn.asked.wait()
        issued = await _until_done(lambda: generate(company.desk, walk))
        self.time_passes(monkeypatch)
        turn.goes_on.set()
        with pytest.raises(NotYetError) as caught:
            await late
        assert caught.value.code == "too-late"
        assert self.regenerations(company) == 1
        assert issued.key_id in self.live(company)

    @abstractmethod
    def time_passes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let it be too late for a request that was announced a moment ago."""

    async def test_overtaken_attempt_asks_nothing(self, company: Company, issuer: CredentialKind, walk: Walk) -> None:
        """An attempt that learns that another has taken over leaves the key alone."""
        with pytest.raises(OvertakenError):
            await issuer.generate(walk.rotation, labels_of(walk)[0], end_asked(), Overtaken())
        assert self.regenerations(company) == 0

    async def test_key_that_somebody_else_made_anew_is_left(self, company: Company, walk: Walk) -> None:
        """The key that was to be made anew is another by now: nobody knows who uses it, so nothing is changed."""
        self.meddle(company, walk.rotation.next_key_id)
        before = self.live(company)
        with pytest.raises(PermanentError) as caught:
            await generate(company.desk, walk)
        assert caught.value.code == "key-changed"
        assert self.live(company) == before

    async def test_version_that_somebody_else_set_stops_it(self, company: Company, walk: Walk) -> None:
        """A version set meanwhile may hold the very key that was to be made anew: then nothing is."""
        secret, before = walk.rotation.secret, self.live(company)
        await company.desk.vault(walk.rotation.vault).set(secret, SecretValue("somebody else's"), tags={})
        with pytest.raises(PermanentError) as caught:
            await generate(company.desk, walk)
        assert caught.value.code == "superseded"
        assert self.live(company) == before

    async def test_new_key_that_somebody_made_anew_is_not_published(self, company: Company, walk: Walk) -> None:
        """The value is listed again when it is published: one that was replaced never gets into the vault."""
        issued = await generate(company.desk, walk)
        self.meddle(company, issued.key_id)
        for step in (verify, publish):
            with pytest.raises(PermanentError) as caught:
                await step(company.desk, walk.but(issued=issued))
            assert caught.value.code == "key-changed"
        current, _ = await company.desk.vault(walk.rotation.vault).current(walk.rotation.secret)
        assert current.id == walk.rotation.old_version

    async def test_old_key_stays_while_the_published_one_is_not_good(self, company: Company, walk: Walk) -> None:
        """If somebody replaced the published key, the old one is the last that works: it is left."""
        issued = await generate(company.desk, walk)
        await publish(company.desk, walk.but(issued=issued))
        self.meddle(company, issued.key_id)
        with pytest.raises(PermanentError) as caught:
            await retire(company.desk, walk.but(issued=issued))
        assert caught.value.code == "published-key-gone"
        assert walk.rotation.old_key_id in self.live(company)

    async def test_old_key_stays_while_the_secret_holds_it_again(self, company: Company, walk: Walk) -> None:
        """Whoever rolled back by hand needs the old key: it is left until a newer version holds another."""
        vault, secret = company.desk.vault(walk.rotation.vault), walk.rotation.secret
        old = await old_value_of(company, walk.rotation)
        walk = walk.but(issued=await generate(company.desk, walk))
        published = await publish(company.desk, walk)
        new = await vault.value(secret, published.version)
        rolled_back = await vault.set(secret, old, tags={})
        with pytest.raises(PermanentError) as caught:
            await retire(company.desk, walk)
        assert caught.value.code == "old-key-in-use"
        assert walk.rotation.old_key_id in self.live(company)
        await vault.set(secret, new, tags={})
        await vault.disable(secret, rolled_back.id)
        assert (await retire(company.desk, walk)).removed == (walk.rotation.old_key_id,)
        assert walk.rotation.old_key_id not in self.live(company)

    async def test_old_key_of_a_secret_that_is_gone_is_retired(self, company: Company, walk: Walk) -> None:
        """Where nobody reads a key any more, none has to go on working."""
        walk = walk.but(issued=await generate(company.desk, walk))
        await publish(company.desk, walk)
        await company.desk.vault(walk.rotation.vault).destroy(walk.rotation.secret)
        await retire(company.desk, walk)
        assert walk.rotation.old_key_id not in self.live(company)

    async def test_nothing_can_be_forgotten(self, company: Company, issuer: CredentialKind, walk: Walk) -> None:
        """There is nothing to look for at night, to undo or to label, and none of it changes anything."""
        issued = await generate(company.desk, walk)
        before = self.live(company)
        target = walk.rotation.policy.credential.target
        assert list(issuer.targets(company.settings)) == []
        assert list(await issuer.labelled(walk.rotation, labels_of(walk)[0])) == []
        holdings = await issuer.holdings(target)
        assert (holdings.target, holdings.owned, holdings.credentials) == (target, False, ())
        await issuer.discard(holdings, issued.key_id)
        await issuer.remove(walk.rotation, issued.key_id)
        assert self.live(company) == before

    async def test_undoing_removes_nothing_and_says_so(self, company: Company, walk: Walk) -> None:
        """The key that nobody was given stays one of the issuer's, and no record claims that it is gone."""
        walk = walk.but(issued=await generate(company.desk, walk))
        before = self.live(company)
        assert (await undo(company.desk, walk)).removed == ()
        assert self.live(company) == before

    async def prepared(self, company: Company, issuer: CredentialKind) -> Walk:
        """Return a further rotation of the same secret, through preflight and with its record."""
        rotation = await company.rotation(str(uuid4()))
        facts = await inspected(issuer, company, rotation)
        walk = Walk(rotation=rotation.knowing(facts), facts=facts)
        await open_record(company.desk, walk)
        return walk

    async def walked(self, company: Company, walk: Walk) -> Issued:
        """Take a rotation to its end, each step as often as it takes; what readers get works after each try."""

        def works() -> None:
            value = newest(company)["value"]
            assert any(live in value for live in self.live(company).values())

        issued = await _until_done(lambda: generate(company.desk, walk), works)
        going_on = walk.but(issued=issued)
        await _until_done(lambda: verify(company.desk, going_on), works)
        await _until_done(lambda: publish(company.desk, going_on), works)
        await _until_done(lambda: retire(company.desk, going_on), works)
        return issued


def newest(company: Company) -> dict[str, Any]:
    """Return the newest version of the managed secret as the simulated vault has it."""
    held = company.azure.cloud.keyvault.state()["vaults"][company.scenario.vault]
    version: dict[str, Any] = held["secrets"][company.scenario.secret]["versions"][-1]
    return version


class Paused(Asked):
    """A turn that stops between saying that the issuer is asked and asking it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.goes_on = asyncio.Event(), asyncio.Event()

    async def ask(self) -> None:
        """Wait until it may go on."""
        self.asked.set()
        await self.goes_on.wait()


class Overtaken(Asked):
    """A turn that somebody else has."""

    async def ask(self) -> None:
        """Refuse."""
        raise OvertakenError


class Killing:
    """Kills whoever sends one certain request, counted from when it was armed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left, self._after, self._struck = -1, False, False
        send = SentOnce.send

        async def killed(transport: SentOnce, request: Any, **options: Any) -> Any:
            self._left -= 1
            if self._left == 0 and not self._after:
                self._strike()
            answer = await send(transport, request, **options)
            if self._left == 0 and self._after:
                self._strike()
            return answer

        monkeypatch.setattr(SentOnce, "send", killed)

    def at(self, number: int, *, after: bool) -> None:
        """Kill at the request of that number, before it is sent or once it is answered."""
        self._left, self._after, self._struck = number, after, False

    def disarmed(self) -> bool:
        """Kill no more; tell whether it came to that."""
        self._left = -1
        return self._struck

    def _strike(self) -> None:
        self._struck = True
        self._left = -1
        raise Killed


async def _until_done[T](step: Callable[[], Awaitable[T]], holds: Callable[[], None] = lambda: None) -> T:
    """Repeat a step as the orchestrator does, after a death too; `holds` is looked at after each try."""
    for _ in range(6):
        try:
            return await step()
        except PermanentError:
            raise
        except (Killed, RekeyError):
            await asyncio.sleep(0)
        finally:
            holds()
    raise AssertionError("it doesn't converge")
