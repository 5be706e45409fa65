"""What every consumer kind must do; subclass it for a new one, with what only that kind knows."""

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest

from rekey.errors import InputError, NotYetError, PermanentError, ScopeError, UnclearError
from rekey.model import ConsumerTarget, Rotation
from rekey.ports import ConsumerKind
from rekey.secret_value import SecretValue
from tests.consumers.handed import Handed
from tests.core.binding import OURS, THEIRS, UNKNOWN, Corpus
from tests.core.company import Company

ODD_HOSTS = (
    "127.0.0.1",
    "[::1]",
    "169.254.169.254",
    "localhost",
    "{host}.evil.example",
    "evil.example",
    "user@{host}",
    "{host}@evil.example",
    "{host}:8443",
    "{host}%2eevil.example",
    "{host}%00",
    "{host}\u3002evil.example",
    "",
)
ODD_PATHS = (
    "/..",
    "/../x/y",
    "//",
    "/%2e%2e",
    "/%2f",
    "/a%2Fb",
    "/a%00",
    "/a\n",
    "/\u202e",
    "/a?b=c",
    "/a#b",
    "/\\",
    "",
)


@dataclass(frozen=True)
class Forgotten:
    """A right or a precondition that is missing: how it goes, and the error that must name it."""

    forget: Callable[[Company], object]
    code: str
    what_to_do: str
    """Part of it."""


@dataclass(frozen=True)
class Wire:
    """Which requests write to the consumer, as faults name them."""

    service: str
    method: str


class InspectedContract(ABC):
    """What holds for every kind, also one that is only ever inspected, because people act."""

    kind: ClassVar[type[ConsumerKind]]
    corpus: ClassVar[Corpus]

    def uri(self, rotation: Rotation) -> str:
        """Return the consumer's URI: the one that the company's managed secret names."""
        return rotation.policy.consumers[0].uri

    def disfigured(self, uri: str) -> list[str]:
        """Return what looks like a good URI and isn't one."""
        return _disfigured(uri)

    @pytest.fixture
    def consumer(self, company: Company) -> ConsumerKind:
        """Return the kind."""
        return self.kind(company.clients)

    @pytest.fixture
    async def rotation(self, company: Company) -> Rotation:
        """Return a rotation whose policy names the consumer."""
        return await company.rotation()

    async def test_inspection_changes_nothing(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation
    ) -> None:
        """Looking leaves every service byte for byte as it was."""
        before = company.state()
        assert (await consumer.inspect(rotation, self.uri(rotation))).object_id
        assert company.state() == before

    def test_uris_have_one_normal_form(self) -> None:
        """However people write a URI, it becomes the same, and stays so."""
        settings = self.corpus.settings()
        for written, normal in self.corpus.good.items():
            assert self.kind.check_uri(written, OURS, settings) == normal
            assert self.kind.check_uri(normal, OURS, settings) == normal

    def test_hostile_uris_are_refused(self) -> None:
        """Nothing that isn't plainly a place of this kind is taken for one, however much it looks like it."""
        settings = self.corpus.settings()
        for uri in ("", *self.corpus.malformed, *(odd for good in self.corpus.good for odd in self.disfigured(good))):
            with pytest.raises(InputError) as caught:
                self.kind.check_uri(uri, OURS, settings)
            assert caught.value.expected, uri


