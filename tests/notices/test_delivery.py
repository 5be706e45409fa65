"""What waits gets out: once each, to whom it concerns, below the mail service's limits, whatever is killed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from activities.notify_owners import tell
from local.storage import Azurite
from rekey.errors import NotYetError
from rekey.model import NoticeKind, Telling
from rekey.nightly_settings import Limit, Nightly
from rekey.notices.outbox import PAGE, SET_ASIDE
from tests.core import company as companies
from tests.notices.delivering import Office
from tests.notices.waiting import ANN, BOB, notice

TIMER = timedelta(minutes=15)


@pytest.fixture
async def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Office]:
    """Run a company with a storage account, whose notices a test delivers."""
    async with companies.company(tmp_path, monkeypatch, storage=azurite.connection_string) as running:
        await running.clients.storage_ready()
        yield Office(running)


async def test_planned_news_of_one_of_many_wait(office: Office) -> None:
    """News that can wait ask nothing of the mail service; the rotation knows under which id they wait."""
    told = await office.put("a", ANN)
    (waiting,) = await office.waiting()
    assert (told.in_next_digest, told.undelivered, told.accepted) == (waiting.id, "", ())
    assert waiting.reason == "digest"
    assert office.mails == []


async def test_a_notice_alone_is_delivered_as_itself(office: Office) -> None:
    """One notice is the mail it would have been, under the id it would have had: one that got out is no second mail."""
    desk = office.company.desk
    telling = Telling(notice=notice("a", NoticeKind.DONE, to=()), owners=(ANN, BOB), has_record=False)
    await tell(desk, telling)
    await tell(desk, telling.kept())
    assert (await office.run())["sent"] == 1
    (mail,) = office.mails
    assert mail.message.content.subject == "[Rekey] done: kv-shop/a, rotation finished"
    assert mail.duplicates == 1
    assert await office.waiting() == []


async def test_who_has_to_act_gets_a_mail_of_their_own(office: Office) -> None:
    """It leaves for that address alone; an owner who is that person gets both, and a repeat sends neither twice."""
    about = notice("a", NoticeKind.SWITCHED, to=())
    asks = msgspec.structs.replace(about, to_act=True, key=f"manual:{ANN}", contacts=(BOB,))
    for telling in (
        Telling(notice=about, owners=(ANN,), has_record=False),
        Telling(notice=asks, owners=(BOB,), third_parties=(ANN,), has_record=False),
    ):
        for _ in range(2):
            await tell(office.company.desk, telling)
    texts = [mail.message.content.plain_text or "" for mail in office.mails]
    assert [f"Say so to {BOB}" in text for text in texts] == [False, True]
    assert (len(office.to(ANN)), len(office.to(BOB))) == (2, 0)


async def test_several_are_one_mail_for_each_person(office: Office) -> None:
    """Each person gets one mail with what concerns them, and reads of nobody else's secrets."""
    await office.put("a", ANN)
    await office.put("b", ANN, BOB)
    await office.put("c", BOB)
    assert (await office.run())["sent"] == 2
    texts = {address: office.to(address)[0].message.content.plain_text or "" for address in (ANN, BOB)}
    assert [len(mail.message.recipients.to) for mail in office.mails] == [1, 1]
    assert [f"kv-shop/{secret}:" in texts[ANN] for secret in "abc"] == [True, True, False]
    assert [f"kv-shop/{secret}:" in texts[BOB] for secret in "abc"] == [False, True, True]
    assert ANN not in texts[BOB]
    assert await office.waiting() == []


@pytest.mark.parametrize("secrets", ["a", "ab"])
async def test_killed_between_sending_and_removing(office: Office, secrets: str) -> None:
    """A step that dies after the mail is out sends no second one, and nothing waits for ever."""
    for secret in secrets:
        await office.put(secret, ANN)
    office.kills = {1}
    await office.run()
    (mail,) = office.mails
    assert mail.duplicates == 1
    assert await office.waiting() == []


async def test_a_run_that_is_lost_after_sending(office: Office) -> None:
    """Even if nothing is left of the run but the outbox, the digest that got out is none of the next ones."""
    await office.put("a", ANN)
    await office.put("b", ANN)
    office.kills = set(range(1, 100))
    await office.run()
    office.kills = set()
    await office.put("c", ANN)
    await office.wait(TIMER)
    await office.run()
    first, second = office.mails
    assert first.duplicates > 0
    assert "kv-shop/c" not in (first.message.content.plain_text or "")
    assert second.message.content.subject == "[Rekey] done: kv-shop/c, rotation finished"
    assert await office.waiting() == []


async def test_an_outage_only_delays(office: Office) -> None:
    """While the service is down everything waits, nothing is told twice after it, and no mail waits for an hour."""
    for secret in "abc":
        await office.put(secret, ANN)
    fault = {"status": 503, "count": None}
    await office.company.fault("email", **fault)
    assert await office.run() == {"result": "done", "sent": 0, "failed": 1, "refused": 0, "stopped": ""}
    assert len(await office.waiting()) == 4  # the three, and the digest of them, which may have got out
    await office.put("d", ANN)
    await office.company.clear_faults()
    await office.wait(TIMER)
    assert (await office.run())["sent"] == 2
    assert [mail.duplicates for mail in office.mails] == [0, 0]
    assert await office.waiting() == []


