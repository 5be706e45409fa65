"""`GET /api/secrets`: every secret of the allowed vaults, by its properties alone, page by page."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from rekey.clients import clients
from rekey.model import Reason
from rekey.records import Record, Records
from tests.core.company import Company
from tests.triggers.asking import ask
from tests.triggers.companies import LOCKED, PASTED, SECOND, client_id
from tests.triggers.durable import functions
from triggers.inventory_api import blueprint


async def secrets(**query: str) -> Any:
    """Return what is answered to a query, parameters with underscores for hyphens."""
    status, answer = await ask(blueprint, "list_secrets", query={k.replace("_", "-"): v for k, v in query.items()})
    assert status == 200, answer
    return answer


def named(answer: Any) -> list[str]:
    """Return the names of the secrets."""
    return [found["secret"] for found in answer["secrets"]]


def test_the_host_is_told_of_the_route() -> None:
    """One method on one route, and none without a key."""
    trigger = functions(blueprint)["list_secrets"].get_trigger().get_dict_repr()
    assert ([str(m) for m in trigger["methods"]], trigger["route"]) == (["GET"], "secrets")
    assert trigger["authLevel"].name == "FUNCTION"


async def test_a_managed_secret_is_told_in_full(company: Company) -> None:
    """What its tags ask for, its dates, and that it is due."""
    (found,) = (await secrets(care="managed"))["secrets"]
    scenario = company.scenario
    dates = {field: datetime.fromisoformat(found.pop(field)) for field in ("created", "expires", "due_from")}
    assert found.pop("why").startswith("expires ")
    assert found == {
        "vault": scenario.vault,
        "secret": scenario.secret,
        "care": "managed",
        "enabled": True,
        "kind": "entra-app-password",
        "target": client_id(company),
        "age_days": 160,
        "due": True,
        "bad_tags": [],
        "consumers": [f"azdo-service-connection://{scenario.organization}/{scenario.project}/{scenario.connection}"],
        "owners": [scenario.owner],
        "last": None,
    }
    assert dates["expires"] - dates["due_from"] == timedelta(days=31)


async def test_what_is_not_managed_is_shown_too(company: Company) -> None:
    """Untagged, never expiring, wrongly tagged: each is there, by vault and name, and says why."""
    answer = await secrets(vault=SECOND)
    assert [(s["secret"], s["care"], s["expires"] is None) for s in answer["secrets"]] == [
        ("forever", "untagged", True),
        ("untagged", "untagged", False),
        ("wrong", "bad-policy", True),
    ]
    assert set(answer["secrets"][2]["bad_tags"]) == {"azureADAppId", "rekey-lead"}
    assert "no rotation policy" in answer["secrets"][0]["why"]
    assert company.scenario.secret in named(await secrets())


async def test_no_value_is_read_and_none_is_shown(company: Company) -> None:
    """Vaults are asked for lists only, and a password that was pasted into a tag isn't repeated."""
    answer = await secrets()
    assert {path for _, path in await company.requests("keyvault")} == {"/secrets"}
    assert {method for method, _ in await company.requests("keyvault")} == {"GET"}
    assert PASTED not in json.dumps(answer)


async def test_a_vault_that_can_not_be_listed_is_said(company: Company) -> None:
    """The others are shown, and what is missing comes with the command that grants it."""
    answer = await secrets()
    assert {s["vault"] for s in answer["secrets"]} == {company.scenario.vault, SECOND}
    (problem,) = answer["problems"]
    assert (problem["vault"], problem["code"]) == (LOCKED, "forbidden")
    assert "az role assignment create" in problem["what_to_do"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"care": "untagged"}, ["forever", "untagged"]),
        ({"care": "bad-policy"}, ["wrong"]),
        ({"due": "true"}, []),
        ({"never-expires": "true"}, ["forever", "wrong"]),
        ({"never-expires": "false"}, ["untagged"]),
        ({"tag": "team"}, ["forever"]),
        ({"tag": "team:shop"}, ["forever"]),
        ({"tag": "team:other"}, []),
        ({"tag": "TEAM"}, []),
        ({"kind": "entra-app-password"}, []),
        ({"care": "untagged", "never-expires": "true", "tag": "tier:1"}, ["forever"]),
    ],
)
@pytest.mark.usefixtures("company")
async def test_a_query_narrows_the_list(query: dict[str, str], expected: list[str]) -> None:
    """Each parameter leaves out what it doesn't fit."""
    assert named(await secrets(vault=SECOND.upper(), **query)) == expected


