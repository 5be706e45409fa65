"""`GET /api/secrets/{vault}/{name}/readers`, and the plan's readers: who read which version, Rekey left out."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.storage import Azurite
from rekey.audit.access import Access, Caller
from rekey.audit.readers import Readers
from rekey.audit.state import State, States
from rekey.clients import clients
from rekey.model.audit import Place
from rekey.settings import settings
from tests.core.company import Company
from tests.triggers.asking import ask
from tests.triggers.durable import FakeDurable, functions
from triggers import planning_api
from triggers.inventory_api import blueprint

NOW = datetime.now(UTC)
SHOP = Caller(app_id="11111111-1111-4111-8111-111111111111", object_id="22222222-2222-4222-8222-222222222222")


def access(company: Company, **more: Any) -> Access:
    """Return a read of the managed secret's newest version, of an hour ago."""
    at = NOW - timedelta(hours=1)
    facts: dict[str, Any] = {"operation": "SecretGet", "status": 200, "caller": SHOP, "first": at, "last": at}
    named = {"vault": company.scenario.vault, "secret": company.scenario.secret.lower(), "address": "10.0.0.1"}
    return Access(**{**facts, **named, **more})


@pytest.fixture
async def watched(company: Company, azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Company:
    """Return a company whose vault's log was read just now, and who reads its secret."""
    monkeypatch.setenv("REKEY_AUDIT_STORAGE", azurite.connection_string)
    await clients().aclose()
    settings.cache_clear()
    clients.cache_clear()
    await clients().storage_ready()
    me = Caller(object_id=(await clients().caller("vault")).object_id)
    ada = Caller(name="ada@contoso.example", object_id="33333333-3333-4333-8333-333333333333")
    learned = [
        access(company),
        access(company, caller=me),
        access(company, version="v1", caller=ada, last=NOW, status=403, disabled=True),
        access(company, version="v0", caller=ada, first=NOW - timedelta(days=31), last=NOW - timedelta(days=31)),
        access(company, version="v1", caller=Caller(app_id="app-refused"), status=403),
    ]
    await Readers(clients().container()).learn(company.scenario.vault, learned)
    place = Place(account=0, prefix="resourceId=/", vault=company.scenario.vault)
    await States(clients().container()).write(place, State(vault=company.scenario.vault, passed=NOW), "")
    return company


async def readers(vault: str, name: str) -> tuple[int, Any]:
    """Return what is answered for that secret."""
    return await ask(blueprint, "list_readers", route={"vault": vault, "name": name})


def how(versions: Any) -> dict[str, list[tuple[str, str]]]:
    """Return by version who read it how."""
    return {
        version["version"]: [(r["how"], r["name"] or r["app_id"]) for r in version["readers"]] for version in versions
    }


def test_the_host_is_told_of_the_route() -> None:
    """One method on one route, and none without a key."""
    trigger = functions(blueprint)["list_readers"].get_trigger().get_dict_repr()
    assert ([str(m) for m in trigger["methods"]], trigger["route"]) == (["GET"], "secrets/{vault}/{name}/readers")
    assert trigger["authLevel"].name == "FUNCTION"


async def test_readers_are_listed_by_version(watched: Company) -> None:
    """Each with ids, how, first and last time and addresses; the names' case doesn't matter."""
    status, answer = await readers(watched.scenario.vault.upper(), watched.scenario.secret.upper())
    assert (status, answer["unseen"]) == (200, "")
    assert datetime.fromisoformat(answer["passed"]) == NOW
    assert how(answer["versions"]) == {
        "v1": [("disabled", "ada@contoso.example"), ("refused", "app-refused")],
        "": [("read", SHOP.app_id)],
        "v0": [("read", "ada@contoso.example")],
    }
    (newest,) = (version["readers"][0] for version in answer["versions"] if not version["version"])
    assert (newest["object_id"], newest["addresses"]) == (SHOP.object_id, ["10.0.0.1"])


@pytest.mark.parametrize(("vault", "name", "field"), [("kv-elsewhere", "x", "vault"), ("kv-shop", "a/b", "secret")])
async def test_what_can_not_be_asked_is_named(watched: Company, vault: str, name: str, field: str) -> None:
    """A vault that settings don't allow, the staging vault included, and a name that is none."""
    status, answer = await readers(vault, name)
    assert (status, answer["error"]["field"]) == (400, field)
    status, answer = await readers(watched.scenario.staging, "x")
    assert (status, answer["error"]["field"]) == (400, "vault")


async def test_without_a_log_nobody_is_known_and_why_is_said(company: Company) -> None:
    """No reader known is not the same as none."""
    status, answer = await readers(company.scenario.vault, company.scenario.secret)
    assert (status, answer["versions"], answer["passed"]) == (200, [], None)
    assert "REKEY_AUDIT_STORAGE" in answer["unseen"]


async def test_a_plan_names_whom_a_new_version_concerns(watched: Company) -> None:
    """Who read any version within thirty days, or would have; whoever has no right isn't concerned."""
    asked = {"vault": watched.scenario.vault, "secret": watched.scenario.secret}
    status, answer = await ask(planning_api.blueprint, "plan_rotation", asked, durable=FakeDurable())
    assert status == 200
    assert how(answer["readers"]) == {"v1": [("disabled", "ada@contoso.example")], "": [("read", SHOP.app_id)]}
    assert not any("Who read the secret" in remark for remark in answer["remarks"])


async def test_a_plan_without_a_log_says_so(company: Company) -> None:
    """Not knowing who reads is a remark."""
    asked = {"vault": company.scenario.vault, "secret": company.scenario.secret}
    _status, answer = await ask(planning_api.blueprint, "plan_rotation", asked, durable=FakeDurable())
    assert answer["readers"] == []
    assert any("REKEY_AUDIT_STORAGE" in remark for remark in answer["remarks"])
