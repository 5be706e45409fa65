"""The steps of a nightly sweep, against listings, blobs and an engine: what is found, planned, started and told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from activities.begin_sweep import begin
from activities.end_sweep import end
from activities.find_due import find
from activities.open_record import open_record
from activities.plan_starts import A_FEW, plan
from activities.start_due import REQUESTED_BY, start
from activities.step import Desk
from rekey import names, registry
from rekey.errors import InputError, PermanentError
from rekey.model import NOTHING_LEFT, Finding, Walk
from rekey.model.notice import MOST_FINDINGS
from rekey.model.sweep import Batch, Ending, Look, OfSweep, Round
from rekey.sweep import Due, Found
from tests.core.company import Company
from tests.triggers.durable import FakeDurable

RUN = "22222222-2222-4222-8222-222222222222"
BEFORE = "33333333-3333-4333-8333-333333333333"
BEGAN = datetime(2031, 1, 1, tzinfo=UTC)
"""After every instance that the fake engine makes."""
DAY = datetime(2030, 1, 1, tzinfo=UTC)
KIND = "entra-app-password"


@pytest.fixture
def desk(company: Company) -> Desk:
    """Return what the steps work with."""
    return company.desk


@pytest.fixture
async def due(desk: Desk) -> list[Due]:
    """Return some secrets that a sweep found to be due in two vaults, the first to expire last."""
    found = [
        Due(vault=vault, secret=f"s-{n}", kind=KIND, expires=DAY - timedelta(days=n))
        for n, vault in enumerate(["kv-one", "kv-two", "kv-one"])
    ]
    await keep(desk, found)
    return found


async def keep(desk: Desk, found: list[Due], *findings: Finding) -> None:
    """Keep what was found, by vault."""
    for vault in {one.vault for one in found} or {"kv-one"}:
        mine = tuple(one for one in found if one.vault == vault)
        await desk.sweeps(RUN).keep_found(vault, Found(due=mine, findings=findings))


def batch(number: int = 0, round_number: int = 0) -> Batch:
    """Return the input of start_due."""
    return Batch(run_id=RUN, round=round_number, number=number, began=BEGAN)


def instance(one: Due) -> str:
    """Return the id of its rotation."""
    return names.instance_id(one.vault, one.secret)


async def test_the_look_finds_what_is_due_without_reading_a_value(company: Company) -> None:
    """The company's secret is near its end; the vault is asked for a listing, for no secret by its name."""
    vault = company.scenario.vault
    tags = {"azureADAppId": "nonsense"}
    others = {"notes": {"value": "x"}, "bad": {"value": "hunter2", "tags": tags, "expires_in_days": 3}}
    await company.azure.seed({"vaults": {vault: {"secrets": others}}})
    looked = await find(company.desk, Look(run_id=RUN, vault=vault))
    assert looked.counts == {"secrets": 3, "managed": 1, "not tagged": 1, "with tags that can't be used": 1, "due": 1}
    (found,) = await company.desk.sweeps(RUN).found()
    assert [(d.vault, d.secret, d.kind) for d in found.due] == [
        (vault, company.scenario.secret, KIND),
        (vault, "bad", ""),
    ]
    assert [(f.code, f.secret) for f in found.findings] == [("bad-policy", "bad")]
    asked = {path for _, path in await company.requests("keyvault")}
    assert asked == {"/secrets"}


async def test_a_bad_tag_is_named_and_not_quoted(company: Company) -> None:
    """The value wasn't read, so that nobody knows whether it was pasted into the tag."""
    secret = {"value": "hunter2", "tags": {"azureADAppId": "hunter2"}}
    await company.azure.seed({"vaults": {company.scenario.vault: {"secrets": {"bad": secret}}}})
    await find(company.desk, Look(run_id=RUN, vault=company.scenario.vault))
    (found,) = await company.desk.sweeps(RUN).found()
    assert "azureADAppId" in found.findings[0].message
    assert "hunter2" not in str(found)


