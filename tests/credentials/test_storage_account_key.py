"""Keys of a storage account, made anew in turn."""

import contextlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import msgspec
import pytest

from activities.generate_credential import generate
from activities.open_record import open_record
from activities.read_policy import read
from activities.retire_old_credential import retire
from activities.set_secret_version import publish
from local.azure.arm import ResourceManager
from local.azure.arm_access import Access
from local.azure.arm_storage_state import Key, StorageAccount, new_key
from local.storage import Azurite
from local.storage_scenario import StorageScenario
from rekey import storage_account
from rekey.credentials import storage_account_key
from rekey.credentials.storage_account_key import StorageAccountKey
from rekey.errors import NotYetError, PermanentError
from rekey.inspection import Before
from rekey.model import Facts, Issued, Question, Reason, RotationRequest, Walk
from rekey.secret_value import SecretValue
from rekey.storage_account import KEY_OPERATOR
from rekey.storage_value import key_in
from tests.core import company as companies
from tests.core.binding import Corpus
from tests.core.company import Company
from tests.credentials.any_kind import Forgotten
from tests.credentials.attempts import Asked
from tests.credentials.regenerated import RegeneratedContract, newest

SUBSCRIPTION = "aaaaaaaa-0000-4000-8000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
SHOP = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/shopdata"
THEIRS = SHOP.replace("resourceGroups/shop", "resourceGroups/bank")


def account_of(company: Company) -> StorageAccount:
    """Return the account as the simulation knows it."""
    assert isinstance(company.scenario, StorageScenario)
    return company.azure.cloud.storage_accounts.accounts[company.scenario.account]


def key_id(company: Company, name: str) -> str:
    """Return the id of a key as it is now."""
    return f"{name}@{account_of(company).keys[name].creation_time() or 'unknown'}"


def _access(company: Company) -> Access:
    service = company.azure.cloud.services["arm"]
    assert isinstance(service, ResourceManager)
    return service.access


def _revoke(role: str) -> Forgotten:
    return Forgotten(lambda c: _access(c).revoke(role), "forbidden", f"--role '{role}' --scope {{target}}")


