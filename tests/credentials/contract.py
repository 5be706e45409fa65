"""What every credential kind must do; subclass it for a new one, with what only that kind knows."""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar
from uuid import uuid4

import pytest

from activities.generate_credential import generate
from activities.open_record import open_record
from activities.retire_old_credential import retire
from local.storage import Azurite
from rekey import names
from rekey.errors import InputError, NotYetError, PermanentError, ScopeError, UnclearError
from rekey.inspection import Before
from rekey.model import Facts, Rotation, Walk
from rekey.nightly_settings import LIMITS, VAULT_CREATES
from rekey.ports import CredentialKind, NewCredential
from rekey.secret_value import SecretValue
from tests.core import company as companies
from tests.core.binding import OURS, THEIRS, UNKNOWN, Corpus
from tests.core.company import Company


@dataclass(frozen=True)
class Forgotten:
    """A right or a precondition that is missing: how it goes, and the error that must name it."""

    forget: Callable[[Company], object]
    code: str
    what_to_do: str
    """Part of it; `{target}` is the credential's."""


class CredentialContract(ABC):
    """The contract. Values are judged by the simulated services' own state."""

    kind: ClassVar[type[CredentialKind]]
    corpus: ClassVar[Corpus]
    forgotten: ClassVar[Sequence[Forgotten]]

    @abstractmethod
    def live(self, company: Company) -> dict[str, str]:
        """Return the values that the issuer takes, by key id."""

    @abstractmethod
    def ruin(self, company: Company) -> None:
        """Let every value be refused for good."""

    @abstractmethod
    def disown(self, company: Company) -> None:
        """Take the right to remove credentials of the target away."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test once for each of the subclass's cases."""
        if "missing" in metafunc.fixturenames:
            metafunc.parametrize("missing", self.forgotten, ids=[f.code for f in self.forgotten])

    @pytest.fixture
    async def company(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
    ) -> AsyncIterator[Company]:
        """Run a company with a storage account."""
        async with companies.company(tmp_path, monkeypatch, storage=azurite.connection_string) as running:
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
        facts = await _inspected(issuer, company, rotation)
        walk = Walk(rotation=rotation.knowing(facts), facts=facts)
        await open_record(company.desk, walk)
        return walk

    def test_it_declares_what_a_rotation_writes(self) -> None:
        """The nightly sweep paces by it: limits by their names, but Key Vault's, which every kind uses."""
        assert set(self.kind.writes) <= set(LIMITS) - {VAULT_CREATES}
        assert all(count > 0 for count in self.kind.writes.values())

    async def test_new_credential_is_found_by_its_label(self, issuer: CredentialKind, walk: Walk) -> None:
        """What was made under a label is found under that label and no other."""
        label, other = _labels(walk)
        made = await _made(issuer, walk, label)
        assert list(await issuer.labelled(walk.rotation, label)) == [made.key_id]
        assert list(await issuer.labelled(walk.rotation, other)) == []

    async def test_new_credential_ends_when_it_was_asked_to(self, issuer: CredentialKind, walk: Walk) -> None:
        """The end date is the one asked for."""
        made = await _made(issuer, walk, _labels(walk)[0])
        assert abs(made.expires - _end()) < timedelta(minutes=1)

    async def test_removed_credential_stops_and_others_go_on(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Removing one leaves every other as it was, and removing it again is no error."""
        one, two = [await _made(issuer, walk, label) for label in _labels(walk)]
        before = self.live(company)
        await issuer.remove(walk.rotation, one.key_id)
        await issuer.remove(walk.rotation, one.key_id)
        assert self.live(company) == {key: value for key, value in before.items() if key != one.key_id}
        await issuer.verify(walk.rotation, two.value)
        with pytest.raises((NotYetError, PermanentError)):
            await issuer.verify(walk.rotation, one.value)

    async def test_unknown_credential_is_gone_already(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Removing what isn't there is no error and touches nothing."""
        before = self.live(company)
        await issuer.remove(walk.rotation, str(uuid4()))
        assert self.live(company) == before

    async def test_old_value_works_until_it_is_retired(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Old and new are both valid until the old one is retired, and only the new one after."""
        old = await _old_value(company, walk.rotation)
        issued = await generate(company.desk, walk)
        await issuer.verify(walk.rotation, old)
        retired = await retire(company.desk, walk.but(issued=issued))
        assert list(retired.removed) == [walk.rotation.old_key_id]
        assert issued.key_id in self.live(company)
        with pytest.raises((NotYetError, PermanentError)):
            await issuer.verify(walk.rotation, old)

    async def test_unproved_old_credential_is_left_alone(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Without proof of which credential the old version holds, nothing old is touched, and that is said."""
        old = await _old_value(company, walk.rotation)
        issued = await generate(company.desk, walk)
        unproved = walk.rotation.knowing(Facts(object_id=walk.rotation.object_id, display_name=""))
        retired = await retire(company.desk, walk.but(rotation=unproved, issued=issued))
        assert retired.removed == ()
        assert "left alone" in retired.remark
        await issuer.verify(walk.rotation, old)

    async def test_new_value_is_not_known_at_first(self, company: Company, issuer: CredentialKind, walk: Walk) -> None:
        """While the issuer refuses the new value it is too early, and then it works."""
        company.delay(60)
        made = await _made(issuer, walk, _labels(walk)[0])
        with pytest.raises(NotYetError):
            await issuer.verify(walk.rotation, made.value)
        company.settle(61)
        await issuer.verify(walk.rotation, made.value)

    async def test_value_that_is_refused_for_good_is_a_permanent_error(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """A refusal that won't go away isn't waited for."""
        made = await _made(issuer, walk, _labels(walk)[0])
        self.ruin(company)
        with pytest.raises(PermanentError):
            await issuer.verify(walk.rotation, made.value)

    async def test_wrong_value_never_passes(self, issuer: CredentialKind, walk: Walk) -> None:
        """A value that nobody issued is refused, be it for now or for good."""
        with pytest.raises((NotYetError, PermanentError)):
            await issuer.verify(walk.rotation, SecretValue("never issued"))

    async def test_attempts_leave_one_new_credential(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """However an attempt dies, the next one removes what it left, and all later ones find the same result."""
        before = self.live(company)
        await company.fault("keyvault", method="PUT", path="/secrets/staged-", status=503)
        with pytest.raises(UnclearError):
            await generate(company.desk, walk)
        assert len(self.live(company)) == len(before) + 1
        issued = await generate(company.desk, walk)
        assert await generate(company.desk, walk) == issued
        assert set(self.live(company)) == {*before, issued.key_id}
        label = names.label(company.settings.deployment, walk.rotation.id)
        assert list(await issuer.labelled(walk.rotation, label)) == [issued.key_id]

    async def test_holdings_name_each_credential_with_label_and_dates(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """All that the issuer takes is listed, what was made under a label with that label and the end it was given."""
        label, _ = _labels(walk)
        target = walk.rotation.policy.credential.target
        made = await _made(issuer, walk, label)
        holdings = await issuer.holdings(target)
        assert target in issuer.targets(company.settings)
        assert (holdings.target, holdings.owned) == (target, True)
        assert {held.key_id for held in holdings.credentials} == set(self.live(company))
        (held,) = [held for held in holdings.credentials if held.label == label]
        assert (held.key_id, held.expires) == (made.key_id, made.expires)
        assert holdings.answered is not None
        assert abs(held.created - holdings.answered) < timedelta(minutes=5)

    async def test_discarded_credential_stops_and_others_go_on(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """What is discarded outside of any rotation is gone alone, and discarding it again is no error."""
        before = self.live(company)
        made = await _made(issuer, walk, _labels(walk)[0])
        holdings = await issuer.holdings(walk.rotation.policy.credential.target)
        await issuer.discard(holdings, made.key_id)
        await issuer.discard(holdings, made.key_id)
        assert self.live(company) == before

    async def test_target_that_may_not_be_written_is_not_owned(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Without the right to remove credentials the holdings say so."""
        self.disown(company)
        assert not (await issuer.holdings(walk.rotation.policy.credential.target)).owned

    async def test_inspection_changes_nothing(self, company: Company, issuer: CredentialKind, walk: Walk) -> None:
        """Looking leaves every service byte for byte as it was."""
        before = company.state()
        await _inspected(issuer, company, walk.rotation)
        assert company.state() == before

    async def test_missing_precondition_is_named(
        self, company: Company, issuer: CredentialKind, walk: Walk, missing: Forgotten
    ) -> None:
        """What is missing is named with what to do about it, before anything changes."""
        missing.forget(company)
        before = company.state()
        with pytest.raises(PermanentError) as caught:
            await _inspected(issuer, company, walk.rotation)
        assert caught.value.code == missing.code
        assert missing.what_to_do.format(target=walk.rotation.policy.credential.target) in caught.value.what_to_do
        assert company.state() == before

    async def test_nothing_is_shown(
        self, company: Company, issuer: CredentialKind, walk: Walk, caplog: pytest.LogCaptureFixture
    ) -> None:
        """No value and no token is in what is returned or raised, nor in any log at DEBUG."""
        caplog.set_level(logging.DEBUG)
        shown: list[object] = [await _inspected(issuer, company, walk.rotation)]
        made = await _made(issuer, walk, _labels(walk)[0])
        shown += [made, await issuer.labelled(walk.rotation, _labels(walk)[0])]
        company.delay(3600)
        with pytest.raises(NotYetError) as caught:
            await issuer.verify(walk.rotation, (await _made(issuer, walk, _labels(walk)[0])).value)
        shown += [caught.value, caught.value.__context__, caught.value.__cause__]
        await issuer.remove(walk.rotation, made.key_id)
        text = "\n".join([*(f"{one!r} {one}" for one in shown), caplog.text])
        assert company.scenario.canary not in text
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


class Asked:
    """The turn of a first attempt that nobody overtakes; `times` counts how often it asked."""

    def __init__(self, before: datetime | None = None) -> None:
        self.before = before
        self.times = 0

    async def ask(self) -> None:
        """Count."""
        self.times += 1


async def _old_value(company: Company, rotation: Rotation) -> SecretValue:
    found = await company.desk.vault(rotation.vault).read(rotation.secret, rotation.old_version)
    assert found
    return found[1]


async def _inspected(issuer: CredentialKind, company: Company, rotation: Rotation) -> Facts:
    return await issuer.inspect(rotation, Before(company.clients, rotation))


def _labels(walk: Walk) -> tuple[str, str]:
    return names.label("test", walk.rotation.id), names.label("other", walk.rotation.id)


def _end() -> datetime:
    return (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)


async def _made(issuer: CredentialKind, walk: Walk, label: str) -> NewCredential:
    return await issuer.generate(walk.rotation, label, _end(), Asked())
