"""`POST /api/rotations` with a filter: which secrets it starts, which it leaves out, and what it says of each."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rekey.clients import Clients
from rekey.filtered_start import MANY, MOST
from rekey.inventory_taking import Inventory, take
from tests.core.company import Company
from tests.triggers.asking import ask
from tests.triggers.companies import LOCKED, SECOND, add_managed
from tests.triggers.durable import FakeDurable
from triggers.operator_api import blueprint

SHOP = {"tags": {"team": "shop"}}


async def start(durable: FakeDurable, body: object, **headers: str) -> tuple[int, Any]:
    """Ask for rotations; return status and answer."""
    return await ask(blueprint, "post_rotation", body, durable=durable, headers=headers)


def outcomes(answer: Any) -> dict[str, str]:
    """Return what became of each secret."""
    return {found["secret"]: found["outcome"] for found in answer["instances"]}


async def test_what_the_filter_means_is_started(company: Company, durable: FakeDurable) -> None:
    """Managed secrets with that tag are started, in the caller's name; untagged ones with it are not."""
    await add_managed(company, "one", tags={"team": "shop"})
    await add_managed(company, "two", tags={"team": "web"})
    body = {"filter": SHOP, "limit": 5, "requested_by": "someone else"}
    status, answer = await start(durable, body, **{"x-ms-client-principal-name": "ops@contoso.example"})
    assert (status, answer["matching"], answer["left_out"], answer["dry_run"]) == (202, 1, 0, False)
    instance = f"rotate.{SECOND}.one"
    assert answer["instances"] == [{"vault": SECOND, "secret": "one", "instance": instance, "outcome": "started"}]
    assert durable.started == {
        instance: {
            "vault": SECOND,
            "secret": "one",
            "reason": "manual",
            "requested_by": "ops@contoso.example",
            "digest": False,
        }
    }


async def test_the_limit_caps_and_the_oldest_come_first(company: Company, durable: FakeDurable) -> None:
    """What is beyond the limit is counted, and what was rotated last comes last."""
    for name, age in (("young", 1), ("old", 90), ("middle", 30)):
        await add_managed(company, name, age_days=age)
    status, answer = await start(durable, {"filter": {"vaults": [SECOND]}, "limit": 2})
    assert (status, answer["matching"], answer["left_out"]) == (202, 3, 1)
    assert [found["secret"] for found in answer["instances"]] == ["old", "middle"]
    assert sorted(durable.started) == [f"rotate.{SECOND}.middle", f"rotate.{SECOND}.old"]


async def test_a_dry_run_starts_nothing(company: Company, durable: FakeDurable) -> None:
    """It says what would start and what is running already."""
    await add_managed(company, "idle")
    await add_managed(company, "busy")
    durable.put(f"rotate.{SECOND}.busy")
    status, answer = await start(durable, {"filter": {"vaults": [SECOND]}, "limit": 9, "dry_run": True})
    assert (status, answer["dry_run"], outcomes(answer)) == (200, True, {"idle": "would-start", "busy": "running"})
    assert durable.started == {}


async def test_one_that_runs_or_fails_stops_no_other(company: Company, durable: FakeDurable) -> None:
    """Each instance has an outcome of its own."""
    for name in ("a", "b", "c"):
        await add_managed(company, name)
    durable.put(f"rotate.{SECOND}.a")
    durable.broken.add(f"rotate.{SECOND}.b")
    status, answer = await start(durable, {"filter": {"vaults": [SECOND]}, "limit": 9})
    assert (status, outcomes(answer)) == (202, {"a": "running", "b": "not-started", "c": "started"})


async def test_a_disabled_secret_is_left_alone(company: Company, durable: FakeDurable) -> None:
    """Its newest version can't be read, so that there is nothing to rotate."""
    await add_managed(company, "off", enabled=False)
    status, answer = await start(durable, {"filter": {"vaults": [SECOND]}, "limit": 9})
    assert (status, answer["matching"], durable.started) == (200, 0, {})


@pytest.mark.parametrize(("reason", "expected"), [("schedule", ["near"]), ("manual", ["far", "near"])])
async def test_reasons_that_are_judged_start_what_is_due(
    company: Company, durable: FakeDurable, reason: str, expected: list[str]
) -> None:
    """By hand everything is rotated, by the calendar only what is near its end."""
    await add_managed(company, "near", expires_in_days=5, age_days=100)
    await add_managed(company, "far", expires_in_days=300)
    _, answer = await start(durable, {"filter": {"vaults": [SECOND]}, "limit": 9, "reason": reason})
    assert sorted(outcomes(answer)) == expected


