"""Knows how the tests of federations get a company that has a storage account: a walk's record is in it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from local.scenario import Scenario
from local.storage import Azurite
from rekey.settings import Scope
from tests.core import company as companies
from tests.core.company import Company
from tests.federation.asking import Asking


@pytest.fixture
async def asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Asking]:
    """Run a company with a storage account, whose app may do everything to its connections."""
    async with companies.company(tmp_path, monkeypatch, storage=azurite.connection_string) as running:
        await running.clients.storage_ready()
        yield Asking.of(running)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def founded(tmp_path_factory: pytest.TempPathFactory, azurite: Azurite) -> AsyncIterator[Company]:
    """Run one company for all tests of a module."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("azure")
        async with companies.company(folder, patch, storage=azurite.connection_string) as running:
            await running.clients.storage_ready()
            yield running


@pytest_asyncio.fixture(loop_scope="module")
async def here(founded: Company) -> Asking:
    """Give one test what nobody else has: organization, project, connection, application and secret.

    The cloud, its clock and the vaults are the module's: a test that changes those puts them back.
    """
    first = founded.scenario
    scenario = Scenario(vault=first.vault, staging=first.staging, mail_resource=first.mail_resource)
    told = await founded.azure.seed(scenario.people_and_machines())
    client_id = told["applications"][scenario.application]["client_id"]
    await founded.azure.seed(scenario.managed_secret(client_id, founded.azure.cloud.url("azuredevops")))
    scope = msgspec.convert(scenario.scope(client_id), Scope)
    return Asking.of(replace(founded, scenario=scenario), scopes=(scope,))