class TestStorageAccountKey(RegeneratedContract):
    """The kind keeps the contract."""

    kind = StorageAccountKey
    service = "arm"
    path = "/regenerateKey"
    corpus = Corpus(
        scope={"resources": [GROUP, f"{SHOP[:-8]}other"]},
        foreign_scope={"resources": [THEIRS]},
        good={
            SHOP: SHOP,
            SHOP.replace("resourceGroups/shop", "RESOURCEGROUPS/Shop").replace("Microsoft.S", "microsoft.s"): SHOP,
            SHOP.replace("shopdata", "ShopData").replace(SUBSCRIPTION, SUBSCRIPTION.upper()): SHOP,
        },
        malformed=(
            "shopdata",
            f"{SHOP}/",
            f"{SHOP}/blobServices/default",
            f"{SHOP}/../../../../../resourceGroups/bank",
            SHOP.replace("shopdata", ".."),
            SHOP.replace("shopdata", "shop-data"),
            SHOP.replace("shopdata", "s" * 25),
            SHOP.replace("shopdata", "sh"),
            SHOP.replace("shopdata", "shop%2fdata"),
            SHOP.replace("shopdata", "shopdata@evil.example"),
            SHOP.replace("shopdata", "shopdat\uff41"),
            SHOP.replace(SUBSCRIPTION, "not-a-guid"),
            SHOP.replace("Microsoft.Storage", "Microsoft.ClassicStorage"),
            f"https://management.azure.com{SHOP}",
            f"//{SHOP}",
            "https://shopdata.blob.core.windows.net",
        ),
        foreign=THEIRS,
    )
    forgotten = (
        _revoke("Storage Account Key Operator Service Role"),
        _revoke("Reader"),
        Forgotten(lambda c: setattr(account_of(c), "lock", "ReadOnly"), "locked", "az lock"),
    )

    def scenario(self) -> StorageScenario:
        """Return a company whose secret holds a connection string."""
        return StorageScenario()

    def mark(self, company: Company) -> str:
        """Return the letters and digits of the canary."""
        return company.scenario.canary.replace("~", "").replace("-", "")

    def usable(self, company: Company, value: SecretValue) -> SecretValue:
        """Return the key in a connection string."""
        return key_in(value, account_of(company).name)

    def live(self, company: Company) -> dict[str, str]:
        """Return both keys."""
        return {key_id(company, name): key.value for name, key in account_of(company).keys.items()}

    def ruin(self, company: Company) -> None:
        """Keep Rekey's network out."""
        account_of(company).default_action = "Deny"

    def regenerations(self, company: Company) -> int:
        """Return what the account counts."""
        return account_of(company).regenerations

    def meddle(self, company: Company, key_id: str) -> None:
        """Make that key anew by hand."""
        cloud = company.azure.cloud
        account_of(company).regenerate(key_id.partition("@")[0], cloud.clock, cloud.canary)

    def without_target(self, company: Company) -> bytes:
        """Return the whole state but the account and the managed secret."""
        state = msgspec.json.decode(company.state())
        assert isinstance(company.scenario, StorageScenario)
        del state["arm"]["Microsoft.Storage"][company.scenario.account]
        del state["keyvault"]["vaults"][company.scenario.vault]["secrets"][company.scenario.secret]
        return msgspec.json.encode(state)

    def settle_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let nothing be under way, and lists never lag."""
        monkeypatch.setattr(storage_account_key, "SETTLED", -storage_account_key.SETTLED)
        monkeypatch.setattr(storage_account_key, "APART", 0.0)

    def wait_for_answers(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Undo what lets nothing be under way."""
        monkeypatch.setattr(storage_account_key, "SETTLED", abs(storage_account_key.SETTLED))

    def time_passes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let a moment be too long."""
        monkeypatch.setattr(storage_account, "SEND_WITHIN", -1.0)


@contextlib.asynccontextmanager
async def running(
    folder: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite, scenario: StorageScenario
) -> AsyncIterator[Company]:
    """Run a company whose secret holds a key of a storage account."""
    monkeypatch.setattr(storage_account_key, "APART", 0.0)
    async with companies.company(folder, monkeypatch, scenario, storage=azurite.connection_string) as company:
        await company.clients.storage_ready()
        yield company


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Company]:
    """Run a company that doesn't let Rekey adopt what it didn't make, with the bare key in its secret."""
    async with running(tmp_path, monkeypatch, azurite, StorageScenario(adopt=False, form="key")) as made:
        yield made


async def _facts(company: Company, reason: Reason = Reason.MANUAL, **changes: object) -> Facts:
    rotation = msgspec.structs.replace(await company.rotation(str(uuid4()), reason), **changes)
    return await StorageAccountKey(company.clients).inspect(rotation, Before(company.clients, rotation))


async def _walk(company: Company) -> Walk:
    rotation = await company.rotation(str(uuid4()))
    facts = await StorageAccountKey(company.clients).inspect(rotation, Before(company.clients, rotation))
    walk = Walk(rotation=rotation.knowing(facts), facts=facts)
    await open_record(company.desk, walk)
    return walk


async def _rotated(company: Company) -> Issued:
    """Take a rotation to its end."""
    walk = await _walk(company)
    walk = walk.but(issued=await generate(company.desk, walk))
    await publish(company.desk, walk)
    await retire(company.desk, walk)
    assert walk.issued
    return walk.issued


async def _set(company: Company, value: str, **tags: str) -> None:
    """Set the secret by hand, with its tags and these."""
    vault, secret = company.desk.vault(company.scenario.vault), company.scenario.secret
    current, _ = await vault.current(secret)
    await vault.set(secret, SecretValue(value), tags={**current.tags, **tags})


async def test_keys_take_turns_and_only_what_rekey_made_is_retired(company: Company) -> None:
    """The first old key was made by others and stays; from then on each old key is one that Rekey made."""
    by_hand = account_of(company).keys["key1"].value
    first = await _facts(company)
    assert (first.old_key_id, first.next_key_id) == (None, key_id(company, "key2"))
    assert "rekey-adopt" in first.left_alone
    assert first.left_alone in first.remarks
    made = [await _rotated(company)]
    assert account_of(company).keys["key1"].value == by_hand
    second = await _facts(company)
    assert (second.old_key_id, second.next_key_id) == (made[0].key_id, key_id(company, "key1"))
    made += [await _rotated(company), await _rotated(company)]
    assert [one.key_id.partition("@")[0] for one in made] == ["key2", "key1", "key2"]
    assert newest(company)["value"] == account_of(company).keys["key2"].value
    assert account_of(company).regenerations == 1 + 2 + 2


async def test_a_leaked_key_is_made_anew_whoever_made_it(company: Company) -> None:
    """Who made the old key doesn't matter once it is known to strangers."""
    facts = await _facts(company, Reason.LEAK)
    assert (facts.old_key_id, facts.left_alone) == (key_id(company, "key1"), "")


