"""`POST /api/rotations/plan`: what it says a rotation would do, and that asking changes nothing anywhere."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rekey import names
from rekey.clients import clients
from tests.core.company import Company
from tests.triggers.asking import ask, call
from tests.triggers.companies import LOCKED, SECOND, add_managed, client_id
from tests.triggers.durable import FakeDurable, functions
from triggers.planning_api import blueprint

READ_BY_POST = ("/oauth2/v2.0/token",)
"""What Azure offers as a POST only although it changes nothing: getting a token. Nothing else is asked so far."""

RUNBOOK = [
    names.READ_POLICY,
    names.OPEN_RECORD,
    names.PREFLIGHT,
    names.NOTIFY_OWNERS,
    names.GENERATE_CREDENTIAL,
    names.VERIFY_CREDENTIAL,
    names.SET_SECRET_VERSION,
    names.DISABLE_OLD_VERSION,
    names.UPDATE_CONSUMER,
    names.CONFIRM_CONSUMER,
    names.NOTIFY_OWNERS,
    names.GRACE,
    names.CHECK_OLD_CREDENTIAL_USE,
    names.RETIRE_OLD_CREDENTIAL,
    names.NOTIFY_OWNERS,
    names.CLOSE_RECORD,
]


async def plan(company: Company, durable: FakeDurable, **body: Any) -> Any:
    """Return the plan of the managed secret, or of another."""
    asked = {"vault": company.scenario.vault, "secret": company.scenario.secret, **body}
    status, answer = await ask(blueprint, "plan_rotation", asked, durable=durable)
    assert status == 200, answer
    return answer


async def retag(company: Company, **tags: str) -> None:
    """Store a new version of the managed secret with more tags."""
    kept = company.azure.cloud.keyvault.vaults[company.scenario.vault].secret(company.scenario.secret).latest.tags or {}
    version = {
        "value": {"password_of": company.scenario.application},
        "tags": {**kept, **{name.replace("_", "-"): text for name, text in tags.items()}},
        "expires_with_password": True,
    }
    await company.azure.seed({"vaults": {company.scenario.vault: {"secrets": {company.scenario.secret: version}}}})


def step(answer: Any, name: str) -> Any:
    """Return the first step of that name."""
    return next(found for found in answer["steps"] if found["step"] == name)


def test_the_host_is_told_of_the_route() -> None:
    """One method on one route, and none without a key."""
    trigger = functions(blueprint)["plan_rotation"].get_trigger().get_dict_repr()
    assert ([str(m) for m in trigger["methods"]], trigger["route"]) == (["POST"], "rotations/plan")
    assert trigger["authLevel"].name == "FUNCTION"


@pytest.mark.parametrize("reason", ["manual", "schedule", "leak"])
async def test_asking_changes_nothing(company: Company, durable: FakeDurable, reason: str) -> None:
    """Every service is as it was, byte for byte; nothing but reads was asked, nothing stored, nothing started."""
    before = company.state()
    answer = await plan(company, durable, reason=reason)
    assert answer["verdict"] == "rotates"
    assert company.state() == before
    asked = (await company.azure.call("GET", f"{company.azure.control}/_sim/requests")).body["requests"]
    written = [r for r in asked if r["method"] != "GET" and not r["path"].endswith(READ_BY_POST)]
    assert [(r["method"], r["path"]) for r in written if r["service"] != "control"] == []
    assert {"keyvault", "graph", "azuredevops"} <= {r["service"] for r in asked}
    assert durable.started == {}
    assert [blob.name async for blob in clients().container().list_blobs()] == []


async def test_every_step_is_told_with_its_objects(company: Company, durable: FakeDurable) -> None:
    """The runbook in order, each step with the ids of what it would touch."""
    answer = await plan(company, durable)
    assert [found["step"] for found in answer["steps"]] == RUNBOOK
    touched = {(t["id"], t["change"]) for found in answer["steps"] for t in found["touches"]}
    scenario = company.scenario
    (old,) = company.application.live()
    version = company.azure.cloud.keyvault.vaults[scenario.vault].secret(scenario.secret).latest.id
    state = company.azure.cloud.services["azuredevops"].state()
    project = state["organizations"][scenario.organization]["projects"][scenario.project]
    endpoint = project["endpoints"][scenario.connection]["id"]
    assert {
        (f"{scenario.vault}/{scenario.secret}/{version}", "disabled"),
        (f"{scenario.vault}/{scenario.secret}", "gets a new version"),
        (f"{scenario.staging}/staged-<rotation id>", "deleted and purged"),
        (company.application.object_id, "gets a new credential, labelled rekey/local/<rotation id>"),
        (company.application.object_id, f"loses the old credential, key id {old.key_id}"),
        (endpoint, "gets the new value"),
        (scenario.owner, "gets the notice starting"),
        (scenario.owner, "gets the notice switched"),
        (scenario.third_party, "gets the notice switched"),
        (scenario.owner, "gets the notice done"),
    } <= touched
    assert (scenario.third_party, "gets the notice done") not in touched


async def test_every_step_names_its_rights(company: Company, durable: FakeDurable) -> None:
    """Rekey's own and the kinds', each with what it is needed for and how it is granted."""
    answer = await plan(company, durable)
    rights = {found["step"]: {p["name"] for p in found["permissions"]} for found in answer["steps"]}
    assert "Application.ReadWrite.OwnedBy" in rights[names.GENERATE_CREDENTIAL]
    assert "Key Vault Secrets Officer" in rights[names.SET_SECRET_VERSION]
    assert "Service connection: Administrator" in rights[names.UPDATE_CONSUMER]
    assert "Communication and Email Service Owner" in rights[names.NOTIFY_OWNERS]
    assert all(rights[name] for name in rights.keys() - {names.GRACE})
    assert all(p["needed_for"] for found in answer["steps"] for p in found["permissions"])
    assert any("staging" in said for said in answer["not_proved"])


async def test_dates_are_those_of_a_rotation_that_starts_now(company: Company, durable: FakeDurable) -> None:
    """Lifetime and grace of the policy, counted from now; the old credential's end and when it was due."""
    answer = await plan(company, durable)
    dates = {name: datetime.fromisoformat(text) for name, text in answer["dates"].items()}
    now = datetime.now(UTC)
    assert abs(dates["new_expires"] - now - timedelta(days=180)) < timedelta(minutes=5)
    assert abs(dates["grace_until"] - now - timedelta(seconds=5)) < timedelta(minutes=5)
    assert dates["old_expires"] - dates["due_from"] == timedelta(days=31)


