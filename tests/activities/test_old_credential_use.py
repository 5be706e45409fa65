"""Whether anybody still uses the old credential, by a vault's audit log, and giving the old version back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from activities.check_old_credential_use import check
from activities.enable_old_version import enable
from activities.open_record import open_record
from activities.read_audit_log import read as read_log
from activities.read_decisions import decided
from activities.step import Desk, run_step
from local.storage import Azurite
from rekey import names
from rekey.audit.access import Access, Caller
from rekey.audit.readers import Readers
from rekey.audit.state import State, States
from rekey.clients import Clients
from rekey.errors import PermanentError
from rekey.model import Published, Reason, Refusal, UseCheck, Walk, encode
from rekey.model.audit import Glance, Place
from rekey.records import Entry
from rekey.secret_value import SecretValue
from rekey.settings import read as read_settings
from tests.audit.lines import APP, DISABLED, OBJECT, OBJECT_ID, line
from tests.core.company import Company
from tests.triggers.durable import FakeDurable

SWITCHED = datetime.now(UTC) - timedelta(hours=2)
LATER = SWITCHED + timedelta(hours=1)
SHOP = Caller(app_id="11111111-1111-4111-8111-111111111111", object_id="22222222-2222-4222-8222-222222222222")
REFUSAL = Refusal(app_id=SHOP.app_id, object_id=SHOP.object_id, at=LATER)
OFFSET = timedelta(minutes=5)


class Watched:
    """A company that watches its vault: its log taught what a test says, and was read to its end just now."""

    def __init__(self, company: Company, azurite: Azurite) -> None:
        environ = {**company.environ, "REKEY_AUDIT_STORAGE": azurite.connection_string}
        self.company, self.clients = company, Clients(read_settings(environ))
        self.desk = Desk(self.clients)

    async def switched(self, reason: Reason = Reason.EVENT) -> Walk:
        """Return a walk after the switch: the secret has a new version, the old one is disabled."""
        rotation = await self.company.rotation(reason=reason)
        vault = self.desk.vault(rotation.vault)
        before, _value = await vault.current(rotation.secret)
        tags = {**before.tags, names.TAG_ROTATION_ID: rotation.id}
        version = await vault.set(rotation.secret, SecretValue("new"), tags=tags)
        await vault.disable(rotation.secret, rotation.old_version)
        walk = Walk(rotation=rotation, published=Published(version=version.id, expires=LATER), since=SWITCHED)
        await open_record(self.desk, walk)
        published = Entry(step=names.SET_SECRET_VERSION, outcome="ok", at=SWITCHED, detail=encode(walk.published))
        for entry in (published, Entry(step=names.DISABLE_OLD_VERSION, outcome="ok", at=SWITCHED)):
            await self.desk.records().add(rotation.id, entry)
        return walk

    async def taught(self, walk: Walk, *accesses: dict[str, Any], ago: timedelta = OFFSET) -> None:
        """Let the log have said that, and what Rekey read of its new version; it was read to its end that long ago."""
        assert walk.published
        facts: dict[str, Any] = {
            "vault": walk.rotation.vault,
            "secret": walk.rotation.secret,
            "operation": "SecretGet",
            "status": 200,
            "version": walk.rotation.old_version,
            "caller": SHOP,
            "first": LATER,
            "last": LATER,
        }
        me = Caller(object_id=(await self.clients.caller("vault")).object_id)
        own: dict[str, Any] = {"version": walk.published.version, "caller": me}
        learned = [Access(**{**facts, **one}) for one in (own, {"caller": me}, *accesses)]
        await Readers(self.clients.container()).learn(walk.rotation.vault, learned)
        await self.passed(walk.rotation.vault, datetime.now(UTC) - ago)

    async def passed(self, vault: str, when: datetime | None, account: int = 0) -> None:
        """Let a log of the vault have been read to its end then."""
        states, place = States(self.clients.container()), Place(account=account, prefix="resourceId=/", vault=vault)
        _state, etag = await states.read(place)
        await states.write(place, State(vault=vault, passed=when), etag)

    def enabled(self, walk: Walk) -> bool:
        """Tell whether the old version can be read."""
        secret = self.company.azure.cloud.keyvault.state()["vaults"][walk.rotation.vault]["secrets"]
        versions = secret[walk.rotation.secret]["versions"]
        found: bool = next(v["enabled"] for v in versions if v["id"] == walk.rotation.old_version)
        return found


@pytest.fixture
async def watched(company: Company, azurite: Azurite) -> Any:
    """Return a company that watches its vault."""
    made = Watched(company, azurite)
    yield made
    await made.clients.aclose()


async def test_who_asked_for_the_old_version_is_named(watched: Watched) -> None:
    """Who got it after the switch, or would have; not who read before, or the newest, has no right, or is Rekey."""
    walk = await watched.switched()
    disabled = {"caller": Caller(app_id="app-2", name="ada@contoso.example"), "status": 403, "disabled": True}
    await watched.taught(
        walk,
        {},
        {**disabled, "last": LATER + timedelta(minutes=5)},
        {"caller": Caller(app_id="app-before"), "first": SWITCHED - OFFSET, "last": SWITCHED - OFFSET},
        {"caller": Caller(app_id="app-newest"), "version": ""},
        {"caller": Caller(app_id="app-forbidden"), "status": 403},
    )
    found = await check(watched.desk, walk)
    assert (found.checked, found.remark, found.last) == (True, "", LATER + timedelta(minutes=5))
    second, first = found.used_by
    assert f"application {SHOP.app_id}, object id {SHOP.object_id} (last read" in first
    assert "ada@contoso.example, application app-2 (refused, for it is disabled, last" in second
    assert found.last
    assert (await check(watched.desk, walk.but(since=found.last))).used_by == ()


@pytest.mark.parametrize(
    ("ago", "why"),
    [
        (timedelta(minutes=31), "was last read to its end on"),
        (timedelta(days=8), "was never read to its end"),
    ],
)
async def test_a_log_that_lags_is_no_proof(watched: Watched, ago: timedelta, why: str) -> None:
    """Nobody seen in a log that nobody has looked at lately is said to be unchecked; one seen is seen."""
    walk = await watched.switched()
    await watched.taught(walk, ago=ago)
    found = await check(watched.desk, walk)
    assert (found.checked, found.used_by) == (False, ())
    assert why in found.remark
    await watched.taught(walk, {}, ago=ago)
    assert len((await check(watched.desk, walk)).used_by) == 1


async def test_every_log_of_the_vault_counts(watched: Watched) -> None:
    """Of a vault with logs in two accounts the one that lags decides; another vault's log says nothing."""
    walk = await watched.switched()
    await watched.taught(walk)
    await watched.passed(f"{walk.rotation.vault}-2", datetime.now(UTC) - timedelta(hours=5))
    assert (await check(watched.desk, walk)).checked
    await watched.passed(walk.rotation.vault, datetime.now(UTC) - timedelta(hours=5), account=1)
    assert not (await check(watched.desk, walk)).checked


