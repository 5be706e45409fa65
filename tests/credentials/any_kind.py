"""What every credential kind must do, whatever its issuer is like: the part that all contracts share."""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import pytest

from activities.generate_credential import generate
from activities.open_record import open_record
from activities.retire_old_credential import retire
from activities.set_secret_version import publish
from local.scenario import Scenario
from local.storage import Azurite
from rekey.errors import InputError, NotYetError, PermanentError, ScopeError
from rekey.model import Facts, Walk
from rekey.nightly_settings import LIMITS, VAULT_CREATES
from rekey.ports import CredentialKind
from rekey.secret_value import SecretValue
from tests.core import company as companies
from tests.core.binding import OURS, THEIRS, UNKNOWN, Corpus
from tests.core.company import Company
from tests.credentials.attempts import end_asked, inspected, labels_of, made, old_value_of


@dataclass(frozen=True)
class Forgotten:
    """A right or a precondition that is missing: how it goes, and the error that must name it."""

    forget: Callable[[Company], object]
    code: str
    what_to_do: str
    """Part of it; `{target}` is the credential's."""


class AnyKindContract(ABC):
    """The contract's shared part. Values are judged by the simulated services' own state."""

    kind: ClassVar[type[CredentialKind]]
    corpus: ClassVar[Corpus]
    forgotten: ClassVar[Sequence[Forgotten]]

    @abstractmethod
    def live(self, company: Company) -> dict[str, str]:
        """Return the values that the issuer takes, by key id."""

    @abstractmethod
    def ruin(self, company: Company) -> None:
        """Let every value be refused for good."""

    def scenario(self) -> Scenario:
        """Return the company whose managed secret is of this kind."""
        return Scenario()

    def usable(self, company: Company, value: SecretValue) -> SecretValue:  # noqa: ARG002 - of others' secrets it is a part
        """Return what of a secret's value is the credential."""
        return value

    def mark(self, company: Company) -> str:
        """Return what every value that the issuer makes begins with."""
        return company.scenario.canary

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test once for each of the subclass's cases."""
        if "missing" in metafunc.fixturenames:
            metafunc.parametrize("missing", self.forgotten, ids=[f.code for f in self.forgotten])

    @pytest.fixture
    async def company(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
    ) -> AsyncIterator[Company]:
        """Run a company with a storage account."""
        async with companies.company(
            tmp_path, monkeypatch, self.scenario(), storage=azurite.connection_string
        ) as running:
            await running.clients.storage_ready()
            yield running

    @pytest.fixture
    async def issuer(self, company: Company) -> CredentialKind:
        """Return the kind."""
        return self.kind(company.clients)

    @pytest.fixture
    async def walk(self, company: Company, issuer: CredentialKind) -> Walk:
        """Return a walk that has been through preflight and has its record."""
        rotation = await company.rotation(str(uuid4()))
        facts = await inspected(issuer, company, rotation)
        walk = Walk(rotation=rotation.knowing(facts), facts=facts)
        await open_record(company.desk, walk)
        return walk

    def test_it_declares_what_a_rotation_writes(self) -> None:
        """The nightly sweep paces by it: limits by their names, but Key Vault's, which every kind uses."""
        assert set(self.kind.writes) <= set(LIMITS) - {VAULT_CREATES}
        assert all(count > 0 for count in self.kind.writes.values())

    async def test_new_credential_ends_when_it_was_asked_to(self, issuer: CredentialKind, walk: Walk) -> None:
        """The end date is the one asked for."""
        new = await made(issuer, walk, labels_of(walk)[0])
        assert abs(new.expires - end_asked()) < timedelta(minutes=1)

    async def test_old_value_works_until_it_is_retired(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Old and new are both valid until the old one is retired, and only the new one after."""
        old = self.usable(company, await old_value_of(company, walk.rotation))
        issued = await generate(company.desk, walk)
        await issuer.verify(walk.rotation, old)
        await publish(company.desk, walk.but(issued=issued))
        retired = await retire(company.desk, walk.but(issued=issued))
        assert list(retired.removed) == [walk.rotation.old_key_id]
        assert issued.key_id in self.live(company)
        with pytest.raises((NotYetError, PermanentError)):
            await issuer.verify(walk.rotation, old)

    async def test_unproved_old_credential_is_left_alone(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Without proof of which credential the old version holds, nothing old is touched, and that is said."""
        old = self.usable(company, await old_value_of(company, walk.rotation))
        issued = await generate(company.desk, walk)
        unproved = walk.rotation.knowing(Facts(object_id=walk.rotation.object_id, display_name=""))
        retired = await retire(company.desk, walk.but(rotation=unproved, issued=issued))
        assert retired.removed == ()
        assert "left alone" in retired.remark
        await issuer.verify(walk.rotation, old)

    async def test_new_value_is_not_known_at_first(self, company: Company, issuer: CredentialKind, walk: Walk) -> None:
        """While the issuer refuses the new value it is too early, and then it works."""
        company.delay(60)
        new = await made(issuer, walk, labels_of(walk)[0])
        with pytest.raises(NotYetError):
            await issuer.verify(walk.rotation, new.value)
        company.settle(61)
        await issuer.verify(walk.rotation, new.value)

    async def test_value_that_is_refused_for_good_is_a_permanent_error(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """A refusal that won't go away isn't waited for."""
        new = await made(issuer, walk, labels_of(walk)[0])
        self.ruin(company)
        with pytest.raises(PermanentError):
            await issuer.verify(walk.rotation, new.value)

    async def test_wrong_value_never_passes(self, issuer: CredentialKind, walk: Walk) -> None:
        """A value that nobody issued is refused, be it for now or for good."""
        with pytest.raises((NotYetError, PermanentError)):
            await issuer.verify(walk.rotation, SecretValue("never issued"))

    async def test_inspection_changes_nothing(self, company: Company, issuer: CredentialKind, walk: Walk) -> None:
        """Looking leaves every service byte for byte as it was."""
        before = company.state()
        await inspected(issuer, company, walk.rotation)
        assert company.state() == before

    async def test_missing_precondition_is_named(
        self, company: Company, issuer: CredentialKind, walk: Walk, missing: Forgotten
    ) -> None:
        """What is missing is named with what to do about it, before anything changes."""
        missing.forget(company)
        before = company.state()
        with pytest.raises(PermanentError) as caught:
            await inspected(issuer, company, walk.rotation)
        assert caught.value.code == missing.code
        assert missing.what_to_do.format(target=walk.rotation.policy.credential.target) in caught.value.what_to_do
        assert company.state() == before

    async def test_nothing_is_shown(
        self, company: Company, issuer: CredentialKind, walk: Walk, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No value and no token is in what is returned or raised, nor in any log at DEBUG."""
        caplog.set_level(logging.DEBUG)
        company.delay(3600)
        label = labels_of(walk)[0]
        new = await made(issuer, walk, label)
        shown: list[object] = [await inspected(issuer, company, walk.rotation), new]
        shown.append(await issuer.labelled(walk.rotation, label))
        with pytest.raises(NotYetError) as caught:
            await issuer.verify(walk.rotation, new.value)
        shown += [caught.value, caught.value.__context__, caught.value.__cause__]
        await issuer.remove(walk.rotation, new.key_id)
        text = "\n".join([*(f"{one!r} {one}" for one in shown), caplog.text])
        assert self.mark(company) not in text
        assert "eyJ" not in text

    def test_permissions_are_declared(self) -> None:
        """Each right says where it is needed and what for."""
        assert self.kind.permissions
        assert all(p.plane and p.name and p.needed_for for p in self.kind.permissions)

    def test_targets_have_one_normal_form(self) -> None:
        """However people write a target, it becomes the same, and stays so."""
        settings = self.corpus.settings()
        for written, normal in self.corpus.good.items():
            assert self.kind.check_target(written, OURS, settings) == normal
            assert self.kind.check_target(normal, OURS, settings) == normal

    def test_malformed_targets_are_refused(self) -> None:
        """What can't be a target is refused with what was expected."""
        settings = self.corpus.settings()
        wrapped = [f"{pad}{good}" for good in self.corpus.good for pad in (" ", "\n")]
        wrapped += [f"{good}{pad}" for good in self.corpus.good for pad in (" ", "\n", "\0", "#", "?x=1")]
        for target in ("", *self.corpus.malformed, *wrapped):
            with pytest.raises(InputError) as caught:
                self.kind.check_target(target, OURS, settings)
            assert caught.value.code == "bad-input", target
            assert caught.value.expected

    def test_other_teams_targets_are_refused(self) -> None:
        """A vault names its own team's targets only, and one that no scope has names none."""
        settings = self.corpus.settings()
        assert self.kind.check_target(self.corpus.foreign, THEIRS, settings)
        for target, vault in (
            (self.corpus.foreign, OURS),
            (next(iter(self.corpus.good)), THEIRS),
            (self.corpus.foreign, UNKNOWN),
        ):
            with pytest.raises(ScopeError):
                self.kind.check_target(target, vault, settings)
