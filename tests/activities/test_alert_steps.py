"""Deciding, telling and settling on real storage and a mail service: one mail, whoever dies or meets whenever."""

import json
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from activities.notify_owners import tell
from activities.plan_alerts import plan
from activities.settle_alert import settle
from activities.step import Desk
from local.azure.acs_email import Email
from local.azure.email_message import Mail
from local.storage import Azurite
from rekey import names
from rekey.audit.alerts import counted
from rekey.audit.ports import Hit
from rekey.audit.state import State, States
from rekey.errors import NotYetError
from rekey.model import Telling
from rekey.model.audit import Alerts, Glance, Place, Settling
from tests.audit.alerting import ERIN, NOON, PLACE, VAULT, hit, many
from tests.audit.struck import KilledError, Strike, struck
from tests.core.company import Company


def glance(place: Place) -> Glance:
    """Return what the steps are told."""
    return Glance(run_id="run", started=NOON, place=place)


def settling(place: Place, alert: str) -> Settling:
    """Return what the last step is told."""
    return Settling(run_id="run", started=NOON, place=place, alert=alert)


@pytest.fixture
def desk(company: Company) -> Desk:
    """Return what the steps work with."""
    return company.desk


async def saw(desk: Desk, hits: Sequence[Hit], place: Place = PLACE) -> None:
    """Count hits, as a turn of reading does."""
    states = States(desk.clients.container())
    state, etag = await states.read(place)
    await states.write(place, counted(state, hits), etag)


async def kept(desk: Desk, place: Place = PLACE) -> State:
    """Return what is kept of the vault."""
    return (await States(desk.clients.container()).read(place))[0]


async def planned(desk: Desk, place: Place = PLACE) -> Alerts:
    """Decide."""
    return await plan(desk, glance(place))


async def passed(desk: Desk, place: Place = PLACE) -> None:
    """Decide, tell and settle, as the orchestrator has it done."""
    for alert in (await planned(desk, place)).alerts:
        await tell(desk, Telling(notice=alert.notice, owners=alert.owners, has_record=False))
        await settle(desk, settling(place, alert.id))


def mails(company: Company) -> list[Mail]:
    """Return what the mail service took."""
    email = company.azure.cloud.services["email"]
    assert isinstance(email, Email)
    return list(email._mails.values())


async def test_an_alert_reaches_owners_and_operators_once(company: Company, desk: Desk) -> None:
    """The mail names secret, caller and what to do; the next pass has nothing to tell."""
    owner = company.scenario.owner
    await saw(desk, [hit(owners=(owner,), times=3)])
    for _ in range(2):
        await passed(desk)
    (mail,) = mails(company)
    told = {recipient.address for recipient in mail.message.recipients.to}
    assert told == {owner, *company.settings.operators}
    assert mail.message.content.subject == f"[Rekey] alert: {VAULT}/deploy, unexpected-reader"
    for fact in (ERIN.app_id, ERIN.object_id, "3 times", "104.40.82.76", "SecretGet"):
        assert fact in (mail.message.content.plain_text or "")
    assert (await kept(desk)).letters == ()


async def test_a_storm_is_one_mail_to_the_operators(company: Company, desk: Desk) -> None:
    """No owner reads of the secrets of others."""
    await saw(desk, many(30, owners=(company.scenario.owner,)))
    await passed(desk)
    (mail,) = mails(company)
    assert [recipient.address for recipient in mail.message.recipients.to] == list(company.settings.operators)
    assert "30 at once" in mail.message.content.subject


async def test_what_is_decided_comes_again_until_it_is_settled(desk: Desk) -> None:
    """Word for word, though more was seen meanwhile; what was counted in between is not lost by settling."""
    await saw(desk, [hit()])
    first = await planned(desk)
    await saw(desk, [hit(times=50)])
    again = await planned(desk)
    assert again.alerts == first.alerts
    assert (first.more, again.more) == (False, True)
    for _ in range(2):
        await settle(desk, settling(PLACE, first.alerts[0].id))
    state = await kept(desk)
    assert ([group.times for group in state.groups.values()], state.letters) == ([51], ())
    assert len((await planned(desk)).alerts) == 1


async def test_a_decision_is_logged_with_ids_alone(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """One structured line for each, for whoever has alarms on the log; no person's name or address is in it."""
    erin = replace(ERIN, name="erin@contoso.example")
    await saw(desk, [hit(caller=erin, times=2), hit(caller=erin, status=403)])
    caplog.clear()
    for _ in range(2):
        await planned(desk)
    (line,) = [json.loads(r.message) for r in caplog.records if "audit-alert" in r.message]
    known = {"rule": "unexpected-reader", "severity": "high", "vault": VAULT, "secret": "deploy", "times": 3}
    assert {key: line[key] for key in known} == known
    assert (line["app_id"], line["object_id"], line["refused"]) == (ERIN.app_id, ERIN.object_id, 1)
    assert "contoso.example" not in str(line)
    assert "104.40" not in str(line)


async def test_of_two_that_decide_at_once_one_does(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one is told that it was overtaken, having told nothing, and then gets the same."""
    await saw(desk, [hit()])
    write = States.write

    async def overtaken(states: States, place: Place, state: State, etag: str) -> str:
        monkeypatch.setattr(States, "write", write)
        await planned(desk)
        return await write(states, place, state, etag)

    monkeypatch.setattr(States, "write", overtaken)
    with pytest.raises(NotYetError) as refused:
        await planned(desk)
    assert refused.value.code == "audit-overtaken"
    assert len((await planned(desk)).alerts) == 1


async def test_who_dies_at_any_request_to_storage_tells_once(company: Company, desk: Desk, azurite: Azurite) -> None:
    """Before a request or after it was carried out: with the next pass exactly one mail is out, and it is settled."""
    never = Strike()
    await _dying(company, azurite, PLACE, never)
    assert never.methods.count("PUT") >= 2
    writes = {number for number, method in enumerate(never.methods) if method == "PUT"}
    strikes = [
        Strike(n, after) for n in range(len(never.methods)) for after in ((False, True) if n in writes else (True,))
    ]
    for number, strike in enumerate(strikes, start=1):
        company.settle(61)  # the mail service takes 30 in a minute
        place = Place(account=0, prefix=f"{number}/", vault=VAULT)
        with pytest.raises(KilledError):
            await _dying(company, azurite, place, strike)
        await passed(desk, place)
        assert len(mails(company)) == number + 1, strike
        state = await kept(desk, place)
        assert ([group.mails for group in state.groups.values()], state.letters) == ([1], ()), strike


async def _dying(company: Company, azurite: Azurite, place: Place, strike: Strike) -> None:
    """Go through a pass over one hit, with storage that is struck."""
    await saw(company.desk, [hit()], place)
    async with struck(azurite, strike, names.CONTAINER) as (own,):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(company.clients._made, "storage", own)
            await passed(company.desk, place)
