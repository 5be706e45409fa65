"""The steps that change something, each against the services' own state: twice, late, overtaken, refused."""

import asyncio
from typing import Any

import msgspec
import pytest

from activities.disable_old_version import disable
from activities.generate_credential import generate
from activities.open_record import open_record
from activities.preflight import preflight
from activities.read_policy import read
from activities.set_secret_version import publish
from activities.undo_generation import undo
from activities.update_consumer import update
from activities.verify_credential import verify
from rekey import names
from rekey.errors import NotYetError, PermanentError, RekeyError, UnclearError
from rekey.leases import leased
from rekey.model import Published, Question, Reason, RotationRequest, Walk
from rekey.secret_value import SecretValue
from tests.core.company import ROTATION, Company


@pytest.fixture
async def walk(company: Company) -> Walk:
    """Return a walk up to preflight."""
    rotation = await company.rotation()
    start = Walk(rotation=rotation)
    await open_record(company.desk, start)
    facts = await preflight(company.desk, start)
    return start.but(rotation=rotation.knowing(facts), facts=facts)


def versions(company: Company, vault: str, secret: str) -> list[dict[str, Any]]:
    """Return a secret's versions, oldest first."""
    found = company.azure.cloud.keyvault.state()["vaults"][vault]["secrets"].get(secret)
    return list(found["versions"]) if found else []


def managed(company: Company) -> list[dict[str, Any]]:
    """Return the managed secret's versions."""
    return versions(company, company.scenario.vault, company.scenario.secret)


def staged(company: Company) -> list[dict[str, Any]]:
    """Return what is staged."""
    return versions(company, company.scenario.staging, names.staged_secret(ROTATION))


def live(company: Company) -> set[str]:
    """Return the key ids of the passwords that work."""
    return {p.key_id for p in company.application.live()}


async def published(company: Company, walk: Walk) -> Walk:
    """Return the walk after publication."""
    walk = walk.but(issued=await generate(company.desk, walk))
    return walk.but(published=await publish(company.desk, walk))


async def test_preflight_changes_nothing_but_the_time_of_change(company: Company, walk: Walk) -> None:
    """Looking at the whole chain leaves everything as it was, but for the version's time of change."""
    (before,) = managed(company)
    await preflight(company.desk, walk)
    (after,) = managed(company)
    assert {**after, "updated": 0, "reads": 0} == {**before, "updated": 0, "reads": 0}
    assert staged(company) == []


async def test_staged_value_is_labelled(company: Company, walk: Walk) -> None:
    """The staged version has the new password, its key id, and who may destroy it."""
    issued = await generate(company.desk, walk)
    (version,) = staged(company)
    assert version["id"] == issued.staged_version
    assert version["value"] == company.application.live()[-1].value
    assert version["tags"] == {
        names.TAG_KEY_ID: issued.key_id,
        names.TAG_ROTATION_ID: ROTATION,
        names.TAG_DEPLOYMENT: "local",
    }


@pytest.mark.parametrize("where", ["addPassword", "staged-"])
async def test_attempt_that_wakes_up_late_withdraws(company: Company, walk: Walk, where: str) -> None:
    """An attempt that was paused while another finished removes what it made and commits nothing."""
    before = live(company)
    if where == "staged-":
        await company.desk.staging().read("x", "0" * 32)  # the challenge is not the request to hold
    service = "graph" if where == "addPassword" else "keyvault"
    fault = await company.fault(service, path=where, hold=True, when="after")
    late = asyncio.create_task(generate(company.desk, walk))
    async with asyncio.timeout(30):
        while not (await _fault(company, fault))["held"]:
            assert not late.done(), late
            await asyncio.sleep(0.01)
    issued = await generate(company.desk, walk)
    await company.azure.call("POST", f"{company.azure.control}/_sim/faults/{fault}/release")
    with pytest.raises(RekeyError) as caught:
        await late
    assert isinstance(caught.value, UnclearError)
    assert caught.value.code == "overtaken"
    assert live(company) == {*before, issued.key_id}
    new = (await publish(company.desk, walk.but(issued=issued))).version
    values = {p.key_id: p.value for p in company.application.live()}
    assert {v["id"]: v["value"] for v in managed(company)}[new] == values[issued.key_id]