async def test_what_is_not_due_is_planned_all_the_same(company: Company, durable: FakeDurable) -> None:
    """By the calendar it would not rotate yet, and the plan says from when, and what would be done then."""
    await add_managed(company, "fresh")
    answer = await plan(company, durable, vault=SECOND, secret="fresh", reason="schedule")
    assert answer["verdict"] == "not-due"
    assert "due from" in answer["why"]
    assert names.GENERATE_CREDENTIAL in [found["step"] for found in answer["steps"]]
    by_hand = await plan(company, durable, vault=SECOND, secret="fresh")
    assert by_hand["verdict"] == "rotates"
    assert any("isn't due" in remark for remark in by_hand["remarks"])
    assert not any("isn't due" in remark for remark in (await plan(company, durable))["remarks"])


async def test_all_that_is_missing_is_named_at_once(company: Company, durable: FakeDurable) -> None:
    """Not just the first: the application that isn't owned and the connection that isn't there, with their grants."""
    company.application.owners.clear()
    scenario = company.scenario
    nowhere = f"azdo-service-connection://{scenario.organization}/{scenario.project}/nowhere"
    await retag(company, **{"rekey-consumer-1": nowhere})
    answer = await plan(company, durable)
    assert (answer["verdict"], [m["code"] for m in answer["missing"]]) == ("stops", ["not-owner", "no-connection"])
    assert answer["missing"][1]["subject"] == nowhere
    assert "az ad app owner add" in answer["missing"][0]["what_to_do"]
    assert [found["step"] for found in answer["steps"]].count(names.UPDATE_CONSUMER) == 2


