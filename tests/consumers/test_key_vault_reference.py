"""Key Vault references of App Service against the contract, and what only they have."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, override

import pytest

from local.azure.keyvault_state import Version
from rekey.app_service import Site
from rekey.consumers.key_vault_reference import WHAT_TO_DO, KeyVaultReference
from rekey.errors import NotYetError, PermanentError
from rekey.model import ConsumerTarget, Rotation
from tests.consumers.contract import ConsumerContract, Forgotten, Wire
from tests.consumers.handed import Handed
from tests.consumers.hosting import AT, FOREIGN_SCOPE, SCOPE, delete, hosted, no_role, only_reader, site
from tests.core.binding import Corpus
from tests.core.company import Company

SCHEME = "key-vault-reference"
URI = f"{SCHEME}://{AT}/shop/REFERENCE"


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    """Run a company whose shop refers to the secret."""
    async with hosted(tmp_path, monkeypatch, URI) as running:
        yield running


def published(company: Company, value: str) -> Handed:
    """Store a new version of the secret and return it as a step hands it over."""
    made = Version(value, 0, 0)
    company.azure.cloud.keyvault.vaults[company.scenario.vault].store(company.scenario.secret, made)
    return Handed(value, made.id)


def set_to(company: Company, reference: str) -> None:
    """Give the setting another text."""
    shop = site(company)
    shop.replace({**shop.settings, "REFERENCE": reference})


def _pinned(company: Company) -> None:
    vault, secret = company.scenario.vault, company.scenario.secret
    latest = company.azure.cloud.keyvault.vaults[vault].secret(secret).latest.id
    set_to(company, f"@Microsoft.KeyVault(VaultName={vault};SecretName={secret};SecretVersion={latest})")


def _pinned_uri(company: Company) -> None:
    vault, secret = company.scenario.vault, company.scenario.secret
    latest = company.azure.cloud.keyvault.vaults[vault].secret(secret).latest.id
    origin = company.settings.cloud.vault_url(vault)
    set_to(company, f"@Microsoft.KeyVault(SecretUri={origin}/secrets/{secret}/{latest})")


def _denied(company: Company) -> None:
    company.azure.cloud.keyvault.vaults[company.scenario.vault].roles.popitem()
    site(company).refresh()


class TestKeyVaultReference(ConsumerContract):
    """The contract."""

    kind = KeyVaultReference
    corpus = Corpus(
        scope=SCOPE,
        foreign_scope=FOREIGN_SCOPE,
        good={URI: URI, f"{SCHEME}://{AT}/SHOP/REFERENCE?slot=Stage": f"{URI}?slot=stage"},
        malformed=(f"{SCHEME}://{AT}/shop", f"{URI}?version=1", f"{URI}?slot=", f"{SCHEME}://{AT}/shop/%52EFERENCE"),
        foreign=f"{SCHEME}://{AT}/theirs/REFERENCE".replace("rekey-sim", "theirs"),
    )
    forgotten = (
        Forgotten(no_role, "forbidden", "--role 'Website Contributor'"),
        Forgotten(only_reader, "not-allowed", "sites/shop"),
        Forgotten(lambda company: delete(company, site(company).id), "no-site", "Correct the secret's tags"),
        Forgotten(lambda company: set_to(company, "a value"), "no-reference", "app-setting://"),
        Forgotten(_pinned, "pinned-version", "Take the version out"),
        Forgotten(_pinned_uri, "pinned-version", "Take the version out"),
        Forgotten(_denied, "not-resolved", "Key Vault Secrets User"),
    )
    writes = Wire("arm", "POST")

    @pytest.fixture
    @override
    def new(self, company: Company) -> Handed:
        """Return a new version, which is in the vault before a consumer is told."""
        return published(company, company.new_password())

    @override
    def uri(self, rotation: Rotation) -> str:
        return next(c.uri for c in rotation.policy.consumers if c.kind == SCHEME)

    @override
    def held(self, company: Company) -> str:
        return site(company).environment()["REFERENCE"]

    @override
    def blank(self, company: Company, state: dict[str, Any]) -> None:
        told = state["arm"]["Microsoft.Web"][site(company).id]
        del told["environment"]["REFERENCE"], told["references"]["REFERENCE"]

    @override
    def add_unknown(self, company: Company) -> None:
        site(company).settings["From the future"] = "ü"

    @override
    def delete(self, company: Company) -> None:
        delete(company, site(company).id)


async def _inspected(company: Company) -> tuple[KeyVaultReference, Rotation, ConsumerTarget]:
    kind, rotation = KeyVaultReference(company.clients), await company.rotation()
    found = await kind.inspect(rotation, URI)
    return kind, rotation, ConsumerTarget(SCHEME, URI, found.object_id)


async def _refreshes(company: Company) -> int:
    return len([path for method, path in await company.requests("arm") if path.endswith("/refresh")])


async def test_published_version_is_asked_for_once_and_confirmed(company: Company) -> None:
    """The site is asked to read again, says that it has the published version, and isn't asked again."""
    kind, rotation, target = await _inspected(company)
    new = published(company, "second-value")
    with pytest.raises(NotYetError) as caught:
        await kind.confirm(rotation, target, new)
    assert caught.value.code == "old-version"
    for _ in range(2):
        await kind.update(rotation, target, new)
    assert await _refreshes(company) == 1
    assert "published version" in await kind.confirm(rotation, target, new)
    assert site(company).environment()["REFERENCE"] == "second-value"
    assert site(company).restarts == 0