async def _fault(company: Company, fault_id: str) -> dict[str, Any]:
    answer = await company.azure.call("GET", f"{company.azure.control}/_sim/faults")
    found: dict[str, Any] = next(f for f in answer.body["faults"] if f["id"] == fault_id)
    return found


async def test_credential_is_verified_before_anybody_gets_it(company: Company, walk: Walk) -> None:
    """A password that isn't known everywhere yet fails the step; known, it passes."""
    company.delay(60)
    walk = walk.but(issued=await generate(company.desk, walk))
    with pytest.raises(NotYetError):
        await verify(company.desk, walk)
    company.settle(61)
    await verify(company.desk, walk)


async def test_publishing_writes_one_version_and_destroys_the_staged_one(company: Company, walk: Walk) -> None:
    """Published twice, the secret has one new version with dates, type, tags and ids; nothing is staged any more."""
    walk = await published(company, walk)
    assert await publish(company.desk, walk) == walk.published
    old, new = managed(company)
    assert walk.issued
    assert (new["exp"], new["content_type"]) == (int(walk.issued.expires.timestamp()), old["content_type"])
    assert new["nbf"]
    assert new["tags"] == {**old["tags"], names.TAG_ROTATION_ID: ROTATION, names.TAG_KEY_ID: walk.issued.key_id}
    vault = company.azure.cloud.keyvault.state()["vaults"][company.scenario.staging]
    assert vault["purged"] == [names.staged_secret(ROTATION)]


async def test_lost_answer_to_publication_is_looked_into(company: Company, walk: Walk) -> None:
    """A version that was written although its answer was lost is found by the next attempt, not written again."""
    walk = walk.but(issued=await generate(company.desk, walk))
    await company.fault("keyvault", method="PUT", path=company.scenario.secret, status=503, when="after")
    with pytest.raises(UnclearError):
        await publish(company.desk, walk)
    await publish(company.desk, walk)
    assert len(managed(company)) == 2


async def test_version_from_somebody_else_wins(company: Company, walk: Walk) -> None:
    """If the secret got another version meanwhile, nothing is written over it, and what was made is removed."""
    before = live(company)
    walk = walk.but(issued=await generate(company.desk, walk))
    vault = company.desk.vault(walk.rotation.vault)
    await vault.set(walk.rotation.secret, SecretValue("by hand"), tags={})
    with pytest.raises(PermanentError) as caught:
        await publish(company.desk, walk)
    assert caught.value.code == "superseded"
    assert managed(company)[-1]["value"] == "by hand"
    await undo(company.desk, walk)
    assert live(company) == before
    assert staged(company) == []


async def test_staged_value_of_another_key_is_refused(company: Company, walk: Walk) -> None:
    """A version that isn't the committed one, or holds another key, is never published."""
    issued = await generate(company.desk, walk)
    name = names.staged_secret(ROTATION)
    other = await company.desk.staging().set(name, SecretValue("swapped"), tags={names.TAG_KEY_ID: "another"})
    with pytest.raises(PermanentError) as caught:
        await publish(company.desk, walk.but(issued=_but(issued, staged_version=other.id)))
    assert caught.value.code == "staged-value-mismatch"
    with pytest.raises(NotYetError) as unseen:
        await publish(company.desk, walk.but(issued=_but(issued, staged_version="0" * 32)))
    assert unseen.value.code == "staged-value-gone"
    assert len(managed(company)) == 1


async def test_version_that_is_seen_late_is_written_once(company: Company, walk: Walk) -> None:
    """While reads lag behind the write, it is waited for the version, and no other one is written."""
    walk = walk.but(issued=await generate(company.desk, walk))
    await company.fault("keyvault", path=f"/secrets/{walk.rotation.secret}", stale=2, count=None)
    published = await publish(company.desk, walk)
    assert [version["id"] for version in managed(company)][1:] == [published.version]


