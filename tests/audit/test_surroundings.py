"""What is known of a vault while its log is judged: tags and rotations, never older than the accesses."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from azure.core.rest import HttpRequest
from msgspec.structs import replace

from local.scenario import Scenario
from local.storage import Azurite
from rekey import names
from rekey.audit import surroundings
from rekey.audit.access import Access, Caller
from rekey.audit.ports import Known, Watched
from rekey.errors import PermanentError
from rekey.model import Reason
from rekey.policy import tags_for_new_version
from rekey.records import Entry, Record
from rekey.secret_value import SecretValue
from rekey.vault import Vault, Version
from tests.audit.lines import APP, OBJECT, V1, V2
from tests.core import company as companies
from tests.core.company import ROTATION, Company
from tests.rekey.toys import settings

STRANGER = Caller(app_id="eeeeeeee-0000-4000-8000-000000000001")
NOW = datetime(2030, 1, 5, 12, tzinfo=UTC)


@dataclass
class Shop:
    """A company whose managed secret names its readers, and what is known of its vault."""

    company: Company

    @property
    def secret(self) -> str:
        """The managed secret."""
        return self.company.scenario.secret

    @property
    def vault(self) -> Vault:
        """The vault it is in."""
        return self.company.desk.vault(self.company.scenario.vault)

    def access(self, operation: str = "SecretGet", **fields: Any) -> Access:
        """Return something that a stranger has just done with the secret."""
        now = datetime.now(UTC)
        vault = self.company.scenario.vault
        base = Access(
            vault=vault, operation=operation, status=200, caller=STRANGER, first=now, last=now, secret=self.secret
        )
        return replace(base, **fields)

    async def known(self, *accesses: Access) -> Known:
        """Return what is known while these are judged."""
        return await surroundings.known(self.company.clients, self.company.scenario.vault.upper(), accesses)

    async def watched(self, *accesses: Access) -> Watched:
        """Return what is known of the secret meanwhile."""
        return (await self.known(*accesses)).secret(self.secret)

    async def asked(self) -> list[str]:
        """Return what the vault was asked for so far."""
        return [path for _, path in await self.company.requests("keyvault")]

    async def rotated(self) -> tuple[Version, Version]:
        """Publish a version as a rotation does, with its record; return the old one and the new one."""
        old, _ = await self.vault.current(self.secret)
        tags = tags_for_new_version(old.tags, ROTATION, "key")
        new = await self.vault.set(self.secret, SecretValue("new"), tags=tags)
        await self.company.clients.storage_ready()
        await self.company.desk.records().open(record(self.company.scenario, old.id, published(new.id)))
        return old, new


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Shop]:
    """Run it."""
    scenario = Scenario(tags={"rekey-readers": APP.upper()})
    async with companies.company(tmp_path, monkeypatch, scenario, azurite.connection_string) as running:
        yield Shop(running)


def published(version: str) -> Entry:
    """Return what the step that publishes puts down."""
    return Entry(step=names.SET_SECRET_VERSION, outcome="ok", at=NOW, detail={"version": version, "expires": None})


def record(scenario: Scenario, old: str, *entries: Entry) -> Record:
    """Return the record of a rotation that is on its way."""
    return Record(
        rotation_id=ROTATION,
        instance_id="rotate.kv-shop.deploy",
        deployment="test",
        vault=scenario.vault,
        secret=scenario.secret,
        reason=Reason.EVENT,
        opened=NOW,
        policy_digest="digest",
        old_version=old,
        entries=entries,
    )


async def test_tags_and_the_rotation_tell_what_is_expected(shop: Shop) -> None:
    """Readers, owners, which version is current since when, and what the rotation still keeps valid."""
    old, new = await shop.rotated()
    watched = await shop.watched(shop.access(version=old.id))
    assert watched == Watched(
        managed=True,
        readers=frozenset({APP}),
        owners=(shop.company.scenario.owner,),
        current=new.id,
        previous=old.id,
        rotation=ROTATION,
        switched=new.created + timedelta(seconds=1),
        in_grace=True,
    )
    await shop.company.desk.records().close(ROTATION, "done")
    assert not (await shop.watched(shop.access(version=old.id))).in_grace


async def test_a_version_of_somebody_else_is_no_rotations(shop: Shop) -> None:
    """Its tags may be copied from the one before: then nobody knows what is current, and no read is of an old one."""
    old, new = await shop.rotated()
    shop.company.settle(2)
    await shop.vault.set(shop.secret, SecretValue("other"), tags=new.tags)
    watched = await shop.watched(shop.access(version=old.id))
    assert (watched.managed, watched.current, watched.rotation) == (True, "", "")


async def test_a_version_without_tags_is_one_of_a_managed_secret(shop: Shop) -> None:
    """Who overwrites a secret and its tags with it doesn't get around the rule against it, nor around the owners."""
    shop.company.settle(2)
    await shop.vault.set(shop.secret, SecretValue("other"), tags={})
    await shop.vault.set("new", SecretValue("x"), tags={})
    assert not (await shop.watched(shop.access())).managed
    known = await shop.known(shop.access("SecretSet"), shop.access("SecretSet", secret="new"))
    watched = known.secret(shop.secret)
    assert (watched.managed, watched.owners, watched.readers) == (
        True,
        (shop.company.scenario.owner,),
        frozenset({APP}),
    )
    assert not known.secret("new").managed
    assert not (await shop.watched(shop.access("SecretSet", secret="gone"))).managed


