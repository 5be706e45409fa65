"""Key Vault through the product's own client: what is read, written once, and destroyed for good."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from rekey import vault as vaults
from rekey.errors import NotYetError, PermanentError, RekeyError, UnclearError
from rekey.secret_value import SecretValue
from rekey.vault import Vault
from tests.core.company import Company


def staging(company: Company) -> Vault:
    """Return the staging vault."""
    return company.desk.staging()


def held(company: Company, secret: str) -> list[Mapping[str, object]]:
    """Return a staged secret's versions as the vault has them."""
    found = company.azure.cloud.keyvault.state()["vaults"][company.scenario.staging]["secrets"].get(secret)
    versions: list[Mapping[str, object]] = found["versions"] if found else []
    return versions


async def test_what_is_set_is_read_back(company: Company) -> None:
    """Value, dates, content type and tags come back as they were given, from exactly that version."""
    end, begin = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) for days in (30, -1))
    value = SecretValue("x" * 40)
    written = await staging(company).set(
        "s", value, tags={"a": "b"}, expires=end, not_before=begin, content_type="text/plain"
    )
    await staging(company).set("s", SecretValue("newer"), tags={})
    read = await staging(company).read("s", written.id)
    assert read
    version, back = read
    assert (version.expires, version.content_type, version.tags) == (end, "text/plain", {"a": "b"})
    assert back.same_as(value)
    assert (await staging(company).current("s"))[1].same_as(SecretValue("newer"))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("status", [500, 503])
async def test_lost_answer_to_a_write_is_unclear_and_sent_once(company: Company, status: int, when: str) -> None:
    """A PUT makes a version each time: it is never repeated blindly."""
    await staging(company).read("s", "0" * 32)  # the first request of a client is the challenge's, without a body
    await company.fault("keyvault", method="PUT", status=status, when=when, count=None)
    with pytest.raises(UnclearError):
        await staging(company).set("s", SecretValue("x"), tags={})
    assert [m for m, _ in await company.requests("keyvault")].count("PUT") == 1
    assert len(held(company, "s")) == (when == "after")


async def test_throttled_write_was_not_done(company: Company) -> None:
    """A 429 is no lost answer: the service didn't do it, and says when to come again."""
    await company.fault("keyvault", method="PUT", status=429, retry_after=9, count=None)
    with pytest.raises(NotYetError) as caught:
        await staging(company).set("s", SecretValue("x"), tags={})
    assert (caught.value.code, caught.value.seconds) == ("throttled", 9.0)


async def test_what_is_not_there_is_told_apart(company: Company) -> None:
    """An exact version that is gone is None; a secret without any is an error that names it."""
    assert await staging(company).read("nothing", "0" * 32) is None
    with pytest.raises(PermanentError) as caught:
        await staging(company).current("nothing")
    assert caught.value.code == "not-found"
    assert "nothing" in caught.value.message


async def test_disabled_newest_version_has_its_own_code(company: Company) -> None:
    """A secret whose newest version is disabled can't be read, and that is said as such."""
    written = await staging(company).set("s", SecretValue("x"), tags={})
    await staging(company).disable("s", written.id)
    with pytest.raises(PermanentError) as caught:
        await staging(company).current("s")
    assert caught.value.code == "secret-disabled"
    with pytest.raises(PermanentError):
        await staging(company).read("s", written.id)


async def test_touching_changes_nothing(company: Company) -> None:
    """The proof that one may write leaves the version as it is, its time of change aside."""
    tags = {"a": "b"}
    written = await staging(company).set("s", SecretValue("x"), tags=tags, content_type="t", expires=_soon())
    (before,) = held(company, "s")
    kept = {k: v for k, v in before.items() if k != "updated"}
    await staging(company).touch("s", written.id)
    (after,) = held(company, "s")
    assert {k: v for k, v in after.items() if k != "updated"} == kept


