"""What the nightly check says of audit logs: nothing where none are set, else whose are missing, unread, unreadable."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from activities import find_unread_logs
from activities.list_audit_logs import find as find_logs
from rekey import names
from rekey.audit.state import Position, States
from rekey.audit.unreadable import Unreadable, keep
from rekey.audit_settings import Audit
from rekey.model import Finding
from rekey.model.audit import Pass, Place
from rekey.reconcile.logs import LATE
from rekey.reconcile.memory import Memory
from tests.reconcile.nights import Nights, codes

ABOVE = "resourceId=/SUBSCRIPTIONS/4B1D5C9E-0F5A-4C3B-9D21-0A6D6F1B7C11/RESOURCEGROUPS/RG/PROVIDERS/MICROSOFT.KEYVAULT"


class Logs:
    """The audit logs of a company's vaults."""

    def __init__(self, nights: Nights) -> None:
        self.nights = nights
        self.desk = nights.company.desk
        self.vaults = (*self.desk.settings.vaults(), self.desk.settings.staging_vault.lower())

    async def begin(self, vault: str) -> None:
        """Let Azure Monitor write the vault's first log."""
        name = f"{ABOVE}/VAULTS/{vault.upper()}/y=2026/m=11/d=21/h=14/m=00/PT1H.json"
        await self.desk.clients.audit_logs(0).upload_blob(name, b"")

    async def passed(self, ago: timedelta, blobs: tuple[str, ...] = ("PT1H.json",)) -> list[Place]:
        """Say of each log that it was read to its end so long ago, and which blobs of the last day it has."""
        part, states = self.nights.begun(), States(self.desk.clients.container())
        kept = dict.fromkeys(blobs, Position())
        places = (await find_logs(self.desk, Pass(run_id=part.run_id, started=part.started))).places
        for place in places:
            state, etag = await states.read(place)
            await states.write(place, replace(state, passed=part.started - ago, blobs=kept), etag)
        return list(places)

    async def found(self) -> list[Finding]:
        """Return what tonight's look at the logs finds."""
        part = self.nights.begun()
        looked = await find_unread_logs.find(self.desk, part)
        kept = await Memory(self.desk.clients.container()).kept(part.run_id)
        findings = [finding for result in kept.values() for finding in result.findings]
        assert looked.findings == len(findings)
        return findings


@pytest.fixture
async def logs(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> Logs:
    """Return the logs of a company that watches its vaults, before Azure Monitor wrote any."""
    clients = nights.company.clients
    monkeypatch.setattr(names, "AUDIT_LOGS", names.CONTAINER)  # one container is made, and each reads its own part
    monkeypatch.setattr(
        clients, "settings", replace(clients.settings, audit=Audit(storage=(clients.settings.storage,)))
    )
    return Logs(nights)


async def test_logs_are_none_of_our_business_without_a_setting(nights: Nights) -> None:
    """Who doesn't watch vaults is not told of it."""
    assert await Logs(nights).found() == []


async def test_each_thing_that_is_wrong_with_a_log_is_told_once(logs: Logs) -> None:
    """Missing, never read, late, silent, unreadable: each is named with its vault, and ends when it is mended."""
    assert sorted((f.code, f.vault) for f in await logs.found()) == [
        ("audit-log-missing", vault) for vault in sorted(logs.vaults)
    ]
    for vault in logs.vaults:
        await logs.begin(vault)
    unread = await logs.found()
    assert codes(unread) == ["audit-log-unread"] * len(logs.vaults)
    assert "not read to its end ever" in unread[0].message
    (place, *_) = await logs.passed(LATE - timedelta(minutes=1))
    assert await logs.found() == []
    await logs.passed(LATE + timedelta(minutes=1))
    assert codes(await logs.found()) == ["audit-log-unread"] * len(logs.vaults)
    await logs.passed(timedelta(), blobs=())
    assert codes(await logs.found()) == ["audit-log-silent"] * len(logs.vaults)
    await logs.passed(timedelta())
    bad = Unreadable.of("PT1H.json", 0, b"{torn", "not JSON")
    await keep(logs.desk.clients.container(), place, "etag", 1, [bad])
    (found,) = await logs.found()
    assert (found.code, found.vault) == ("audit-lines-unreadable", place.vault)
    assert "{torn" not in str(found)