async def test_a_deleted_secret_still_says_whose_it_was(shop: Shop) -> None:
    """Its owners are told, and its readers of a minute before are no strangers; once it is purged, nobody knows."""
    assert (await shop.watched(shop.access())).managed
    client = shop.company.clients.vault(shop.company.scenario.vault)
    await client.send_request(HttpRequest("DELETE", f"/secrets/{shop.secret}"))
    for _ in range(400):  # it takes a while, and is gone meanwhile
        if await shop.vault.tags_of_deleted(shop.secret):
            break
        await asyncio.sleep(0.05)
    assert await shop.watched(shop.access()) == Watched()
    watched = await shop.watched(shop.access(), shop.access("SecretDelete"))
    assert (watched.owners, watched.readers) == ((shop.company.scenario.owner,), frozenset({APP}))
    await shop.vault.destroy(shop.secret)
    assert await shop.watched(shop.access("SecretPurge")) == Watched()


async def test_the_vault_is_asked_only_where_others_did_something_since(shop: Shop) -> None:
    """Rekey's own work costs nothing; a listing counts for all that was done before it, and only for that."""
    identity = shop.company.azure.cloud.directory.identity("rekey")
    own = Caller(app_id=identity.client_id.lower(), object_id=identity.object_id.lower())
    known = await shop.known(shop.access(caller=own), shop.access("SecretList", secret=""))
    assert known.own == own.known_as()
    assert await shop.asked() == []
    first = shop.access()
    await shop.known(first)
    once = len(await shop.asked())
    assert once > 0
    await shop.known(first, shop.access(last=first.last - timedelta(minutes=1)))
    assert len(await shop.asked()) == once
    await shop.vault.set("new", SecretValue("x"), tags={"rekey-readers": OBJECT})
    assert (await shop.known(shop.access(secret="new"))).secret("new").readers == frozenset({OBJECT})


async def test_nobody_has_anything_to_do_in_the_staging_vault(shop: Shop) -> None:
    """What is known of it is only that it is closed."""
    clients, staging = shop.company.clients, shop.company.scenario.staging
    known = await surroundings.known(clients, staging.upper(), [shop.access(vault=staging)])
    assert (known.closed, known.secrets, await shop.asked()) == (True, {}, [])


async def test_the_settings_name_a_vaults_own_readers(shop: Shop) -> None:
    """None where they don't; nobody where they say so."""
    assert (await shop.known()).readers is None
    audit, vault = shop.company.settings.audit, shop.company.scenario.vault
    for ids in ((APP,), ()):
        shop.company.clients.settings = replace(shop.company.settings, audit=replace(audit, readers={vault: ids}))
        assert (await shop.known()).readers == frozenset(ids)


async def test_a_vault_that_is_gone_does_not_hide_its_end(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While it can't be looked at, its log waits; after an hour it is judged by what is known without."""
    await shop.known(shop.access())
    shop.company.azure.cloud.keyvault.vaults[shop.company.scenario.vault].roles.clear()
    with pytest.raises(PermanentError):
        await shop.known(shop.access())
    monkeypatch.setattr(surroundings, "GIVEN_UP", timedelta())
    assert (await shop.known(shop.access())).secrets == {}
    assert "judged without its secrets' tags" in caplog.text


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({}, Watched()),
        ({"rekey-readers": f"{APP}, {OBJECT}"}, Watched(readers=frozenset({APP, OBJECT}))),
        ({"rekey-readers": "everybody"}, Watched()),
        ({"rekey-owners": "a@contoso.example, b@elsewhere.example"}, Watched()),
        ({"rekey-owners": "a@contoso.example"}, Watched(owners=("a@contoso.example",))),
        ({"azureADAppId": APP}, Watched(managed=True)),
        ({"rekey-credential": "nonsense"}, Watched(managed=True)),
    ],
)
def test_tags_that_cannot_be_used_say_nothing(tags: dict[str, str], expected: Watched) -> None:
    """Whoever may tag chooses among what settings allow; a bad policy is one of a managed secret nevertheless."""
    assert surroundings.of_tags(tags, settings()) == expected


NEWEST = Version(id=V2, enabled=True, created=NOW, expires=None, content_type=None, tags={})
SHOP = Scenario(vault="kv-shop", secret="Deploy")


@pytest.mark.parametrize(
    "other",
    [
        record(SHOP, V1),
        record(SHOP, V1, published(V1)),
        record(SHOP, V1, published(V2), published(V1)),
        replace(record(SHOP, V1, published(V2)), vault="kv-other"),
        replace(record(SHOP, V1, published(V2)), secret="other"),
        record(SHOP, V1, replace(published(V2), outcome="retry-after", detail=None)),
    ],
)
def test_a_record_of_something_else_proves_nothing(other: Record) -> None:
    """The tag names a rotation, and anybody may write it: the record has to be of this secret's newest version."""
    assert surroundings.published(Watched(), "kv-shop", "deploy", NEWEST, other) == Watched()


@pytest.mark.parametrize(
    ("its", "in_grace"),
    [
        (record(SHOP, V1, published(V2)), True),
        (replace(record(SHOP, V1, published(V2)), state="closed"), False),
        (record(SHOP, V1, published(V2), Entry(step="retire_old_credential", outcome="ok", at=NOW)), False),
        (record(SHOP, V1, published(V2), Entry(step="retire_old_credential", outcome="retry-after", at=NOW)), True),
    ],
)
def test_grace_ends_when_the_old_credential_is_retired(its: Record, *, in_grace: bool) -> None:
    """Or when the rotation is over, whatever came of it."""
    watched = surroundings.published(Watched(), "kv-shop", "deploy", NEWEST, its)
    assert (watched.current, watched.previous, watched.in_grace) == (V2, V1, in_grace)
