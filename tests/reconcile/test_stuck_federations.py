"""Federations that don't go on by themselves: told each night, closed when they were seen dead twice, never touched."""

from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

from msgspec.structs import replace

from activities import list_places
from activities.purge_instances import purge
from rekey import names
from rekey.federation.records import FederationRecord
from rekey.federation_settings import Duty, Federating
from rekey.model import Finding
from rekey.model.federation import Federation, Mode
from rekey.model.night import Night
from rekey.model.purge import Purge
from rekey.records import Entry
from tests.reconcile.nights import Nights


async def federation(nights: Nights, status: str | None, walks: str = "", connection: str = "deploy") -> Federation:
    """Keep an open record; its instance has that status, None for no instance, and walks this one or another."""
    walk = Federation(
        id=str(uuid4()),
        instance=f"federate.contoso.shop.{connection}",
        mode=Mode.IN_PLACE,
        organization="contoso",
        project="Shop",
        started=datetime.now(UTC),
        connection=connection,
    )
    done = Entry(step=names.CONVERT_CONNECTION, outcome="ok", at=datetime.now(UTC))
    record = FederationRecord(federation=walk, deployment="local", opened=walk.started, entries=(done,))
    await nights.company.desk.federations().open(record)
    if status:
        nights.engine.put(walk.instance, status, {"federation_id": walks or walk.id})
    return walk


def told(findings: list[Finding]) -> list[str]:
    """Return the codes of what was found about federations and terminated instances."""
    return [one.code for one in findings if one.code.startswith("federation") or one.code == "rotation-terminated"]


async def test_dead_ones_are_told_in_two_nights_and_closed(nights: Nights) -> None:
    """With how far each came and where to look; what it did is left to people, and it is told no third time."""
    walks = [
        await federation(nights, "TERMINATED", connection="stopped"),
        await federation(nights, None, connection="gone"),
        await federation(nights, "RUNNING", walks=str(uuid4()), connection="elsewhere"),
    ]
    found = await nights.night()
    assert told(found) == ["federation-dead"] * 3
    dead = {one.subject: one for one in found if one.code == "federation-dead"}
    assert dead.keys() == {f"contoso/Shop/{walk.connection}" for walk in walks}
    for walk in walks:
        finding = dead[f"contoso/Shop/{walk.connection}"]
        assert (names.CONVERT_CONNECTION in finding.message, walk.id in finding.what_to_do) == (True, True)
    assert told(await nights.night(later=1)) == ["federation-abandoned"] * 3
    records = await nights.company.desk.federations().all()
    assert {(record.state, record.result) for record in records} == {("closed", "abandoned")}
    assert told(await nights.night(later=1)) == []


async def test_one_that_goes_on_is_left_alone(nights: Nights) -> None:
    """One that runs isn't told; one that somebody suspended is, and stays open."""
    walk = await federation(nights, "RUNNING")
    assert told(await nights.night()) == []
    nights.engine.put(walk.instance, "SUSPENDED", {"federation_id": walk.id})
    for _ in range(2):
        assert told(await nights.night(later=1)) == ["federation-suspended"]


async def test_history_of_an_open_one_stays(nights: Nights) -> None:
    """It says what happened to a federation whose record is open; that of a closed one goes."""
    walk = await federation(nights, "FAILED")
    engine: Any = nights.engine
    asked = Purge(started=datetime(2031, 1, 1, tzinfo=UTC))
    assert (await purge(nights.company.desk, cast("Any", engine), asked)).purged == 0
    await nights.company.desk.federations().close(walk.id, "failed")
    assert (await purge(nights.company.desk, cast("Any", engine), asked)).purged == 1


async def test_an_app_that_vends_looks_at_no_vault(nights: Nights) -> None:
    """It has no right to one: its night is about its own records and mails."""
    desk, began = nights.company.desk, Night(run_id=str(uuid4()), started=datetime.now(UTC))
    assert (await list_places.begin(desk, began)).rotates
    desk.settings = replace(desk.settings, federating=Federating(duty=Duty.VENDING))
    places = await list_places.begin(desk, began)
    assert (places.rotates, places.vaults, places.groups) == (False, (), 0)