async def test_a_record_of_another_secret_proves_nothing(company: Company) -> None:
    """Tags copied to another secret name a rotation that was not of that one: its key is left alone."""
    issued = await _rotated(company)
    tags, value = newest(company)["tags"], newest(company)["value"]
    assert (await _facts(company)).old_key_id == issued.key_id
    await company.desk.vault(company.scenario.vault).set("copy", SecretValue(value), tags=tags)
    await company.desk.vault(company.scenario.vault).destroy(company.scenario.secret)
    version, _ = await company.desk.vault(company.scenario.vault).current("copy")
    await company.clients.aclose()
    request = RotationRequest(vault=company.scenario.vault, secret="copy", reason=Reason.MANUAL)
    question = Question(request=request, rotation_id=str(uuid4()), started=datetime.now(UTC))
    copied = (await read(company.desk, question)).rotation
    assert copied
    assert copied.old_version == version.id
    facts = await StorageAccountKey(company.clients).inspect(copied, Before(company.clients, copied))
    assert (facts.old_key_id, facts.next_key_id) == (None, key_id(company, "key1"))


@pytest.mark.parametrize("value", ["the same key", "the other key"])
async def test_two_secrets_of_one_account_are_not_rotated(company: Company, value: str) -> None:
    """Each rotation would break the key that the other secret holds: the other one is named, nothing is changed."""
    key, vault = account_of(company).keys["key1" if "same" in value else "key2"].value, company.scenario.vault
    assert isinstance(company.scenario, StorageScenario)
    tags = {"ProviderAddress": company.scenario.account_id.upper().replace("/SUBSCRIPTIONS", "/subscriptions")}
    await company.desk.vault(vault).set("connection", SecretValue(f"AccountName=x;AccountKey={key}"), tags=tags)
    with pytest.raises(PermanentError) as caught:
        await _facts(company)
    assert caught.value.code == "key-shared"
    assert f"{vault}/connection" in caught.value.message
    await company.desk.vault(vault).set("connection", SecretValue("x"), tags={})
    await company.clients.aclose()
    assert (await _facts(company)).next_key_id == key_id(company, "key2")


async def test_secrets_of_other_credentials_are_no_hindrance(company: Company) -> None:
    """What else is managed in the vault has nothing to do with the account."""
    tags = {"azureADAppId": company.settings.scopes[0].applications[0]}
    await company.desk.vault(company.scenario.vault).set("password", SecretValue("x"), tags=tags)
    assert (await _facts(company)).next_key_id == key_id(company, "key2")