def _but(issued: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(issued, **changes)


async def test_newest_version_is_never_disabled(company: Company, walk: Walk) -> None:
    """Disabling needs a newer version than the one to be disabled."""
    same = Published(version=walk.rotation.old_version, expires=walk.rotation.started)
    for bad in (walk, walk.but(published=same)):
        with pytest.raises(PermanentError) as caught:
            await disable(company.desk, bad)
        assert caught.value.code == "newest-version"
    assert managed(company)[0]["enabled"] is True


async def test_old_version_is_disabled_and_the_new_one_read(company: Company, walk: Walk) -> None:
    """After disabling, an unversioned read gives the new version; doing it twice is no error."""
    walk = await published(company, walk)
    for _ in range(2):
        await disable(company.desk, walk)
    assert [v["enabled"] for v in managed(company)] == [False, True]
    assert walk.published
    assert (await company.desk.vault(walk.rotation.vault).current(walk.rotation.secret))[0].id == walk.published.version


async def test_undoing_leaves_no_trace_and_stops_late_attempts(company: Company, walk: Walk) -> None:
    """What was made is removed, twice is no error, and an attempt still under way can't commit any more."""
    before = live(company)
    walk = walk.but(issued=await generate(company.desk, walk))
    for _ in range(2):
        undone = await undo(company.desk, walk)
        assert undone.published is None
    assert live(company) == before
    assert staged(company) == []


async def test_undoing_a_published_version_is_refused(company: Company, walk: Walk) -> None:
    """A version that is out is reported, and its credential kept."""
    walk = await published(company, walk)
    undone = await undo(company.desk, walk)
    assert undone.published == walk.published
    assert undone.removed == ()
    assert walk.issued
    assert walk.issued.key_id in live(company)


async def test_consumer_gets_the_published_value_under_its_lease(company: Company, walk: Walk) -> None:
    """While another holds the object's lease nothing is written; after, the published value is."""
    walk = await published(company, walk)
    assert walk.facts
    target = walk.facts.consumers[0]
    async with leased(company.clients.container(), target.object_id):
        with pytest.raises(NotYetError) as caught:
            await update(company.desk, walk.but(target=target))
    assert caught.value.code == "object-busy"
    assert await update(company.desk, walk.but(target=target)) == target.uri
    (project,) = company.azure.cloud.azuredevops.organizations[company.scenario.organization].projects.values()
    assert project.endpoints[target.object_id].secrets["serviceprincipalkey"] == managed(company)[-1]["value"]


async def _read(company: Company, **changes: Any) -> Any:
    given = {"vault": company.scenario.vault, "secret": company.scenario.secret, "reason": Reason.EVENT, **changes}
    rotation = await company.rotation()
    return await read(
        company.desk, Question(request=RotationRequest(**given), rotation_id=ROTATION, started=rotation.started)
    )


async def test_event_is_a_hint(company: Company) -> None:
    """A secret that isn't there, isn't tagged or is disabled is nothing to rotate, and the reason says so."""
    vault = company.desk.vault(company.scenario.vault)
    await vault.set("untagged", SecretValue("x"), tags={})
    off = await vault.set("off", SecretValue("x"), tags={})
    await vault.disable("off", off.id)
    for secret, word in (("nothing", "HTTP 404"), ("untagged", "no rotation policy"), ("off", "disabled")):
        reading = await _read(company, secret=secret)
        assert reading.rotation is None
        assert word in reading.not_due


async def test_unknown_vault_is_refused_unread(company: Company) -> None:
    """A forged event that names a vault no scope has leads to no request."""
    rotation = await company.rotation()
    request = RotationRequest(vault="kv-evil", secret="x", reason=Reason.EVENT)
    before = await company.requests("keyvault")
    with pytest.raises(RekeyError) as caught:
        await read(company.desk, Question(request=request, rotation_id=ROTATION, started=rotation.started))
    assert caught.value.code == "out-of-scope"
    assert await company.requests("keyvault") == before


async def test_secret_that_was_just_rotated_is_not_due(company: Company, walk: Walk) -> None:
    """The new version's own event finds nothing to do; whoever starts by hand gets a rotation."""
    await published(company, walk)
    assert (await _read(company)).rotation is None
    assert (await _read(company, reason=Reason.MANUAL)).rotation is not None