async def test_no_value_is_read_or_sent(company: Company) -> None:
    """The kind needs neither the secret's value nor the site's settings."""

    class Unread(Handed):
        async def value(self) -> Any:
            raise AssertionError

    kind, rotation, target = await _inspected(company)
    new = Unread("second-value", published(company, "second-value").version)
    await kind.update(rotation, target, new)
    await kind.confirm(rotation, target, new)
    assert not [path for _, path in await company.requests("arm") if path.endswith("/appsettings/list")]


async def test_slow_refresh_is_waited_for(company: Company) -> None:
    """Until the site says that it has the published version, the consumer isn't done."""
    site(company).refresh_takes = timedelta(seconds=60)
    kind, rotation, target = await _inspected(company)
    new = published(company, "second-value")
    await kind.update(rotation, target, new)
    with pytest.raises(NotYetError):
        await kind.confirm(rotation, target, new)
    company.settle(60)
    assert await kind.confirm(rotation, target, new)


async def test_what_app_service_does_not_say_is_not_claimed(company: Company) -> None:
    """Where no version is told, the record says so, and that the reference was read again."""
    site(company).tells_version = False
    kind, rotation, target = await _inspected(company)
    new = published(company, "second-value")
    await kind.update(rotation, target, new)
    assert await _refreshes(company) == 1
    assert "which version it got, it doesn't say" in await kind.confirm(rotation, target, new)


WAYS_TO_WRITE_IT = (
    "SecretUri={origin}/secrets/{secret}",
    "SecretUri={origin}/secrets/{secret}/",
    "secreturi={origin}/secrets/{upper}/",
    "VaultName={vault};SecretName={secret}",
    "VaultName={vault};SecretName={secret};",
    "vaultname={vault};secretname={secret};SecretVersion=",
)
OTHERS = (
    "SecretUri={origin}/secrets/another",
    "SecretUri=https://{vault}.vault.evil.example/secrets/{secret}",
    "VaultName={staging};SecretName={secret}",
    "VaultName={vault};SecretName=another",
)


def written(company: Company, form: str) -> str:
    """Return a reference of that form."""
    scenario = company.scenario
    names = {"vault": scenario.vault, "secret": scenario.secret, "staging": scenario.staging}
    origin = company.settings.cloud.vault_url(scenario.vault)
    return f"@Microsoft.KeyVault({form.format(**names, origin=origin, upper=scenario.secret.upper())})"


async def test_every_way_to_write_a_reference_is_understood(company: Company) -> None:
    """App Service knows several ways to write the same, and so does the check."""
    for form in WAYS_TO_WRITE_IT:
        set_to(company, written(company, form))
        assert (await _inspected(company))[2].object_id == site(company).id


async def test_reference_to_another_secret_is_refused(company: Company) -> None:
    """A reference to another secret or vault doesn't become done by reading it again."""
    for form in OTHERS:
        set_to(company, written(company, form))
        with pytest.raises(PermanentError) as caught:
            await _inspected(company)
        assert caught.value.code == "other-secret"
        assert written(company, "SecretUri={origin}/secrets/{secret}/") in caught.value.what_to_do


def _with_status(company: Company, monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    resolved = {name: replace(one, status=status) for name, one in site(company).references().items()}
    monkeypatch.setattr(site(company), "references", lambda: resolved)


async def test_every_status_has_its_advice(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that can't be resolved is told with App Service's own word for it and what to do."""
    for status in (*WHAT_TO_DO, "SomethingNew"):
        _with_status(company, monkeypatch, status)
        with pytest.raises(PermanentError) as caught:
            await _inspected(company)
        known = status if status in WHAT_TO_DO else "OtherReasons"
        assert (caught.value.code, caught.value.what_to_do) == ("not-resolved", WHAT_TO_DO[known])
        assert known in caught.value.message


async def test_status_that_ends_by_itself_is_waited_for(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference that isn't resolved yet needs time and nobody."""
    for status in ("Initialized", "FetchTimedOut", ""):
        _with_status(company, monkeypatch, status)
        with pytest.raises(NotYetError) as caught:
            await _inspected(company)
        assert caught.value.code == "not-resolved"


async def test_access_lost_before_the_switch_is_told_when_confirming(company: Company) -> None:
    """A site that may not read the vault any more isn't done, however often it is asked."""
    kind, rotation, target = await _inspected(company)
    new = published(company, "second-value")
    _denied(company)
    await kind.update(rotation, target, new)
    with pytest.raises(PermanentError) as caught:
        await kind.confirm(rotation, target, new)
    assert "AccessToKeyVaultDenied" in caught.value.message


async def test_answer_without_the_references_text_is_judged_by_its_parts(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the text isn't told, vault, secret and version as App Service took them decide."""
    told = {"vaultName": company.scenario.vault, "secretName": company.scenario.secret, "status": "Resolved"}

    async def answer(_site: Site, _name: str) -> dict[str, Any]:
        return told

    monkeypatch.setattr(Site, "reference", answer)
    assert (await _inspected(company))[2].object_id
    told["secretVersion"] = "0" * 32
    with pytest.raises(PermanentError) as caught:
        await _inspected(company)
    assert caught.value.code == "pinned-version"