async def test_vaults_that_may_not_be_read_are_no_hindrance(company: Company) -> None:
    """Where Rekey can't look it can't rotate either."""
    elsewhere = msgspec.structs.replace(company.settings.scopes[0], vaults=("kv-elsewhere",))
    scopes = (*company.settings.scopes, elsewhere)
    company.clients.settings = msgspec.structs.replace(company.settings, scopes=scopes)
    await company.azure.seed({"vaults": {"kv-elsewhere": {}}})
    assert (await _facts(company)).next_key_id == key_id(company, "key2")


async def test_the_key_in_use_is_known_by_its_value_whatever_tags_claim(company: Company) -> None:
    """Tags are written by others: the key that the secret holds is never the one that is made anew."""
    for claim in ("key1", "key2", "key9"):
        tags = {"CredentialId": claim, "rekey-key-id": f"{claim}@{account_of(company).keys['key1'].creation_time()}"}
        await _set(company, account_of(company).keys["key2"].value, **tags)
        assert (await _facts(company)).next_key_id == key_id(company, "key1")


async def test_a_value_that_is_no_key_any_more_leaves_it_to_the_tag(company: Company) -> None:
    """If the value is neither key, the other one than a tag names is made anew; nothing old is retired."""
    for tag, claim, chosen in (
        ("CredentialId", "key1", "key2"),
        ("CredentialId", "key2", "key1"),
        ("rekey-key-id", "key1@2020-01-01T00:00:00.0000000Z", "key2"),
    ):
        await _set(company, new_key(""), **{tag: claim})
        facts = await _facts(company)
        assert (facts.old_key_id, facts.next_key_id) == (None, key_id(company, chosen))
        assert any("neither of the account's keys" in remark for remark in facts.remarks)


async def test_without_a_tag_the_older_key_is_made_anew(company: Company) -> None:
    """Whoever uses the account without Rekey most likely uses the key that was made last."""
    await _set(company, new_key(""))
    facts = await _facts(company, Reason.LEAK)
    assert (facts.old_key_id, facts.next_key_id) == (None, key_id(company, "key2"))
    assert any("older key, key2" in remark for remark in facts.remarks)


async def test_nothing_is_guessed(company: Company) -> None:
    """Without value, tag or age nobody can say which key is in use: nothing is made anew."""
    keys = account_of(company).keys
    await _set(company, new_key(""))
    keys["key2"].created = keys["key1"].created
    for age_known in (True, False):
        keys["key2"].age_known = age_known
        with pytest.raises(PermanentError) as caught:
            await _facts(company)
        assert caught.value.code == "key-in-use-unknown"
        assert "CredentialId" in caught.value.what_to_do


async def test_values_of_another_form_are_refused_beforehand(company: Company) -> None:
    """What is no key of this account isn't replaced by one."""
    for value, code in (
        ("changeme", "no-storage-key"),
        ("AccountName=another;AccountKey=" + new_key(""), "other-account"),
        ("BlobEndpoint=https://x.example/;SharedAccessSignature=sig", "no-storage-key"),
    ):
        await _set(company, value)
        with pytest.raises(PermanentError) as caught:
            await _facts(company)
        assert caught.value.code == code


async def test_keys_without_creation_time_can_be_told_apart_once_they_are_made(company: Company) -> None:
    """An account older than creation times: the keys made from now on have one, and so both are retired in turn."""
    for key in account_of(company).keys.values():
        key.age_known = False
    assert (await _facts(company)).next_key_id == "key2@unknown"
    first, second = await _rotated(company), await _rotated(company)
    assert "unknown" not in first.key_id + second.key_id
    assert newest(company)["value"] == account_of(company).keys["key1"].value


async def test_key_of_unknown_age_that_got_one_was_made_anew_by_somebody(company: Company) -> None:
    """No creation time is one, too: a key that has one now isn't the one that was looked at."""
    account_of(company).keys["key2"].age_known = False
    walk = await _walk(company)
    account_of(company).regenerate("key2", company.azure.cloud.clock, "")
    with pytest.raises(PermanentError) as caught:
        await generate(company.desk, walk)
    assert caught.value.code == "key-changed"