async def test_a_secret_that_cannot_be_judged_stops_no_other(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind whose SDK can't be loaded, say: a finding without the error's text; the others are judged."""
    secret = {"value": "x", "tags": {"rekey-credential": "odd:thing"}}
    await company.azure.seed({"vaults": {company.scenario.vault: {"secrets": {"Odd": secret}}}})
    kinds = {**registry.CREDENTIAL_KINDS, "odd": "nowhere.at.all:Odd"}
    monkeypatch.setattr(registry, "CREDENTIAL_KINDS", kinds)
    looked = await find(company.desk, Look(run_id=RUN, vault=company.scenario.vault))
    (found,) = await company.desk.sweeps(RUN).found()
    assert (looked.counts["secrets"], looked.counts["due"], len(found.due)) == (2, 1, 1)
    assert [(f.code, f.secret) for f in found.findings] == [("not-judged", "odd")]
    assert "nowhere" not in str(found)


async def test_a_vault_without_permission_is_an_error_that_says_what_to_grant(company: Company) -> None:
    """The listing is refused: permanent, with the command."""
    roles: dict[str, Any] = {"roles": {"rekey": ["get"]}}
    await company.azure.seed({"vaults": {company.scenario.vault: roles}})
    with pytest.raises(PermanentError) as refused:
        await find(company.desk, Look(run_id=RUN, vault=company.scenario.vault))
    assert "az role assignment create" in refused.value.what_to_do


async def test_a_sweep_begins_with_nothing_left_of_earlier_ones(desk: Desk, due: list[Due]) -> None:
    """Old plans are removed, the sweep's own stay: a repeated step must not lose what was found."""
    await desk.sweeps(BEFORE).keep_found("kv-one", Found(due=tuple(due)))
    begun = await begin(desk, OfSweep(run_id=RUN))
    assert begun.vaults == desk.settings.vaults()
    assert await desk.sweeps(BEFORE).found() == []
    assert len(await desk.sweeps(RUN).found()) == 2


async def test_what_expires_first_is_started_first(desk: Desk, due: list[Due]) -> None:
    """A few are one batch, of each vault in the order of their ends; the engine gets the requests of a schedule."""
    planned = await plan(desk, Round(run_id=RUN, round=0))
    assert (planned.batches, planned.counts) == (1, {"to start": 3})
    engine = FakeDurable()
    started = await start(desk, batch(), engine)
    assert (started.counts, started.missed) == ({"started": 3}, 0)
    of_one = [name for name in engine.started if "kv-one" in name]
    assert of_one == [instance(due[2]), instance(due[0])]
    assert engine.started[instance(due[0])] == {
        "vault": "kv-one",
        "secret": "s-0",
        "reason": "schedule",
        "requested_by": REQUESTED_BY,
        "digest": False,
    }


async def test_many_are_told_in_digests(desk: Desk) -> None:
    """More than a few rotations in one night ask for digests instead of mails of their own."""
    many = [Due(vault="kv-one", secret=f"s-{n}", kind=KIND, expires=DAY) for n in range(A_FEW + 1)]
    await keep(desk, many)
    await plan(desk, Round(run_id=RUN, round=0))
    engine = FakeDurable()
    await start(desk, batch(), engine)
    assert {request["digest"] for request in engine.started.values()} == {True}


async def test_a_batch_that_is_repeated_starts_nothing_twice(desk: Desk, due: list[Due]) -> None:
    """An attempt died after some were started, one of which is over by now: none is started again, all are counted."""
    await plan(desk, Round(run_id=RUN, round=0))
    engine = FakeDurable()
    again = Batch(run_id=RUN, round=0, number=0, began=DAY)  # before the instances that the fake engine makes
    engine.put(instance(due[0]))
    engine.put(instance(due[1]), status="COMPLETED")
    started = await start(desk, again, engine)
    assert started.counts == {"started": 3}
    assert list(engine.started) == [instance(due[2])]


async def test_a_rotation_that_was_running_before_is_left_alone(desk: Desk, due: list[Due]) -> None:
    """It is counted apart; one that ended on an earlier day is started."""
    await plan(desk, Round(run_id=RUN, round=0))
    engine = FakeDurable()
    engine.put(instance(due[0]))
    engine.put(instance(due[1]), status="FAILED")
    assert (await start(desk, batch(), engine)).counts == {"started": 2, "running already": 1}
    assert set(engine.started) == {instance(due[1]), instance(due[2])}


async def test_a_start_that_fails_stops_no_other_and_is_planned_again(desk: Desk, due: list[Due]) -> None:
    """The others start; the next round's plan has that one alone, and if it fails on it is told."""
    await plan(desk, Round(run_id=RUN, round=0))
    engine = FakeDurable(broken={instance(due[1])})
    first = await start(desk, batch(), engine)
    assert (first.counts, first.missed) == ({"started": 2}, 1)
    assert (await plan(desk, Round(run_id=RUN, round=1))).batches == 1
    assert (await start(desk, batch(round_number=1), engine)).missed == 1
    ended = await end(desk, Ending(run_id=RUN, last_round=1))
    assert ended.counts == {"not started": 1}
    assert [(f.code, f.vault, f.secret) for f in ended.findings] == [("not-started", "kv-two", "s-1")]


async def test_batches_know_when_the_next_one_is(desk: Desk) -> None:
    """Across the pages of a plan, and the last one names its own time."""
    many = [Due(vault="kv-one", secret=f"s-{n:04}", kind=KIND, expires=DAY) for n in range(1500)]
    await keep(desk, many)
    planned = await plan(desk, Round(run_id=RUN, round=0))
    sweeps = desk.sweeps(RUN)
    batches = [await sweeps.batch(0, n) for n in range(planned.batches)]
    times = [one.at for one, _, _ in batches]
    assert [following for _, following, _ in batches] == [*times[1:], times[-1]]
    assert times == sorted(times)
    assert [d for one, _, _ in batches for d in one.starts] == many


async def test_a_sweep_that_has_ended_starts_nothing_more(desk: Desk, due: list[Due]) -> None:
    """Its plan is gone, which a restarted instance is told; ending it once more finds the same."""
    del due
    await plan(desk, Round(run_id=RUN, round=0))
    bad = Finding(code="vault-unreadable", vault="kv-two", message="forbidden")
    ended = await end(desk, Ending(run_id=RUN, last_round=2, findings=(bad,)))
    assert ended.findings == (bad,)
    with pytest.raises(PermanentError) as gone:
        await start(desk, batch(), FakeDurable())
    assert gone.value.code == "plan-gone"
    assert await end(desk, Ending(run_id=RUN, last_round=2, findings=(bad,))) == ended


async def test_one_mail_has_room_for_so_many_findings(desk: Desk) -> None:
    """What exceeds them is counted in one more line: a mail and the durable store have limits."""
    bad = [Finding(code="bad-policy", secret=f"s-{n}", message="rekey-lead") for n in range(MOST_FINDINGS + 5)]
    await keep(desk, [], *bad)
    ended = await end(desk, Ending(run_id=RUN, last_round=2))
    assert len(ended.findings) == MOST_FINDINGS + 1
    assert ended.findings[-1].subject == "5 more"


def test_no_other_blobs_can_be_named(desk: Desk) -> None:
    """The run's id comes from an instance's input: it is an id or nothing."""
    with pytest.raises(InputError):
        desk.sweeps("../records")


async def test_what_had_nothing_left_to_rotate_is_looked_at_quietly(company: Company) -> None:
    """It is started each night, for its consumers may be back on a key; it is neither due nor started for people."""
    walk = Walk(rotation=await company.rotation())
    await open_record(company.desk, walk)
    await company.desk.records().close(walk.rotation.id, NOTHING_LEFT)
    looked = await find(company.desk, Look(run_id=RUN, vault=company.scenario.vault))
    assert looked.counts == {"secrets": 1, "managed": 1, "with nothing left to rotate": 1, "due": 0}
    await plan(company.desk, Round(run_id=RUN, round=0))
    engine = FakeDurable()
    assert (await start(company.desk, batch(), engine)).counts == {}
    assert list(engine.started) == [names.instance_id(company.scenario.vault, company.scenario.secret)]