async def test_the_service_says_how_long_to_wait(office: Office) -> None:
    """A limit that others used up is waited out as the service asks."""
    await office.put("a", ANN)
    await office.company.fault("email", status=429, retry_after=40, count=1)
    before = office.now
    assert (await office.run())["sent"] == 1
    assert office.now - before >= timedelta(seconds=40)
    assert await office.statuses() == [429, 202]


async def test_an_address_that_is_refused_is_set_aside_and_told_once(office: Office) -> None:
    """The others are told all the same; the operators hear of the address once, and what it missed is kept."""
    operator = office.company.settings.operators[0]
    away = "x@sub.elsewhere.example"
    for secret in "ab":
        told = await office.put(secret, ANN)
        await _address_also(office, told.in_next_digest, away)
        await office.run()
        await office.run()
    assert [len(office.to(address)) for address in (ANN, away, operator)] == [2, 0, 1]
    (mail,) = office.to(operator)
    assert away in (mail.message.content.plain_text or "")
    assert mail.duplicates == 0
    assert await office.waiting() == []
    container = office.company.clients.container()
    assert len([name async for name in container.list_blob_names(name_starts_with=SET_ASIDE)]) == 2


async def _address_also(office: Office, waiting: str, address: str) -> None:
    """Add a recipient as if settings had allowed it when the notice was kept."""
    container = office.company.clients.container()
    body = await (await container.download_blob(f"outbox/{waiting}.json")).readall()
    changed = body.replace(f'"{ANN}"'.encode(), f'"{ANN}","{address}"'.encode())
    assert changed != body
    await container.upload_blob(f"outbox/{waiting}.json", changed, overwrite=True)


async def test_a_managed_domains_limits_are_kept(office: Office) -> None:
    """With a tenth of the limits as a setting the mails take their hours, and the service never refuses one."""
    company = office.company
    mail = {company.scenario.mail_resource: {"domains": {"contoso.example": {"managed": True}}}}
    await company.azure.seed({"mail": mail})
    limits = {"mail-minute": Limit(5, 60), "mail-hour": Limit(10, 3600)}
    company.clients.settings = msgspec.structs.replace(company.settings, nightly=Nightly(limits=limits))
    for number in range(14):
        await office.put(f"s{number}", f"p{number}@contoso.example")
    assert (await office.run())["stopped"] == "mail-limit"
    assert len(office.mails) == 8
    await office.wait(timedelta(hours=1))
    assert (await office.run())["stopped"] == ""
    assert len(office.mails) == 14
    assert set(await office.statuses()) == {202}


@pytest.mark.parametrize("each", [13, pytest.param(25, marks=pytest.mark.exhaustive)])
async def test_hundreds_of_rotations_in_one_night(office: Office, each: int) -> None:
    """Forty owners of more secrets than storage lists at once get one mail each, within minutes, and no 429."""
    secrets = 40 * each
    assert secrets > PAGE
    owners = [f"owner{number}@contoso.example" for number in range(40)]
    few = asyncio.Semaphore(16)

    async def put(number: int) -> None:
        async with few:
            await office.put(f"secret-{number:04}", owners[number % 40])

    await asyncio.gather(*(put(number) for number in range(secrets)))
    before = office.now
    assert await office.run() == {"result": "done", "sent": 40, "failed": 0, "refused": 0, "stopped": ""}
    assert office.now - before < timedelta(minutes=3)
    assert await office.statuses() == [202] * 40
    for number, owner in enumerate(owners):
        (mail,) = office.to(owner)
        assert (mail.message.content.subject, mail.duplicates) == (f"[Rekey] news: {each} secrets", 0)
        text = mail.message.content.plain_text or ""
        assert [f"secret-{n:04}:" in text for n in range(secrets)] == [n % 40 == number for n in range(secrets)]
    assert await office.waiting() == []


async def test_a_notice_that_cannot_wait_meets_the_limit_before_the_service_does(office: Office) -> None:
    """When the app has used up its mails, the next is refused by its own count, with the time to wait."""
    company = office.company
    limits = {"mail-minute": Limit(1, 60), "mail-hour": Limit(1, 3600)}
    company.clients.settings = msgspec.structs.replace(company.settings, nightly=Nightly(limits=limits))
    urgent = [Telling(notice=notice(s, NoticeKind.FAILED, to=()), owners=(ANN,), has_record=False) for s in "ab"]
    await tell(company.desk, urgent[0])
    with pytest.raises(NotYetError) as caught:
        await tell(company.desk, urgent[1])
    assert caught.value.code == "mail-limit"
    assert await office.statuses() == [202]


async def test_what_is_told_once_is_kept_once(office: Office) -> None:
    """A bad tag found night after night while mail is down waits as one notice, not as one for each night."""
    for night in ("1", "2"):
        bad = notice("a", NoticeKind.BAD_POLICY, to=(), rotation_id=night)
        telling = Telling(notice=bad, owners=(ANN,), once="bad-policy kv-shop a v1", keep=True, has_record=False)
        await tell(office.company.desk, telling)
    assert len(await office.waiting()) == 1