async def test_a_bad_tag_is_named_without_the_secret_in_it(company: Company, durable: FakeDurable) -> None:
    """Tag, value and what was expected; the secret's own value, pasted into a tag, is not repeated."""
    value = company.azure.cloud.keyvault.vaults[company.scenario.vault].secret(company.scenario.secret).latest.value
    await retag(company, rekey_lead="soon", rekey_grace=f"is {value}")
    answer = await plan(company, durable)
    assert (answer["verdict"], answer["steps"]) == ("bad-policy", [])
    bad = {tag["tag"]: tag for tag in answer["bad_tags"]}
    assert bad["rekey-lead"]["got"] == "soon"
    assert "ISO 8601" in bad["rekey-lead"]["expected"]
    assert bad["rekey-grace"]["got"] == "is (the secret's own value)"
    assert value not in json.dumps(answer)


async def test_a_value_too_short_to_be_hidden_hides_the_tags(company: Company, durable: FakeDurable) -> None:
    """Where the secret can't be told from other text no tag's value is repeated."""
    await add_managed(company, "short", value="hunter2", tags={"rekey-lead": "hunter2"})
    answer = await plan(company, durable, vault=SECOND, secret="short")
    assert [(tag["tag"], tag["got"]) for tag in answer["bad_tags"]] == [("rekey-lead", None)]
    assert "hunter2" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("secret", "verdict", "said"),
    [
        ("untagged", "untagged", "no rotation policy"),
        ("off", "no-version", "disabled"),
        ("nowhere", "no-version", "HTTP 404"),
    ],
)
async def test_where_there_is_nothing_to_rotate_it_says_so(
    company: Company, durable: FakeDurable, secret: str, verdict: str, said: str
) -> None:
    """No policy, a disabled version, no secret: a plan without steps that says why."""
    await add_managed(company, "off", enabled=False)
    answer = await plan(company, durable, vault=SECOND, secret=secret)
    assert (answer["verdict"], answer["steps"]) == (verdict, [])
    assert said in answer["why"]


async def test_a_vault_that_can_not_be_read_stops_it(company: Company, durable: FakeDurable) -> None:
    """The right that is missing comes with the command that grants it."""
    answer = await plan(company, durable, vault=LOCKED, secret="unseen")
    assert (answer["verdict"], answer["missing"][0]["code"]) == ("stops", "forbidden")
    assert "az role assignment create" in answer["missing"][0]["what_to_do"]


async def test_a_service_that_is_away_is_worth_another_try(company: Company, durable: FakeDurable) -> None:
    """What can't be looked at now is a 503, not a plan that says less."""
    await company.fault("graph", status=503)
    body = {"vault": company.scenario.vault, "secret": company.scenario.secret}
    response = await call(blueprint, "plan_rotation", body, durable=durable)
    assert response.status_code == 503
    assert response.headers["Retry-After"]


async def test_a_version_for_readers_that_pin_it_is_disabled_last(company: Company, durable: FakeDurable) -> None:
    """The order follows the policy, as the walk does."""
    await retag(company, rekey_disable_old="at-retire")
    steps = [found["step"] for found in (await plan(company, durable))["steps"]]
    assert steps.index(names.DISABLE_OLD_VERSION) == steps.index(names.RETIRE_OLD_CREDENTIAL) - 1


async def test_after_a_leak_there_is_no_grace(company: Company, durable: FakeDurable) -> None:
    """The old credential is retired as soon as nobody needs it."""
    answer = await plan(company, durable, reason="leak")
    assert names.GRACE not in [found["step"] for found in answer["steps"]]
    assert any("leak" in remark for remark in answer["remarks"])


async def test_a_running_rotation_is_told(company: Company, durable: FakeDurable) -> None:
    """A start would change nothing then."""
    assert (await plan(company, durable))["running"] is False
    durable.put(f"rotate.{company.scenario.vault}.{company.scenario.secret}")
    assert (await plan(company, durable))["running"] is True


