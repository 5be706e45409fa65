"""A rotation whose secret is in workflows, app settings and references at once, step by step."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from activities.confirm_consumer import confirm
from activities.disable_old_version import disable
from activities.generate_credential import generate
from activities.open_record import open_record
from activities.preflight import preflight
from activities.set_secret_version import publish
from activities.update_consumer import update
from local.azure.keyvault_state import Version
from local.storage import Azurite
from rekey.errors import NotYetError
from rekey.model import ConsumerTarget, Rotation, Walk
from rekey.ports import ConsumerKind
from rekey.registry import consumer_kind
from tests.consumers.handed import Handed
from tests.consumers.hosting import AT, hosted, site, workflow
from tests.core.company import Company

CONSUMERS = (
    f"logic-app://{AT}/flow/password",
    f"logic-app://{AT}/flows/PASSWORD",
    f"app-setting://{AT}/shop/PASSWORD",
    f"app-setting://{AT}/shop/Nested__Key:1",
    f"app-setting://{AT}/shop/PASSWORD?slot=stage",
    f"key-vault-reference://{AT}/shop/REFERENCE",
)


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Company]:
    """Run a company whose secret has all these consumers, with a storage account."""
    async with hosted(tmp_path, monkeypatch, *CONSUMERS, storage=azurite.connection_string) as running:
        await running.clients.storage_ready()
        yield running


async def _switched(company: Company, walk: Walk, target: ConsumerTarget) -> str:
    """Update and confirm one consumer, again as long as another one of the same site has its turn."""
    own = walk.but(target=target)
    while True:
        try:
            await update(company.desk, own)
            return (await confirm(company.desk, own)).confirmed_by
        except NotYetError as error:
            if error.code not in {"object-busy", "conflict"}:
                raise
            await asyncio.sleep(0.05)


async def test_all_of_them_get_the_published_value(company: Company) -> None:
    """Side by side each place gets the new password, two settings of one site too, and all else stays as it was."""
    rotation = await company.rotation()
    walk = Walk(rotation=rotation)
    await open_record(company.desk, walk)
    facts = await preflight(company.desk, walk)
    shop, before = site(company), dict(site(company).settings)
    walk = walk.but(rotation=rotation.knowing(facts), facts=facts)
    walk = walk.but(issued=await generate(company.desk, walk))
    walk = walk.but(published=await publish(company.desk, walk))
    await disable(company.desk, walk)
    hosted_ones = [target for target in facts.consumers if target.uri in CONSUMERS]
    assert [target.uri for target in hosted_ones] == list(CONSUMERS)
    confirmed = await asyncio.gather(*(_switched(company, walk, target) for target in hosted_ones))
    new = company.application.live()[-1].value
    assert all(confirmed)
    assert workflow(company).value("password") == new
    assert site(company, "flows").settings["PASSWORD"] == shop.slots["stage"].settings["PASSWORD"] == new
    assert shop.environment() == {**before, "PASSWORD": new, "Nested__Key:1": new, "REFERENCE": new}
    record = await company.desk.records().read(rotation.id)
    assert record is not None
    assert record.notes == {CONSUMERS[0]: workflow(company).version}
    assert company.scenario.canary.encode() not in msgspec.json.encode([record, facts, confirmed])


def _held(company: Company) -> dict[str, str]:
    """Return the value that each consumer holds, by its URI."""
    shop, flow, standard = site(company).environment(), workflow(company), site(company, "flows").environment()
    stage = site(company).slots["stage"].environment()
    values = (
        str(flow.value("password")),
        standard["PASSWORD"],
        shop["PASSWORD"],
        shop["Nested__Key:1"],
        stage["PASSWORD"],
        shop["REFERENCE"],
    )
    return dict(zip(CONSUMERS, values, strict=True))


async def _insisted(kind: ConsumerKind, rotation: Rotation, target: ConsumerTarget, new: Handed) -> int:
    """Update and confirm as a step does, each until it succeeds; return how often that failed."""
    failed = 0
    for verb in (kind.update, kind.confirm):
        while True:
            try:
                await verb(rotation, target, new)
                break
            except NotYetError:
                failed += 1
    return failed


@pytest.mark.parametrize("uri", [CONSUMERS[0], CONSUMERS[2], CONSUMERS[5]])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_lost_at_any_request_it_converges(company: Company, uri: str, when: str) -> None:
    """Whichever request is lost, before or after its work, the next attempts come to the same and touch no more."""
    rotation = await company.rotation()
    kind = consumer_kind(uri.partition("://")[0])(company.clients)
    target = ConsumerTarget(uri.partition("://")[0], uri, (await kind.inspect(rotation, uri)).object_id)
    for lost in itertools.count():
        version = Version(f"value-{lost}", 0, 0)
        company.azure.cloud.keyvault.vaults[company.scenario.vault].store(company.scenario.secret, version)
        before = _held(company)
        await company.fault("arm", status=503, when=when, skip=lost)
        failed = await _insisted(kind, rotation, target, Handed(version.value, version.id))
        await company.clear_faults()
        fetched = {CONSUMERS[5]: version.value} if "/shop/" in uri else {}
        assert _held(company) == {**before, **fetched, uri: version.value}
        if not failed:
            break
    assert lost > 2