async def test_many_are_told_in_digests(company: Company, durable: FakeDurable) -> None:
    """More than ten write no mail each, unless the request says so."""
    for number in range(MANY + 1):
        await add_managed(company, f"s{number}")
    body = {"filter": {"kind": "entra-app-password", "vaults": [SECOND]}, "limit": MOST}
    await start(durable, body)
    assert {given["digest"] for given in durable.started.values()} == {True}
    durable.instances.clear()
    await start(durable, {**body, "digest": False})
    assert {given["digest"] for given in durable.started.values()} == {False}


async def test_a_vault_that_can_not_be_listed_stops_no_other(company: Company, durable: FakeDurable) -> None:
    """What isn't known of one vault is said beside what was started in another."""
    status, answer = await start(durable, {"filter": {"kind": "entra-app-password"}, "limit": 9})
    assert (status, outcomes(answer)) == (202, {company.scenario.secret: "started"})
    assert [problem["vault"] for problem in answer["problems"]] == [LOCKED]


async def test_asking_again_starts_nothing_twice(company: Company, durable: FakeDurable) -> None:
    """A repeated request finds the instances it started."""
    await add_managed(company, "one")
    body = {"filter": {"vaults": [SECOND]}, "limit": 9}
    assert [outcomes((await start(durable, body))[1]) for _ in range(2)] == [{"one": "started"}, {"one": "running"}]


GOOD = {"filter": SHOP, "limit": 1}


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({**GOOD, "filter": {}}, "filter", "got {}, expected an object with vaults, tags, kind, at least one"),
        ({**GOOD, "filter": None}, "filter", "got None"),
        ({**GOOD, "filter": "*"}, "filter", "got '*'"),
        ({**GOOD, "filter": {"tag": "x"}}, "filter.tag", "unknown, expected vaults, tags, kind"),
        ({**GOOD, "filter": {"tags": {}}}, "filter.tags", "got {}, expected an object of tag names"),
        ({**GOOD, "filter": {"tags": {"a": 1}}}, "filter.tags", "got {'a': 1}"),
        ({**GOOD, "filter": {"tags": ["a"]}}, "filter.tags", "got ['a']"),
        ({**GOOD, "filter": {"vaults": []}}, "filter.vaults", "got [], expected a list of vaults"),
        ({**GOOD, "filter": {"vaults": "kv-one"}}, "filter.vaults", "got 'kv-one'"),
        ({**GOOD, "filter": {"vaults": ["kv-foreign"]}}, "vault", "got 'kv-foreign', expected one of the vaults"),
        ({**GOOD, "filter": {"kind": "toy"}}, "filter.kind", "got 'toy', expected one of entra-app-password"),
        ({**GOOD, "filter": {"kind": ["toy"]}}, "filter.kind", "got ['toy']"),
        ({"filter": SHOP}, "limit", f"missing, expected a whole number from 1 to {MOST}"),
        ({**GOOD, "limit": 0}, "limit", "got 0"),
        ({**GOOD, "limit": MOST + 1}, "limit", f"got {MOST + 1}"),
        ({**GOOD, "limit": True}, "limit", "got True"),
        ({**GOOD, "limit": "5"}, "limit", "got '5'"),
        ({**GOOD, "dry_run": "no"}, "dry_run", "got 'no', expected true or false"),
        ({**GOOD, "digest": 1}, "digest", "got 1, expected true or false"),
        ({**GOOD, "reason": "why"}, "reason", "got 'why', expected one of event"),
        ({**GOOD, "reason": []}, "reason", "got []"),
        ({**GOOD, "vault": "kv-one"}, "vault", "unknown beside filter, expected filter, limit"),
    ],
)
@pytest.mark.usefixtures("app_settings")
async def test_bad_input_is_named(durable: FakeDurable, body: object, field: str, said: str) -> None:
    """A filter that can't be used is a 400 that says field, value and what was expected, and starts nothing."""
    status, answer = await start(durable, body)
    assert (status, answer["error"]["field"]) == (400, field)
    assert said in answer["error"]["message"]
    assert durable.started == {}


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
_fields = st.sampled_from(["filter", "limit", "reason", "dry_run", "digest", "vault", "secret"])
_filters = st.dictionaries(st.sampled_from(["vaults", "tags", "kind", "x"]), _json, max_size=3)


@given(body=st.dictionaries(_fields, _json, max_size=4), filtered=_filters | _json)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.usefixtures("app_settings")
async def test_whatever_is_asked_is_answered(body: dict[str, Any], filtered: Any, durable: FakeDurable) -> None:
    """No JSON is an unhandled error, and none that is refused starts anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rekey.inventory_taking.take", _nothing)
        status, answer = await start(durable, {"limit": 1, **body, "filter": filtered})
    assert status in {200, 400}
    assert ("error" in answer) == (status == 400)
    assert durable.started == {}


async def _nothing(of: Clients, _vaults: object, *, anew: bool) -> Inventory:
    return await take(of, (), anew=anew)
