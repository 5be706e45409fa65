"""What a listing says about a secret, without its value."""

from datetime import UTC, datetime, timedelta

import pytest

from rekey.errors import ScopeError
from rekey.inventory import Care, judge
from rekey.reconcile import secrets
from rekey.vault import Listed
from tests.rekey import toys

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TAGS = {"rekey-credential": f"toy:{toys.APP}", "rekey-lead": "P30D"}


@pytest.fixture(autouse=True)
def _toys(monkeypatch: pytest.MonkeyPatch) -> None:
    toys.install(monkeypatch)


def listed(*, days: float | None = 100, tags: dict[str, str] | None = None, enabled: bool = True) -> Listed:
    expires = NOW + timedelta(days=days) if days is not None else None
    created = NOW - timedelta(days=80)
    return Listed(
        name="Build-SP", enabled=enabled, created=created, expires=expires, tags=TAGS if tags is None else tags
    )


def test_a_tagged_secret_is_managed_and_has_a_date() -> None:
    """Lead and the spare day before the end, and not due until then."""
    item = judge("KV-Shop", listed(), toys.settings(), NOW)
    assert (item.vault, item.secret, item.care, item.is_due) == ("kv-shop", "build-sp", Care.MANAGED, False)
    assert item.due_from == NOW + timedelta(days=100 - 31)
    assert item.policy is not None
    assert item.policy.credential.target == toys.APP


def test_what_is_near_its_end_is_due() -> None:
    """Less than the lead is left."""
    assert judge("kv-shop", listed(days=29), toys.settings(), NOW).is_due


def test_a_disabled_newest_version_is_never_due() -> None:
    """Somebody switched it off; reading it would fail, and so would a rotation."""
    item = judge("kv-shop", listed(days=1, enabled=False), toys.settings(), NOW)
    assert (item.is_due, item.why) == (False, "its newest version is disabled")


def test_without_an_end_there_is_no_date() -> None:
    """Nothing says when it would be due."""
    item = judge("kv-shop", listed(days=None), toys.settings(), NOW)
    assert (item.is_due, item.due_from) == (False, None)
    assert "no expiry date" in item.why


def test_credential_that_never_ends_is_rotated_by_the_age_of_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage account's key has no end, and its secret need not have one: the lifetime says when it is due."""
    monkeypatch.setattr(toys.ToyPassword, "never_ends", True)
    tags = {**TAGS, "rekey-lifetime": "P100D", "rekey-lead": "P10D"}
    item = judge("kv-shop", listed(days=None, tags=tags), toys.settings(), NOW)
    assert (item.is_due, item.due_from) == (False, item.created + timedelta(days=100 - 11))
    assert judge("kv-shop", listed(days=None, tags={**tags, "rekey-lifetime": "P90D"}), toys.settings(), NOW).is_due
    assert list(secrets.findings(item)) == []


def test_most_secrets_are_none_of_ours() -> None:
    """No tags, no policy."""
    assert judge("kv-shop", listed(tags={"team": "shop"}), toys.settings(), NOW).care == Care.UNTAGGED


def test_a_bad_tag_is_named_but_never_quoted() -> None:
    """People paste passwords into tags, and here the value that would be hidden isn't known."""
    pasted = TAGS | {"rekey-lifetime": "Zq8~pasted-password"}
    item = judge("kv-shop", listed(tags=pasted), toys.settings(), NOW)
    assert (item.care, item.bad_tags, item.is_due) == (Care.BAD_POLICY, ("rekey-lifetime",), False)
    assert "pasted" not in item.why


def test_a_vault_outside_the_scopes_is_refused() -> None:
    """Settings decide which vaults there are."""
    with pytest.raises(ScopeError):
        judge("kv-elsewhere", listed(), toys.settings(), NOW)
