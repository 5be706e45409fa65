"""Leaving service connections without a secret, over HTTP: what each of the two apps may be asked, what starts."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from rekey import names
from rekey.clients import clients
from rekey.connections.found import Way
from rekey.connections.report import Report, Row
from rekey.connections.reports import Reports
from rekey.federation.asked_here import believed
from rekey.federation.filtering import MOST, Found
from rekey.federation.records import FederationRecords
from rekey.model import decode
from rekey.model.federation_request import Mode, VendingRequest
from rekey.records import Records
from tests.triggers import asking
from tests.triggers.durable import FakeDurable, functions
from tests.triggers.federating import (
    ADA,
    APPLICATION,
    GROUP,
    INSTANCE,
    NOW,
    SUBSCRIPTION,
    app,
    federation,
    record,
    vending,
)
from triggers.federating_api import blueprint

pytestmark = pytest.mark.usefixtures("app_settings")

DEPLOY = {"organization": "contoso", "project": "Shop", "connection": "Deploy"}
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/deploy"
SIDE_BY_SIDE = {**DEPLOY, "mode": "side-by-side"}
VEND = {"organization": "contoso", "project": "Shop", "name": "new", "scope": GROUP, "role": "Contributor"}


async def ask(durable: FakeDurable, function: str, body: object, by: str = ADA) -> tuple[int, Any]:
    """Call a function; return status and JSON."""
    headers = {"X-MS-CLIENT-PRINCIPAL-NAME": by}
    return await asking.ask(blueprint, function, body, durable=durable, headers=headers)


async def federate(durable: FakeDurable, body: object, by: str = ADA) -> tuple[int, Any]:
    """Ask for connections to need no secret."""
    return await ask(durable, "post_federation", body, by)


@pytest.mark.parametrize(
    ("name", "route"),
    [("post_federation", "service-connections/federate"), ("post_vending", "service-connections/vend")],
)
def test_the_host_is_told_of_the_routes(name: str, route: str) -> None:
    """Each function takes one method on one route, and none without a key."""
    trigger = functions(blueprint)[name].get_trigger().get_dict_repr()
    assert ([str(m) for m in trigger["methods"]], trigger["route"]) == (["POST"], route)
    assert trigger["authLevel"].name == "FUNCTION"


async def test_a_federation_is_started_once(durable: FakeDurable, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one instance of the connection, in the name of who signed in; asking again starts nothing."""
    app(monkeypatch)
    status, answer = await federate(durable, {**DEPLOY, "soak": "P2D", "requested_by": "someone else"})
    assert (status, answer["started"], answer["instance"]) == (202, True, INSTANCE)
    assert answer["federation"] == f"/api/federations/{INSTANCE}"
    (given,) = durable.started.values()
    asked = {"mode": "in-place", "soak": "P2D", "requested_by": ADA, "connection": "Deploy"}
    assert {field: given[field] for field in asked} == asked
    assert durable.instances[INSTANCE].name == names.FEDERATE_SERVICE_CONNECTION
    status, answer = await federate(durable, DEPLOY)
    assert (status, answer["started"]) == (202, False)


@pytest.mark.parametrize(
    ("body", "field", "said"),
    [
        ({**DEPLOY, "mode": "side-by-side"}, "mode", "for the function app whose REKEY_DUTY is vending"),
        ({**DEPLOY, "mode": "vend"}, "mode", "one of in-place, side-by-side, repair"),
        ({**DEPLOY, "project": "Web"}, "project", "in REKEY_SCOPES"),
        ({**DEPLOY, "organization": "fabrikam"}, "project", "in REKEY_SCOPES"),
        ({**DEPLOY, "soak": "soon"}, "soak", "an ISO 8601 duration"),
        ({**DEPLOY, "soak": "P31D"}, "soak", "from PT1S to P30D"),
        ({**DEPLOY, "colour": "red"}, "colour", "unknown"),
        ({"organization": "contoso", "project": "Shop"}, "connection", "missing"),
        (b"[]", "body", "an object with organization, project and connection"),
    ],
)
async def test_what_can_not_be_used_is_named(
    durable: FakeDurable, monkeypatch: pytest.MonkeyPatch, body: object, field: str, said: str
) -> None:
    """Field and what was expected; nothing is started."""
    app(monkeypatch)
    status, answer = await federate(durable, body)
    assert (status, answer["error"]["field"], durable.started) == (400, field, {})
    assert said in answer["error"]["message"]


async def test_conversion_in_place_is_opt_in(durable: FakeDurable, monkeypatch: pytest.MonkeyPatch) -> None:
    """By default only repair is allowed; the answer names the setting."""
    app(monkeypatch, REKEY_FEDERATION="repair")
    status, answer = await federate(durable, DEPLOY)
    assert (status, answer["error"]["code"], durable.started) == (400, "out-of-scope", {})
    assert "REKEY_FEDERATION of this function app has to name in-place" in answer["error"]["message"]
    assert (await federate(durable, {**DEPLOY, "mode": "repair"}))[0] == 202