async def test_an_old_credential_that_can_not_be_told_is_left_alone(company: Company, durable: FakeDurable) -> None:
    """Without a proof of which password it is, the plan says that it would be left to expire."""
    await add_managed(company, "fresh")
    answer = await plan(company, durable, vault=SECOND, secret="fresh")
    (touched,) = step(answer, names.RETIRE_OLD_CREDENTIAL)["touches"]
    assert touched["change"] == "keeps the old credential"
    assert any("can't prove" in remark for remark in answer["remarks"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        ({"vault": "kv-one"}, "secret"),
        ({"vault": "kv-foreign", "secret": "s"}, "vault"),
        ({"vault": "kv-one", "secret": "a/b"}, "secret"),
        ({"vault": "kv-one", "secret": "s", "filter": {}}, "filter"),
    ],
)
@pytest.mark.usefixtures("app_settings")
async def test_bad_input_is_named(durable: FakeDurable, body: object, field: str) -> None:
    """What can't be planned is a 400 with the field's name."""
    status, answer = await ask(blueprint, "plan_rotation", body, durable=durable)
    assert (status, answer["error"]["field"]) == (400, field)


async def test_the_target_is_the_policys(company: Company, durable: FakeDurable) -> None:
    """An application whose ownership is missing is named by its client id."""
    company.application.owners.clear()
    answer = await plan(company, durable)
    assert answer["missing"][0]["subject"] == f"entra-app-password:{client_id(company)}"


@pytest.mark.parametrize(
    ("reason", "verdict", "missing"), [("manual", "stops", ["rekey-window"]), ("leak", "rotates", [])]
)
async def test_a_policy_that_asks_to_wait_stops_it(
    company: Company, durable: FakeDurable, reason: str, verdict: str, missing: list[str]
) -> None:
    """As long as a rotation can't wait the plan says so, as the rotation would; after a leak nobody waits."""
    await retag(company, rekey_window="Sat 02:00 PT4H")
    answer = await plan(company, durable, reason=reason)
    assert (answer["verdict"], [m["subject"] for m in answer["missing"]]) == (verdict, missing)


def _federate(company: Company) -> None:
    (project,) = company.azure.cloud.azuredevops.organizations[company.scenario.organization].projects.values()
    (endpoint,) = project.endpoints.values()
    endpoint.document["authorization"]["scheme"] = "WorkloadIdentityFederation"


async def test_nothing_is_left_to_rotate(company: Company, durable: FakeDurable) -> None:
    """The plan says so and why, who hears of it, and that nothing is made; nothing is missing."""
    _federate(company)
    answer = await plan(company, durable)
    assert (answer["verdict"], answer["missing"], answer["dates"]) == ("nothing-left", [], None)
    assert names.GENERATE_CREDENTIAL not in {found["step"] for found in answer["steps"]}
    assert any("signs in by workload identity federation" in said for said in answer["remarks"])
    told = {t["id"] for t in step(answer, names.NOTIFY_OWNERS)["touches"]}
    assert told == {company.scenario.owner, *company.settings.operators}


async def test_what_leaked_goes_from_the_application(company: Company, durable: FakeDurable) -> None:
    """A leaked password is retired although nobody needs another one; one that can't be told from others is missing."""
    _federate(company)
    (old,) = company.application.live()
    answer = await plan(company, durable, reason="leak")
    (touched,) = step(answer, names.RETIRE_OLD_CREDENTIAL)["touches"]
    assert (answer["verdict"], old.key_id in touched["change"]) == ("nothing-left", True)
    await retag(company, rekey_key_id=old.key_id)
    tags = company.azure.cloud.keyvault.vaults[company.scenario.vault].secret(company.scenario.secret).latest.tags or {}
    del tags["rekey-adopt"]
    answer = await plan(company, durable, reason="leak")
    assert (answer["verdict"], [m["code"] for m in answer["missing"]]) == ("stops", ["key-unknown"])