async def test_service_that_never_says_creation_times_is_refused(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new key without a creation time can't be told from the next one: it isn't published, the old one works on."""
    monkeypatch.setattr(Key, "creation_time", lambda _key: None)
    walk = await _walk(company)
    before = newest(company)
    with pytest.raises(PermanentError) as caught:
        await generate(company.desk, walk)
    assert caught.value.code == "no-creation-time"
    assert newest(company)["id"] == before["id"]


async def test_account_that_lets_no_keys_in_is_rotated_and_recommended_for_retirement(company: Company) -> None:
    """Where nobody can use a key, it isn't tried: it is enough that the account lists it; and that is said."""
    account_of(company).allow_shared_key_access = False
    facts = await _facts(company)
    assert any("Retire it" in remark for remark in facts.remarks)
    issued = await _rotated(company)
    assert account_of(company).keys["key2"].value == newest(company)["value"]
    assert await company.requests("storage-account") == []
    with pytest.raises(PermanentError) as caught:
        await _verify(company, new_key(""))
    assert caught.value.code == "not-a-key"
    assert issued.key_id == key_id(company, "key2")


async def test_keys_switched_off_meanwhile_are_no_failure(company: Company) -> None:
    """The refusal of keys as such is understood from the answer, too: then the list has to do."""
    await _facts(company)
    account_of(company).allow_shared_key_access = False
    await _verify(company, account_of(company).keys["key2"].value)
    assert len(await company.requests("storage-account")) == 1
    with pytest.raises(PermanentError, match="none of the keys"):
        await _verify(company, new_key(""))


async def test_key_is_tried_at_the_accounts_own_address_only(company: Company) -> None:
    """An account without a blob service, or with it somewhere else, is taken at its list's word; nothing is sent."""
    account = account_of(company)
    for field, value in (("kind", "FileStorage"), ("name", "z12")):
        was = getattr(account, field)
        setattr(account, field, value)
        facts = await _facts(company)
        assert any("can't be tried" in remark for remark in facts.remarks)
        await _verify(company, account.keys["key2"].value)
        assert await company.requests("storage-account") == []
        setattr(account, field, was)


async def test_connection_string_decides_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
) -> None:
    """Endpoints in the secret are kept as they are, and never spoken to."""
    async with running(tmp_path, monkeypatch, azurite, StorageScenario()) as company:
        told = f"BlobEndpoint=https://evil.example/;{newest(company)['value']};EndpointSuffix=evil.example"
        await _set(company, told)
        issued = await _rotated(company)
        old, new = company.scenario, account_of(company).keys[issued.key_id.partition("@")[0]].value
        assert isinstance(old, StorageScenario)
        assert newest(company)["value"] == told.replace(old.key, new)
        asked = await company.requests("storage-account")
        assert asked == [("GET", "/")]


async def test_microsofts_sample_tags_work_unchanged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
) -> None:
    """ProviderAddress, CredentialId and ValidityPeriodDays are a policy; the new version names its key as they do."""
    scenario = StorageScenario(sample_tags=True, form="key", adopt=False)
    async with running(tmp_path, monkeypatch, azurite, scenario) as company:
        for name in ("key2", "key1"):
            issued = await _rotated(company)
            tags = newest(company)["tags"]
            assert (tags["CredentialId"], tags["rekey-key-id"]) == (name, issued.key_id)
            assert (tags["ProviderAddress"], tags["ValidityPeriodDays"]) == (scenario.account_id, "180")
            left = datetime.fromtimestamp(newest(company)["exp"], UTC) - datetime.now(UTC)
            assert abs(left - timedelta(days=180)) < timedelta(minutes=5)


ROLES = (
    (("Reader",), {"listKeys/action", "regenerateKey/action"}, {KEY_OPERATOR}),
    ((KEY_OPERATOR,), {"read"}, {"Reader"}),
    ((), {"read", "listKeys/action", "regenerateKey/action"}, {"Reader", KEY_OPERATOR}),
)


