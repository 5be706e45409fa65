"""Holds that the steps that find and read audit logs see who read a company's secret, as the log has it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from activities import list_audit_logs, read_audit_log
from local.scenario import INTRUDER, JOB, Scenario
from local.storage import ACCOUNT_KEY, Azurite
from rekey.audit.readers import Readers
from rekey.audit.state import States
from rekey.audit_settings import Audit
from rekey.model.audit import Glance, Logs, Pass
from tests.core import company as companies
from tests.core.company import Company

PASS = Pass(run_id="run", started=datetime.now(UTC))


class NoEngine:
    """Nothing waits for anything here."""

    async def get_orchestration_state(self, *_: Any, **__: Any) -> None:
        """Know no instance."""

    async def schedule_new_orchestration(self, *_: Any, **__: Any) -> str:
        """Start nothing."""
        return ""

    async def raise_orchestration_event(self, *_: Any, **__: Any) -> None:
        """Wake nobody."""


async def listed(company: Company) -> Logs:
    """Return what is found after the log has all that happened."""
    await company.azure.call("POST", f"{company.azure.control}/_sim/audit/flush")
    return await list_audit_logs.find(company.desk, PASS)


async def logged(company: Company, **fields: Any) -> None:
    """Have the log say that somebody read the managed secret, unless told otherwise."""
    scenario = company.scenario
    body = {"vault": scenario.vault, "operation": "SecretGet", "secret": scenario.secret, **fields}
    answer = await company.azure.call("POST", f"{company.azure.control}/_sim/audit/record", body=body)
    assert answer.status == 200, answer.body


async def test_who_read_what_is_seen_and_missing_logs_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
) -> None:
    """A stranger is one hit, the expected reader and Rekey itself are none, both readers are remembered, once."""
    scenario = Scenario(audited=True)
    async with companies.company(tmp_path, monkeypatch, scenario, azurite.connection_string) as company:
        await company.azure.seed(scenario.log(azurite.connection_string))
        await company.clients.storage_ready()
        assert (await listed(company)).missing == tuple(sorted((scenario.vault, scenario.staging)))
        await company.rotation()
        for who in (JOB, INTRUDER, INTRUDER):
            await logged(company, by=who)
        logs = await listed(company)
        assert logs.missing == (scenario.staging,)
        (place,) = logs.places
        glance = Glance(run_id="run", started=PASS.started, place=place)
        turns = [await read_audit_log.read(company.desk, NoEngine(), glance) for _ in range(2)]
        assert [(turn.hits, turn.unreadable, turn.more) for turn in turns] == [(2, 0, False), (0, 0, False)]
        (group,) = (await States(company.clients.container()).read(place))[0].groups.values()
        assert (group.rule, group.secret, group.times) == ("unexpected-reader", scenario.secret, 2)
        readers = await Readers(company.clients.container()).of(scenario.vault, scenario.secret)
        assert scenario.job in {reader.caller.app_id for version in readers.values() for reader in version}


async def test_an_account_that_refuses_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
) -> None:
    """Of two accounts one refuses: the other's places are found, and instead of what is missing it is said why."""
    scenario = Scenario(audited=True)
    async with companies.company(tmp_path, monkeypatch, scenario, azurite.connection_string) as company:
        await company.azure.seed(scenario.log(azurite.connection_string))
        await company.rotation()
        wrong = azurite.connection_string.replace(ACCOUNT_KEY, "d3Jvbmc=")
        both = Audit(storage=(wrong, azurite.connection_string))
        monkeypatch.setattr(company.clients, "settings", replace(company.settings, audit=both))
        logs = await listed(company)
        assert [(place.account, place.vault) for place in logs.places] == [(1, scenario.vault)]
        (trouble,) = logs.troubles
        assert (trouble.code, "account 0" in trouble.message) == ("forbidden", True)
        assert "Storage Blob Data Reader" in trouble.what_to_do
        assert logs.missing == ()
