"""What every kind must do whose issuer makes as many credentials as asked, labels them and shows a value once.

Subclass it for a new one, with what only that kind knows.
"""

from abc import abstractmethod
from datetime import timedelta
from uuid import uuid4

import pytest

from activities.generate_credential import generate
from rekey import names
from rekey.errors import NotYetError, PermanentError, UnclearError
from rekey.model import Walk
from rekey.ports import CredentialKind
from tests.core.company import Company
from tests.credentials.any_kind import AnyKindContract
from tests.credentials.attempts import labels_of, made


class CredentialContract(AnyKindContract):
    """The contract. Values are judged by the simulated services' own state."""

    @abstractmethod
    def disown(self, company: Company) -> None:
        """Take the right to remove credentials of the target away."""

    async def test_new_credential_is_found_by_its_label(self, issuer: CredentialKind, walk: Walk) -> None:
        """What was made under a label is found under that label and no other."""
        label, other = labels_of(walk)
        new = await made(issuer, walk, label)
        assert list(await issuer.labelled(walk.rotation, label)) == [new.key_id]
        assert list(await issuer.labelled(walk.rotation, other)) == []

    async def test_removed_credential_stops_and_others_go_on(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Removing one leaves every other as it was, and removing it again is no error."""
        one, two = [await made(issuer, walk, label) for label in labels_of(walk)]
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
        label, _ = labels_of(walk)
        target = walk.rotation.policy.credential.target
        new = await made(issuer, walk, label)
        holdings = await issuer.holdings(target)
        assert target in issuer.targets(company.settings)
        assert (holdings.target, holdings.owned) == (target, True)
        assert {held.key_id for held in holdings.credentials} == set(self.live(company))
        (held,) = [held for held in holdings.credentials if held.label == label]
        assert (held.key_id, held.expires) == (new.key_id, new.expires)
        assert holdings.answered is not None
        assert abs(held.created - holdings.answered) < timedelta(minutes=5)

    async def test_discarded_credential_stops_and_others_go_on(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """What is discarded outside of any rotation is gone alone, and discarding it again is no error."""
        before = self.live(company)
        new = await made(issuer, walk, labels_of(walk)[0])
        holdings = await issuer.holdings(walk.rotation.policy.credential.target)
        await issuer.discard(holdings, new.key_id)
        await issuer.discard(holdings, new.key_id)
        assert self.live(company) == before

    async def test_target_that_may_not_be_written_is_not_owned(
        self, company: Company, issuer: CredentialKind, walk: Walk
    ) -> None:
        """Without the right to remove credentials the holdings say so."""
        self.disown(company)
        assert not (await issuer.holdings(walk.rotation.policy.credential.target)).owned