class ConsumerContract(InspectedContract):
    """The contract. Values are judged by the simulated services' own state."""

    forgotten: ClassVar[Sequence[Forgotten]]
    writes: ClassVar[Wire]

    @abstractmethod
    def held(self, company: Company) -> str:
        """Return the value that the consumer holds."""

    @abstractmethod
    def blank(self, company: Company, state: dict[str, Any]) -> None:
        """Take out of `Company.state`, parsed, what an update may change: the value and the service's own dates."""

    @abstractmethod
    def add_unknown(self, company: Company) -> None:
        """Give the object a field that this version of the API doesn't know."""

    @abstractmethod
    def delete(self, company: Company) -> None:
        """Delete the object."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test once for each of the subclass's cases."""
        if "missing" in metafunc.fixturenames:
            metafunc.parametrize("missing", self.forgotten, ids=[f.code for f in self.forgotten])

    @pytest.fixture
    async def target(self, consumer: ConsumerKind, rotation: Rotation) -> ConsumerTarget:
        """Return the consumer after preflight."""
        uri = self.uri(rotation)
        found = await consumer.inspect(rotation, uri)
        return ConsumerTarget(urlsplit(uri).scheme, uri, found.object_id, self.kind.when)

    @pytest.fixture
    def new(self, company: Company) -> Handed:
        """Return a new value that works, as a step hands it over."""
        return Handed(company.new_password())

    def but_for_the_value(self, company: Company) -> Any:
        """Return the state of all services, less what an update may change."""
        state: dict[str, Any] = json.loads(company.state())
        self.blank(company, state)
        return state

    async def test_missing_precondition_is_named(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation, missing: Forgotten
    ) -> None:
        """What is missing is named with what to do about it, before anything changes."""
        missing.forget(company)
        before = company.state()
        with pytest.raises(PermanentError) as caught:
            await consumer.inspect(rotation, self.uri(rotation))
        assert caught.value.code == missing.code
        assert missing.what_to_do in caught.value.what_to_do
        assert company.state() == before

    async def test_update_changes_the_value_and_nothing_else(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation, target: ConsumerTarget, new: Handed
    ) -> None:
        """The named object holds the new value; all else, fields of the future included, is as it was."""
        self.add_unknown(company)
        before = self.but_for_the_value(company)
        await consumer.update(rotation, target, new)
        assert self.held(company) == (await new.value()).reveal()
        assert self.but_for_the_value(company) == before

    async def test_second_update_converges(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation, target: ConsumerTarget, new: Handed
    ) -> None:
        """Updating twice comes to the same as updating once."""
        before = self.but_for_the_value(company)
        for _ in range(2):
            await consumer.update(rotation, target, new)
            assert self.held(company) == (await new.value()).reveal()
            assert self.but_for_the_value(company) == before

    @pytest.mark.parametrize("when", ["before", "after"])
    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_update_whose_answer_fails_converges(
        self,
        company: Company,
        consumer: ConsumerKind,
        rotation: Rotation,
        target: ConsumerTarget,
        new: Handed,
        status: int,
        when: str,
    ) -> None:
        """A write that failed, or whose answer was lost, is tried again by the next attempt and by nobody else."""
        before = self.but_for_the_value(company)
        wire = self.writes
        await company.fault(wire.service, method=wire.method, status=status, when=when, count=None, retry_after=3)
        with pytest.raises(NotYetError) as caught:
            await consumer.update(rotation, target, new)
        assert caught.value.seconds == 3
        sent = [method for method, _ in await company.requests(wire.service) if method == wire.method]
        assert len(sent) == 1
        await company.clear_faults()
        await consumer.update(rotation, target, new)
        assert self.held(company) == (await new.value()).reveal()
        assert self.but_for_the_value(company) == before

    async def test_deleted_object_is_a_permanent_error(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation, target: ConsumerTarget, new: Handed
    ) -> None:
        """An object that was deleted meanwhile isn't made again, and it is said what to do."""
        self.delete(company)
        before = company.state()
        with pytest.raises(PermanentError) as caught:
            await consumer.update(rotation, target, new)
        assert caught.value.what_to_do
        assert company.state() == before

    async def test_confirmation_changes_nothing(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation, target: ConsumerTarget, new: Handed
    ) -> None:
        """Confirming leaves every service byte for byte as it was."""
        await consumer.update(rotation, target, new)
        before = company.state()
        await consumer.confirm(rotation, target, new)
        assert company.state() == before

    async def test_nothing_is_shown(
        self,
        company: Company,
        consumer: ConsumerKind,
        rotation: Rotation,
        target: ConsumerTarget,
        new: Handed,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """No value and no token is in what is returned or raised, nor in any log at DEBUG."""
        caplog.set_level(logging.DEBUG)
        shown: list[object] = [target, new, await new.value()]
        await consumer.update(rotation, target, new)
        shown.append(await consumer.confirm(rotation, target, new))
        shown += await self.failures(company, consumer, rotation, target)
        text = "\n".join([*(f"{one!r}" for one in shown), *(str(e) for e in shown if not isinstance(e, SecretValue))])
        assert company.scenario.canary not in text + caplog.text
        assert "eyJ" not in text + caplog.text

    async def failures(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation, target: ConsumerTarget
    ) -> list[object]:
        """Return the errors of updates that fail while a value with the canary in it is handed over."""
        await company.fault(self.writes.service, method=self.writes.method, status=500)
        with pytest.raises((NotYetError, UnclearError)) as failed:
            await consumer.update(rotation, target, Handed(f"{company.scenario.canary}wrong"))
        return [failed.value, failed.value.__context__, failed.value.__cause__]

    def test_permissions_are_declared(self) -> None:
        """Each right says where it is needed and what for."""
        assert self.kind.permissions
        assert all(p.plane and p.name and p.needed_for and p.grant for p in self.kind.permissions)

    def test_other_teams_uris_are_refused(self) -> None:
        """A vault names its own team's consumers only, and one that no scope has names none."""
        settings = self.corpus.settings()
        assert self.kind.check_uri(self.corpus.foreign, THEIRS, settings)
        for uri, vault in (
            (self.corpus.foreign, OURS),
            (next(iter(self.corpus.good)), THEIRS),
            (self.corpus.foreign, UNKNOWN),
        ):
            with pytest.raises(ScopeError):
                self.kind.check_uri(uri, vault, settings)


class ProvingContract(ConsumerContract):
    """More for a consumer that is confirmed by making it use what it holds."""

    async def test_value_is_confirmed_when_it_works(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation, target: ConsumerTarget
    ) -> None:
        """Too early while the issuer doesn't know the value everywhere, confirmed with the way it was after."""
        company.delay(60)
        new = Handed(company.new_password())
        await consumer.update(rotation, target, new)
        with pytest.raises(NotYetError):
            await consumer.confirm(rotation, target, new)
        company.settle(61)
        assert await consumer.confirm(rotation, target, new)

    async def test_wrong_value_is_never_confirmed(
        self, company: Company, consumer: ConsumerKind, rotation: Rotation, target: ConsumerTarget
    ) -> None:
        """A consumer that can't use what it holds isn't done, and the error doesn't show what it holds."""
        wrong = Handed(f"{company.scenario.canary}wrong")
        await consumer.update(rotation, target, wrong)
        with pytest.raises((NotYetError, PermanentError)) as unconfirmed:
            await consumer.confirm(rotation, target, wrong)
        for one in (unconfirmed.value, unconfirmed.value.__context__, unconfirmed.value.__cause__):
            assert company.scenario.canary not in f"{one} {one!r}"


def _disfigured(uri: str) -> list[str]:
    parts = urlsplit(uri)
    host, path = parts.netloc, parts.path
    odd = [f"{parts.scheme}://{name.format(host=host)}{path}" for name in ODD_HOSTS]
    odd += [f"{parts.scheme}://{host}{path}{more}" for more in ODD_PATHS if more]
    odd += [f"{parts.scheme}://{host}{more}" for more in ODD_PATHS]
    odd += [f"{scheme}://{host}{path}" for scheme in ("https", "http", "file", "javascript", "")]
    odd += [f"{parts.scheme}:{host}{path}", f"{parts.scheme}:/{host}{path}", f"{host}{path}", path]
    return [*odd, f" {uri}", f"{uri} ", f"{uri}\n", f"\t{uri}", f"{uri}\0", f"{uri},{uri}", f"{uri} {uri}"]