async def test_a_log_without_the_switch_is_no_proof(watched: Watched) -> None:
    """Rekey reads every version that it writes: a log that doesn't have that hasn't got there."""
    walk = await watched.switched()
    await watched.passed(walk.rotation.vault, datetime.now(UTC))
    found = await check(watched.desk, walk)
    assert not found.checked
    assert "has not arrived up to the new version" in found.remark


async def test_without_a_log_nothing_is_asked(company: Company) -> None:
    """An app that is told of no log says so, and asks nobody."""
    rotation = await company.rotation()
    before = len((await company.azure.call("GET", f"{company.azure.control}/_sim/requests")).body["requests"])
    found = await check(company.desk, Walk(rotation=rotation, since=SWITCHED))
    assert found == UseCheck(checked=False, remark=found.remark)
    assert "REKEY_AUDIT_STORAGE" in found.remark
    after = (await company.azure.call("GET", f"{company.azure.control}/_sim/requests")).body["requests"]
    assert len(after) == before


async def test_what_the_log_says_reaches_the_rotation(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused read, as Azure Monitor writes it down, is on the record and found by the check; the event is raised."""
    monkeypatch.setattr(names, "AUDIT_LOGS", f"t{uuid4().hex}")
    walk, engine = await watched.switched(), FakeDurable()
    instance = names.instance_id(walk.rotation.vault, walk.rotation.secret)
    engine.put(instance)
    assert walk.published
    now = datetime.now(UTC) + timedelta(seconds=2)
    own = {OBJECT_ID: (await watched.clients.caller("vault")).object_id}
    path = f"/secrets/{walk.rotation.secret}"
    written = (
        line(f"{path}/{walk.published.version}", time=now.isoformat(), claim=own),
        line(f"{path}/{walk.rotation.old_version}", time=now.isoformat(), status=403, **DISABLED),
    )
    container = watched.clients.audit_logs(0)
    await container.create_container()
    prefix = f"resourceId=/SUBSCRIPTIONS/X/RESOURCEGROUPS/R/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/{walk.rotation.vault}/"
    hour = f"{prefix}y={now:%Y}/m={now:%m}/d={now:%d}/h={now:%H}/m=00/PT1H.json"
    await container.upload_blob(hour, b"".join(each + b"\n" for each in written), blob_type="AppendBlob")
    place = Place(account=0, prefix=prefix, vault=walk.rotation.vault)
    await read_log(watched.desk, engine, Glance(run_id="run", started=now, place=place))
    assert engine.raised == [(instance, names.DECISION_EVENT, None)]
    (refusal,) = (await decided(watched.desk, walk)).refused
    assert (refusal.app_id, refusal.object_id) == (APP, OBJECT)
    await enable(watched.desk, walk)
    found = await check(watched.desk, walk)
    assert (found.checked, len(found.used_by), found.refused) == (True, 1, (refusal,))


async def test_old_version_comes_back_for_who_is_on_the_record(watched: Watched) -> None:
    """Without a note in the record nothing is enabled; with one it is, twice as well as once, and both steps see it."""
    walk = await watched.switched()
    with pytest.raises(PermanentError) as caught:
        await enable(watched.desk, walk)
    assert caught.value.code == "not-asked-for"
    assert not watched.enabled(walk)
    await watched.desk.records().refuse(walk.rotation.id, [REFUSAL])
    for _ in range(2):
        await enable(watched.desk, walk)
        assert watched.enabled(walk)
    assert (await decided(watched.desk, walk)).refused == (REFUSAL,)
    await watched.taught(walk)
    assert (await check(watched.desk, walk)).refused == (REFUSAL,)


@pytest.mark.parametrize("reason", [Reason.EVENT, Reason.LEAK])
async def test_old_version_stays_disabled_after_a_leak_and_once_retired(watched: Watched, reason: Reason) -> None:
    """A note that came in time doesn't help: the record has the last word when it is to be enabled."""
    walk = await watched.switched(reason)
    records = watched.desk.records()
    await records.refuse(walk.rotation.id, [REFUSAL])
    if reason == Reason.EVENT:
        await records.add(walk.rotation.id, Entry(step=names.RETIRE_OLD_CREDENTIAL, outcome="retry-after", at=LATER))
    with pytest.raises(PermanentError):
        await enable(watched.desk, walk)
    assert not watched.enabled(walk)


async def test_enabling_is_on_the_record(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The evidence says when the old version was enabled again."""
    walk = await watched.switched()
    await watched.desk.records().refuse(walk.rotation.id, [REFUSAL])
    monkeypatch.setattr("activities.step.clients", lambda: watched.clients)
    outcome = await run_step(names.ENABLE_OLD_VERSION, enable, encode(walk))
    assert outcome["outcome"] == "ok"
    record = await watched.desk.records().read(walk.rotation.id)
    assert record is not None
    assert record.did(names.ENABLE_OLD_VERSION)
