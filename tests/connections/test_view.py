"""`GET /api/service-connections`: the last report, by what is asked for, page by page."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from rekey.connections import view
from rekey.connections.found import Connection, Variable, Way
from rekey.connections.judging import ManagedBy
from rekey.connections.report import Known, Report, report, uri
from rekey.connections.reports import Reports
from rekey.connections.turn import Seen
from rekey.model.connections import ProjectName, Reporting
from rekey.operator_requests import RefusedError
from tests.connections.auditing import Audited
from tests.triggers.durable import functions
from triggers.connections_api import blueprint

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
SHOP, WEB = (ProjectName(organization="contoso", project=name) for name in ("Shop", "Web"))


def connection(name: str, way: Way = Way.SECRET, project: str = "Shop", projects: tuple[str, ...] = ()) -> Connection:
    """Return a connection of that name."""
    return Connection(
        organization="contoso", project=project, id=name, name=name, way=way, projects=projects or (project,)
    )


def made() -> Report:
    """Return a report on two projects, one connection of which both have."""
    both, managed = connection("both", Way.FEDERATED, projects=("Shop", "Web")), connection("managed")
    shop = Seen(connections=(both, connection("by-hand"), managed))
    plain = Variable(organization="contoso", project="Web", place="pipeline nightly", name="npmToken")
    web = Seen(connections=(replace(both, project="Web"), connection("web", project="Web")), variables=(plain,))
    known = Known(
        managed={uri(managed): ManagedBy(vault="kv-shop", secret="deploy", expires=NOW)},
        allowed={"contoso": frozenset({"shop", "web"})},
    )
    run = Reporting(run_id=str(uuid4()), started=NOW, projects=(SHOP, WEB))
    return report(run, {SHOP: shop, WEB: web}, known)


def shown(found: Report, **query: str) -> Any:
    """Return the page that a query asks for."""
    return view._page(found, view.wanted(query))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["both", "by-hand", "managed", "web"]),
        ({"project": "WEB"}, ["both", "web"]),
        ({"organization": "fabrikam"}, []),
        ({"way": "federated"}, ["both"]),
        ({"managed": "true"}, ["managed"]),
        ({"managed": "false", "way": "secret"}, ["by-hand", "web"]),
        ({"finding": "secret-by-hand", "project": "shop"}, ["by-hand"]),
    ],
)
def test_connections_are_chosen(query: dict[str, str], names: list[str]) -> None:
    """By project (also one that shares it), organization, way, finding, and whether Rekey looks after the secret."""
    page = shown(made(), **query)
    assert [one["connection"] for one in page["connections"]] == names
    assert (page["matching"], page["continuation"]) == (len(names), None)


@pytest.mark.parametrize(
    ("query", "subjects"),
    [
        ({}, {"by-hand", "managed", "web", "pipeline nightly, variable npmToken"}),
        ({"project": "shop"}, {"by-hand", "managed"}),
        ({"finding": "variable-not-secret"}, {"pipeline nightly, variable npmToken"}),
        ({"managed": "true"}, {"managed"}),
        ({"way": "federated"}, set()),
    ],
)
def test_findings_are_those_of_what_is_chosen(query: dict[str, str], subjects: set[str]) -> None:
    """Of the connections, and of what is beside them as long as nothing is asked that only connections have."""
    assert {said["subject"] for said in shown(made(), **query)["findings"]} == subjects


def test_pages_follow_each_other() -> None:
    """Each connection is on one page, the findings on the first; a page of an older report is refused."""
    found = made()
    first = shown(found, top="3")
    second = shown(found, top="3", continuation=first["continuation"])
    assert [len(page["connections"]) for page in (first, second)] == [3, 1]
    assert (bool(first["findings"]), second["findings"], second["continuation"]) == (True, [], None)


@pytest.mark.parametrize(
    "query",
    [{"way": "magic"}, {"managed": "yes"}, {"top": "0"}, {"top": "x"}, {"continuation": "x"}, {"colour": "red"}],
)
def test_what_cannot_be_used_is_refused(query: dict[str, str]) -> None:
    """The answer names the parameter."""
    with pytest.raises(RefusedError) as refused:
        view.wanted(query)
    assert (refused.value.status, refused.value.body["error"]["field"]) == (400, next(iter(query)))


async def test_the_last_report_is_shown(audited: Audited) -> None:
    """Before the first there is none; a continuation of another report is refused."""
    clients = audited.company.clients
    with pytest.raises(RefusedError) as none:
        await view.page(clients, {})
    assert none.value.status == 404
    found = made()
    await Reports(clients.container()).keep(found)
    page = await view.page(clients, {"code": "a function key"})
    assert (page["run_id"], page["at"], page["counts"]["connections"]) == (found.run_id, NOW.isoformat(), 4)
    with pytest.raises(RefusedError) as older:
        await view.page(clients, {"continuation": f"{uuid4()}.3"})
    assert older.value.status == 400


def test_the_host_is_told_of_the_route() -> None:
    """One method on one route, and none without a key."""
    trigger = functions(blueprint)["list_service_connections"].get_trigger().get_dict_repr()
    assert ([str(m) for m in trigger["methods"]], trigger["route"]) == (["GET"], "service-connections")
    assert trigger["authLevel"].name == "FUNCTION"