async def test_due_and_kind_find_the_managed_one(company: Company) -> None:
    """The one secret whose policy says so."""
    assert named(await secrets(due="true", kind="entra-app-password")) == [company.scenario.secret]


@pytest.mark.parametrize(
    ("query", "field", "said"),
    [
        ({"vault": "kv-foreign"}, "vault", "expected one of the vaults in REKEY_SCOPES"),
        ({"care": "good"}, "care", "got 'good', expected one of managed, bad-policy, untagged"),
        ({"kind": "toy"}, "kind", "got 'toy', expected one of entra-app-password"),
        ({"due": "yes"}, "due", "got 'yes', expected true or false"),
        ({"never-expires": "1"}, "never-expires", "got '1', expected true or false"),
        ({"tag": ":x"}, "tag", "got ':x', expected a tag's name, or name:value"),
        ({"top": "0"}, "top", "got '0', expected a number from 1 to 1000"),
        ({"top": "1001"}, "top", "got '1001'"),
        ({"top": "-1"}, "top", "got '-1'"),
        ({"continuation": "x"}, "continuation", "got 'x', expected what the page before said"),
        ({"continuation": "e30"}, "continuation", "got 'e30'"),
        ({"continuation": "\u00e4"}, "continuation", "expected what the page before said"),
        ({"valut": "kv-one"}, "valut", "unknown, expected vault, care"),
    ],
)
@pytest.mark.usefixtures("app_settings")
async def test_bad_input_is_named(query: dict[str, str], field: str, said: str) -> None:
    """A parameter that can't be used is a 400 with its name, value and what was expected, never ignored."""
    status, answer = await ask(blueprint, "list_secrets", query=query)
    assert (status, answer["error"]["field"]) == (400, field)
    assert said in answer["error"]["message"]


async def test_pages_are_whole_and_share_one_listing(company: Company) -> None:
    """Following the continuations gives every secret once, in order, though the vault is listed a single time."""
    many = {f"s-{number:03}": {"value": "x"} for number in range(60)}
    await company.azure.seed({"vaults": {SECOND: {"secrets": many}}})
    query, pages = {"vault": SECOND, "top": "25"}, 0
    found: list[str] = []
    while True:
        answer = await secrets(**query)
        assert (len(answer["secrets"]) <= 25, answer["matching"]) == (True, 63)
        found, pages = [*found, *named(answer)], pages + 1
        if answer["continuation"] is None:
            break
        query["continuation"] = answer["continuation"]
    assert (pages, found) == (3, sorted([*many, "forever", "untagged", "wrong"]))
    listings = [path for _, path in await company.requests("keyvault")]
    assert len(listings) == 4  # three pages of the vault's own, after the challenge


async def test_the_first_page_is_always_new(company: Company) -> None:
    """What was stored a moment ago is there."""
    await secrets(vault=SECOND)
    await company.azure.seed({"vaults": {SECOND: {"secrets": {"new": {"value": "x"}}}}})
    assert "new" in named(await secrets(vault=SECOND, code="the function's key"))


async def test_the_newest_rotation_is_shown(company: Company) -> None:
    """Of several, the one opened last, with its result once it is closed."""
    records = Records(clients().container())
    for day, result in ((1, "failed"), (2, "done")):
        record = _record(company, datetime(2030, 1, day, tzinfo=UTC))
        await records.open(record)
        await records.close(record.rotation_id, result)
    (found,) = (await secrets(care="managed"))["secrets"]
    assert found["last"] == {
        "rotation_id": record.rotation_id,
        "state": "closed",
        "result": "done",
        "opened": "2030-01-02T00:00:00+00:00",
    }


async def test_without_records_the_rest_is_shown(company: Company) -> None:
    """Storage that refuses is a problem of the answer, not its end."""
    await clients().container().delete_container()
    answer = await secrets(care="managed")
    assert named(answer) == [company.scenario.secret]
    assert [p["code"] for p in answer["problems"]] == ["forbidden", "storage-refused"]


def _record(company: Company, opened: datetime) -> Record:
    scenario = company.scenario
    return Record(
        rotation_id=str(uuid4()),
        instance_id=f"rotate.{scenario.vault}.{scenario.secret}",
        deployment="local",
        vault=scenario.vault,
        secret=scenario.secret,
        reason=Reason.MANUAL,
        opened=opened,
        policy_digest="",
        old_version="v",
    )
