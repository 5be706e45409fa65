"""The record of a federation through its steps: opened once, decided by those who may, told on it, closed."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from azure.storage.blob.aio import ContainerClient

from activities import close_federation, open_federation, read_federation_decisions
from activities.step import Desk, _recorded
from activities.step_event import event
from rekey.errors import PermanentError
from rekey.federation.records import FederationRecords
from rekey.model import Notice, NoticeKind, Ok, Permanent, Telling
from rekey.model.federation import (
    Federation,
    FederationDecision,
    FederationDecisionKind,
    FederationQuestion,
    FederationRequest,
    Mode,
    Target,
    VendingQuestion,
    VendingRequest,
)
from rekey.model.federation_news import FederationNews, Stage
from rekey.records import Entry

AT = datetime(2030, 1, 8, tzinfo=UTC)
WALK = Federation(
    id="f",
    instance="federate.contoso.shop.deploy",
    mode=Mode.IN_PLACE,
    organization="contoso",
    project="Shop",
    connection="deploy",
    started=AT,
    requested_by="erin@contoso.example",
)
VEND = WALK.but(mode=Mode.VEND, connection="", new_name="deploy")
NEWS = FederationNews(stage=Stage.CONVERTED, mode=Mode.IN_PLACE, organization="contoso", project="Shop")
OPERATORS = "operator API"


def telling(stage: Stage, **more: Any) -> Telling:
    """Return the input of the step that tells people."""
    news = FederationNews(stage=stage, mode=Mode.IN_PLACE, organization="contoso", project="Shop", connection="deploy")
    notice = Notice(kind=NoticeKind.FEDERATION, rotation_id="f", vault="", secret="", to=(), federation=news, **more)
    return Telling(notice=notice, owners=("ada@contoso.example",))


@pytest.fixture
def desk(container: ContainerClient) -> Desk:
    """Return a desk that has records, and no more."""
    records = FederationRecords(container)
    return cast("Desk", SimpleNamespace(federations=lambda: records, settings=SimpleNamespace(deployment="prod")))


async def test_the_record_is_opened_told_on_and_closed(desk: Desk) -> None:
    """Opening again changes nothing; a notice is on the record of its own federation; the result stays."""
    await open_federation.open_federation(desk, WALK)
    await open_federation.open_federation(desk, WALK.but(result="other"))
    entry = Entry(step="notify_owners", outcome="ok", at=AT)
    await _recorded(desk, telling(Stage.STARTING), entry, Ok())
    await close_federation.close(desk, WALK.but(result="done"))
    record = await desk.federations().read("f")
    assert record
    assert (record.deployment, record.opened, record.federation.result) == ("prod", AT, "")
    assert [e.step for e in record.entries] == ["notify_owners"]
    assert (record.state, record.result) == ("closed", "done")


@pytest.mark.parametrize("asked_by", ["", OPERATORS])
async def test_who_asks_for_roles_has_a_name(desk: Desk, asked_by: str) -> None:
    """Nobody could be somebody else: it is refused before there is a record, and what grants nothing is not."""
    moved = VEND.but(mode=Mode.SIDE_BY_SIDE, target=Target.MANAGED_IDENTITY)
    for walk in (VEND, moved):
        with pytest.raises(PermanentError, match="who asked isn't known"):
            await open_federation.open_federation(desk, walk.but(requested_by=asked_by))
    assert await desk.federations().read("f") is None
    await open_federation.open_federation(desk, WALK.but(requested_by=asked_by))


@pytest.mark.parametrize(
    ("by", "counts"),
    [("dana@contoso.example", True), ("ERIN@contoso.example", False), (OPERATORS, False), ("", False)],
)
async def test_only_somebody_else_approves(desk: Desk, by: str, *, counts: bool) -> None:
    """Whatever is on the record: not who asked, in whatever case, nor who has the key alone; a twin likewise."""
    await open_federation.open_federation(desk, VEND)
    before = await read_federation_decisions.read(desk, VEND)
    assert (before.approved_by, before.reverted_by) == ("", "")
    await desk.federations().decide("f", FederationDecision(kind=FederationDecisionKind.APPROVE, by=by, at=AT))
    for walk in (VEND, VEND.but(id="twin", approved_with="f")):
        found = await read_federation_decisions.read(desk, walk)
        assert (found.approved_by, found.reverted_by) == (by if counts else "", "")
    revert = FederationDecision(kind=FederationDecisionKind.REVERT, by="", at=AT)
    await desk.federations().decide("f", revert)
    assert (await read_federation_decisions.read(desk, VEND)).reverted_by == OPERATORS


async def test_without_a_record_nothing_is_decided(desk: Desk) -> None:
    """Whatever event was raised."""
    found = await read_federation_decisions.read(desk, WALK)
    assert (found.approved_by, found.reverted_by) == ("", "")


_REQUEST = FederationRequest(organization="contoso", project="Shop", connection="deploy")
_WANTED = VendingRequest(organization="contoso", project="Shop", name="deploy", scope="/subscriptions/0", role="Reader")
_IDS: dict[str, Any] = {"id": "f", "instance": "i", "started": AT}


@pytest.mark.parametrize(
    ("given", "outcome", "said"),
    [
        (WALK, Ok(), {"state": "running"}),
        (VEND, Permanent("no-room", "20 are there"), {"state": "refused", "waiting_for": "no-room"}),
        (WALK.but(result="reverted"), Ok(), {"state": "reverted"}),
        (FederationQuestion(request=_REQUEST, **_IDS), Ok(), {"state": "running"}),
        (VendingQuestion(request=_WANTED, twin_id="t", **_IDS), Ok(), {"state": "running"}),
        (telling(Stage.APPROVE), Ok(), {"state": "needs-you", "waiting_for": "approval"}),
        (telling(Stage.CONVERTED), Ok(), {"state": "waiting", "notice": "federation converted"}),
        (telling(Stage.NEEDS_YOU, code="gone"), Ok(), {"state": "needs-you", "waiting_for": "gone"}),
        (telling(Stage.DONE), Ok(), {"state": "running"}),
    ],
)
def test_a_line_of_the_log_names_the_connection(given: object, outcome: Any, said: dict[str, str]) -> None:
    """It has no vault and no rotation id, so that the workbook doesn't take it for a rotation; no address is in it."""
    line = event("some_step", "f", given, outcome)
    assert line | said == line
    assert (line["federation_id"], line["connection"], line["organization"]) == ("f", "deploy", "contoso")
    assert not {"rotation_id", "vault", "secret"} & line.keys()
    assert "@" not in str(line)