async def test_exactly_what_is_missing_is_named(company: Company) -> None:
    """Each action that the app's identity lacks is named, and the commands grant the smallest roles that have them."""
    access, scenario = _access(company), company.scenario
    assert isinstance(scenario, StorageScenario)
    for roles, missing, granted in ROLES:
        access.assignments.clear()
        held = [{"identity": "rekey", "role": role, "scope": scenario.account_id} for role in roles]
        access.seed({"role_assignments": held})
        with pytest.raises(PermanentError) as caught:
            await _facts(company)
        named = re.findall(r"storageAccounts/([\w/]+)(?:,| on )", caught.value.message)
        assert set(named) == missing
        assert set(re.findall("--role '([^']+)'", caught.value.what_to_do)) == granted


async def test_one_larger_role_is_enough(company: Company) -> None:
    """Whoever may do everything with the account needs neither of the small roles."""
    scenario = company.scenario
    assert isinstance(scenario, StorageScenario)
    _access(company).assignments.clear()
    held = {"identity": "rekey", "role": "Storage Account Contributor", "scope": scenario.account_id}
    _access(company).seed({"role_assignments": [held]})
    assert (await _facts(company)).next_key_id == key_id(company, "key2")


async def test_account_that_is_gone_is_named(company: Company) -> None:
    """An account that was deleted is a permanent error with its id."""
    scenario = company.scenario
    assert isinstance(scenario, StorageScenario)
    del company.azure.cloud.storage_accounts.accounts[scenario.account]
    with pytest.raises(PermanentError) as caught:
        await _facts(company)
    assert caught.value.code == "not-found"
    assert scenario.account in caught.value.message


async def test_network_rules_are_named(company: Company) -> None:
    """Rules that keep Rekey out won't go away by waiting: the setting is named."""
    for field, closed, opened in (
        ("default_action", "Deny", "Allow"),
        ("public_network_access", "Disabled", "Enabled"),
    ):
        setattr(account_of(company), field, closed)
        with pytest.raises(PermanentError) as caught:
            await _verify(company, account_of(company).keys["key1"].value)
        assert (caught.value.code, "networkAcls" in caught.value.what_to_do) == ("network-refused", True)
        setattr(account_of(company), field, opened)
        await _verify(company, account_of(company).keys["key1"].value)


async def test_storage_that_is_not_well_is_tried_again(company: Company) -> None:
    """An outage of the data plane says nothing about the key."""
    for status in (429, 500, 503):
        await company.fault("storage-account", status=status)
        with pytest.raises(NotYetError):
            await _verify(company, account_of(company).keys["key1"].value)


async def test_throttled_regeneration_is_asked_again_later(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal changed nothing: one key is made in the end."""
    walk = await _walk(company)
    await company.fault("arm", method="POST", path="/regenerateKey", status=429, retry_after=7)
    with pytest.raises(NotYetError) as caught:
        await generate(company.desk, walk)
    assert caught.value.seconds == 7.0
    monkeypatch.setattr(storage_account_key, "SETTLED", timedelta())
    await generate(company.desk, walk)
    assert account_of(company).regenerations == 1


async def test_lists_that_disagree_are_waited_for(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an unclear answer one list with the new key and one without are a replica that lags: nothing is asked."""
    walk = await _walk(company)
    monkeypatch.setattr(storage_account_key, "SETTLED", timedelta())

    async def while_it_waits(_seconds: float) -> None:
        account_of(company).regenerate("key2", company.azure.cloud.clock, "")

    monkeypatch.setattr(storage_account_key, "asyncio", SimpleNamespace(sleep=while_it_waits))
    turn = Asked(datetime.now(UTC))
    with pytest.raises(NotYetError) as caught:
        await StorageAccountKey(company.clients).generate(walk.rotation, "", datetime.now(UTC), turn)
    assert (caught.value.code, turn.times) == ("lists-disagree", 0)


async def _verify(company: Company, value: str) -> None:
    await StorageAccountKey(company.clients).verify(await company.rotation(), SecretValue(value))