async def test_destroying_leaves_nothing(company: Company) -> None:
    """All versions are deleted and purged; destroying what is gone is no error."""
    for _ in range(2):
        await staging(company).set("s", SecretValue("x"), tags={})
    for _ in range(2):
        await staging(company).destroy("s")
    vault = company.azure.cloud.keyvault.state()["vaults"][company.scenario.staging]
    assert ("s" in vault["secrets"], "s" in vault["deleted"], vault["purged"]) == (False, False, ["s"])


async def test_half_done_destruction_is_finished(company: Company) -> None:
    """A secret that somebody deleted but nobody purged is purged."""
    await staging(company).set("s", SecretValue("x"), tags={})
    company.azure.cloud.keyvault.vaults[company.scenario.staging].delete("s", datetime.now(UTC))
    await staging(company).destroy("s")
    assert company.azure.cloud.keyvault.state()["vaults"][company.scenario.staging]["purged"] == ["s"]


async def test_deletion_that_takes_longer_is_not_done_yet(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A vault that is still deleting when patience ends makes the step come again."""
    company.azure.cloud.keyvault.vaults[company.scenario.staging].transition_seconds = 3600
    monkeypatch.setattr(vaults, "PURGE_PAUSES", (0.0, 0.0))
    await staging(company).set("s", SecretValue("x"), tags={})
    with pytest.raises(NotYetError) as caught:
        await staging(company).destroy("s")
    assert caught.value.code == "deletion-running"


@pytest.mark.parametrize("verb", ["current", "read", "set", "touch", "disable", "destroy"])
async def test_missing_role_is_named_with_its_grant(company: Company, verb: str) -> None:
    """Without a role every verb says which one, and how to grant it."""
    company.azure.cloud.keyvault.vaults[company.scenario.staging].roles.clear()
    vault = staging(company)
    calls = {
        "current": lambda: vault.current("s"),
        "read": lambda: vault.read("s", "0" * 32),
        "set": lambda: vault.set("s", SecretValue("x"), tags={}),
        "touch": lambda: vault.touch("s", "0" * 32),
        "disable": lambda: vault.disable("s", "0" * 32),
        "destroy": lambda: vault.destroy("s"),
    }
    with pytest.raises(PermanentError) as caught:
        await calls[verb]()  # type: ignore[no-untyped-call]
    assert caught.value.code == "forbidden"
    assert "Key Vault Secrets Officer" in caught.value.what_to_do


async def test_purge_that_is_not_allowed_is_named(company: Company) -> None:
    """A vault with purge protection keeps what was staged: that is said, not retried for ever."""
    company.azure.cloud.keyvault.vaults[company.scenario.staging].purge_protection = True
    await staging(company).set("s", SecretValue("x"), tags={})
    with pytest.raises(RekeyError) as caught:
        await staging(company).destroy("s")
    assert isinstance(caught.value, PermanentError)


async def test_listing_pages_through_everything_without_a_value(company: Company) -> None:
    """More than one page of secrets, each as its newest version is; no value is read."""
    for number in range(30):
        await staging(company).set(f"s{number}", SecretValue("old"), tags={})
    end = _soon()
    await staging(company).set("s7", SecretValue("x"), tags={"a": "b"}, expires=end)
    listed = {found.name: found async for found in staging(company).listing()}
    assert len(listed) == 30
    assert (listed["s7"].enabled, listed["s7"].expires, listed["s7"].tags) == (True, end, {"a": "b"})
    assert not [path for method, path in await company.requests("keyvault") if method == "GET" and "/secrets/s" in path]


async def test_versions_are_listed_oldest_first(company: Company) -> None:
    """All of them, disabled ones too, with their tags."""
    first = await staging(company).set("s", SecretValue("one"), tags={"n": "1"})
    company.azure.cloud.clock.advance(timedelta(seconds=2))
    second = await staging(company).set("s", SecretValue("two"), tags={"n": "2"})
    await staging(company).disable("s", first.id)
    found = await staging(company).versions("s")
    assert [(v.id, v.enabled, v.tags["n"]) for v in found] == [(first.id, False, "1"), (second.id, True, "2")]


def _soon() -> datetime:
    return (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