@pytest.mark.usefixtures("records")
async def test_the_other_app_replaces_and_never_converts(durable: FakeDurable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may grant roles is asked for new connections; what grants roles takes a name."""
    vending(monkeypatch)
    status, answer = await federate(durable, DEPLOY)
    assert (status, answer["error"]["field"]) == (400, "mode")
    assert "REKEY_DUTY is rotation" in answer["error"]["message"]
    assert (await federate(durable, SIDE_BY_SIDE, by=""))[0] == 202
    granting = {**SIDE_BY_SIDE, "connection": "other", "target": "managed-identity", "identity": IDENTITY}
    status, answer = await federate(durable, granting, by="")
    assert (status, answer["error"]["code"]) == (403, "nameless")
    assert (await federate(durable, granting))[0] == 202


async def test_a_connection_is_vended_by_the_other_app_alone(
    durable: FakeDurable, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app that rotates says which one does, a nameless caller is refused, and who asked for it is put down."""
    app(monkeypatch)
    status, answer = await ask(durable, "post_vending", VEND)
    assert (status, answer["error"]["code"], durable.started) == (409, "not-vending", {})
    vending(monkeypatch)
    assert (await ask(durable, "post_vending", VEND, by=""))[0] == 403
    status, answer = await ask(durable, "post_vending", {**VEND, "twin": True})
    assert (status, answer["instance"]) == (202, "federate.contoso.shop.new")
    (given,) = durable.started.values()
    assert (given["twin"], given["requested_by"]) == (True, ADA)
    assert (await believed(records._container, decode(given, VendingRequest))).requested_by == ADA
    assert durable.instances["federate.contoso.shop.new"].name == names.VEND_SERVICE_CONNECTION
    status, answer = await ask(durable, "post_vending", {**VEND, "project": "Web"})
    assert (status, answer["error"]["field"]) == (400, "project")


async def test_vending_can_be_switched_off(durable: FakeDurable, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that may only replace connections says which setting lets it make some."""
    vending(monkeypatch)
    app(monkeypatch, REKEY_FEDERATION="side-by-side")
    status, answer = await ask(durable, "post_vending", VEND)
    assert (status, "REKEY_FEDERATION" in answer["error"]["message"]) == (400, True)


def row(name: str, days: int | None = None, **changes: Any) -> Row:
    """Return a connection as the report has it, whose secret ends in so many days."""
    known: dict[str, Any] = {
        "key": f"contoso/{name}",
        "organization": "contoso",
        "project": "Shop",
        "connection": name,
        "id": name,
        "way": Way.SECRET,
        "application": APPLICATION,
        "application_name": "Shop",
        **dict.fromkeys(("issuer", "subject", "managed_by"), ""),
        **dict.fromkeys(("created", "changed", "last_used", "revert_until", "keyless"), None),
        "expires": None if days is None else NOW + timedelta(days=days),
        "disabled": False,
        "shared_with": (),
        "seen": NOW,
    }
    return Row(**known | changes)


async def reported(*rows: Row, at: datetime = NOW) -> None:
    """Keep a report on these connections."""
    await Reports(clients().container()).keep(Report(run_id="r", at=at, rows=rows))


def outcomes(answer: Any) -> dict[str, str]:
    """Return what became of each connection, in the order of the answer."""
    return {one["connection"]: one["outcome"] for one in answer["federations"]}


async def test_connections_are_chosen_from_the_last_report(
    durable: FakeDurable, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those with a key that match, the first to end first, as many as the limit; the rest is counted."""
    del records
    app(monkeypatch)
    await reported(
        row("late", 90),
        row("never"),
        row("soon", 3),
        row("managed", 1, managed_by="kv-one/x"),
        row("done", way=Way.FEDERATED),
        row("off", 2, disabled=True),
        row("elsewhere", 1, project="Web"),
    )
    body = {"filter": {"organization": "Contoso", "managed": False}, "limit": 2, "soak": "P3D"}
    status, answer = await federate(durable, {**body, "dry_run": True})
    assert (status, answer["matching"], answer["left_out"], durable.started) == (200, 3, 1, {})
    assert list(outcomes(answer).items()) == [("soon", "would-start"), ("late", "would-start")]
    durable.broken.add("federate.contoso.shop.late")
    status, answer = await federate(durable, body)
    assert (status, outcomes(answer)) == (202, {"soon": "started", "late": "not-started"})
    given = durable.started["federate.contoso.shop.soon"]
    assert (given["connection"], given["mode"], given["soak"], given["requested_by"]) == (
        "soon",
        "in-place",
        "P3D",
        ADA,
    )


async def test_asking_again_goes_on_with_the_next(
    durable: FakeDurable, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is on its way, and what was done since the report, isn't chosen; what failed is."""
    app(monkeypatch)
    await reported(*(row(name) for name in ("busy", "done", "failed", "next")), at=NOW - timedelta(hours=1))
    evidence = FederationRecords(records._container)
    for name in ("busy", "done", "failed"):
        walk = federation(connection=name, instance=f"federate.contoso.shop.{name}")
        await evidence.open(record(walk=walk))
        if name != "busy":
            await evidence.close(walk.id, name)
    _, answer = await federate(durable, {"filter": {"project": "shop"}, "limit": 9, "dry_run": True})
    assert outcomes(answer) == {"failed": "would-start", "next": "would-start"}


async def test_only_what_drifted_is_repaired(
    durable: FakeDurable, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter for repair means federated connections that Entra doesn't know."""
    del records
    app(monkeypatch)
    drifted = row("drifted", way=Way.FEDERATED, findings=("subject-case-differs",))
    await reported(drifted, row("well", way=Way.FEDERATED), row("keyed"))
    _, answer = await federate(durable, {"filter": {"organization": "contoso"}, "limit": 9, "mode": Mode.REPAIR})
    assert outcomes(answer) == {"drifted": "started"}
    assert durable.started["federate.contoso.shop.drifted"]["mode"] == "repair"


@pytest.mark.parametrize(("age", "code"), [(None, "no-report"), (timedelta(days=2, minutes=1), "old-report")])
async def test_without_a_report_of_late_nothing_is_chosen(
    durable: FakeDurable,
    records: Records,
    monkeypatch: pytest.MonkeyPatch,
    age: timedelta | None,
    code: str,
) -> None:
    """The answer says how to get one."""
    del records
    app(monkeypatch)
    if age:
        await reported(row("deploy"), at=NOW - age)
    status, answer = await federate(durable, {"filter": {"organization": "contoso"}, "limit": 9})
    assert (status, answer["error"]["code"], durable.started) == (409, code, {})
    assert names.AUDIT_SERVICE_CONNECTIONS in answer["error"]["message"]


async def test_an_app_without_audit_chooses_nothing(
    durable: FakeDurable, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes connections has no report: they are named one by one."""
    del records
    vending(monkeypatch)
    body = {"filter": {"organization": "contoso"}, "limit": 9, "mode": "side-by-side"}
    status, answer = await federate(durable, body)
    assert (status, answer["error"]["code"]) == (409, "no-report")
    assert "REKEY_DUTY" in answer["error"]["message"]


GOOD = {"filter": {"organization": "contoso"}, "limit": 1}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**GOOD, "filter": {}}, "filter"),
        ({**GOOD, "filter": "*"}, "filter"),
        ({**GOOD, "filter": {"vault": "x"}}, "filter.vault"),
        ({**GOOD, "filter": {"project": 1}}, "filter.project"),
        ({**GOOD, "filter": {"project": ""}}, "filter.project"),
        ({**GOOD, "filter": {"way": "magic"}}, "filter.way"),
        ({**GOOD, "filter": {"managed": "true"}}, "filter.managed"),
        ({"filter": {"organization": "contoso"}}, "limit"),
        ({**GOOD, "limit": MOST + 1}, "limit"),
        ({**GOOD, "limit": True}, "limit"),
        ({**GOOD, "dry_run": "no"}, "dry_run"),
        ({**GOOD, "mode": "side-by-side"}, "mode"),
        ({**GOOD, "mode": 7}, "mode"),
        ({**GOOD, "soak": "x"}, "soak"),
        ({**GOOD, "soak": "PT0S"}, "soak"),
        ({**GOOD, "identity": SUBSCRIPTION}, "identity"),
    ],
)
async def test_a_filter_that_can_not_be_used_is_named(
    durable: FakeDurable, monkeypatch: pytest.MonkeyPatch, body: object, field: str
) -> None:
    """The answer names the field, and nothing is started."""
    app(monkeypatch)
    status, answer = await federate(durable, body)
    assert (status, answer["error"]["field"], durable.started) == (400, field, {})


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
_one = st.fixed_dictionaries({}, optional=dict.fromkeys((*DEPLOY, "mode", "target", "identity", "name", "soak"), _json))
_many = st.fixed_dictionaries({"filter": _json}, optional=dict.fromkeys(("limit", "dry_run", "mode", "soak"), _json))
_new = st.fixed_dictionaries({}, optional=dict.fromkeys((*VEND, "twin"), _json))


@given(
    one=_one | _one.map(lambda body: body | DEPLOY),
    many=_many | _many.map(lambda body: body | GOOD),
    new=_new | _new.map(lambda body: VEND | body),
)
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_asked_is_answered(one: Any, many: Any, new: Any) -> None:
    """No JSON is an unhandled error, and nothing that is refused starts anything."""
    durable = FakeDurable()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rekey.federation.filtering.choose", _nothing)
        patch.setattr("rekey.federation.asked_here.keep", _kept)
        (vending if "twin" in new else app)(patch)
        for function, body in (("post_federation", one), ("post_federation", many), ("post_vending", new)):
            before = dict(durable.started)
            status, answer = await ask(durable, function, body)
            assert status in {200, 202, 400, 409}
            assert ("error" in answer) == (status >= 400)
            assert status < 400 or durable.started == before


async def _kept(_container: object, _request: object) -> None:
    """Put nothing down: what is asked for here is never walked."""


async def _nothing(_clients: object, _chosen: object) -> Found:
    return Found(requests=(), left_out=0)
