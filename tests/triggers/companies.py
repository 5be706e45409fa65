"""Knows a company with more to list than its one managed secret, asked through the process's own clients."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rekey.clients import clients
from rekey.settings import settings
from tests.core import company as companies
from tests.core.company import Company

PASTED = "Zq8~pasted-password"
SECOND, LOCKED = "kv-second", "kv-locked"


@contextlib.asynccontextmanager
async def with_three_vaults(folder: Path, monkeypatch: pytest.MonkeyPatch, storage: str) -> AsyncIterator[Company]:
    """Run a company with three vaults, one of which the app may not list."""
    async with companies.company(folder, monkeypatch, storage=storage) as running:
        vaults = {
            SECOND: {
                "roles": {"rekey": "Key Vault Secrets Officer"},
                "secrets": {
                    "Untagged": {"value": "one", "expires_in_days": 400},
                    "forever": {"value": "two", "tags": {"team": "shop", "tier": "1"}},
                    "wrong": {"value": PASTED, "tags": {"azureADAppId": PASTED, "rekey-lead": PASTED}},
                },
            },
            LOCKED: {"secrets": {"unseen": {"value": "three"}}},
        }
        await running.azure.seed({"vaults": vaults})
        scopes = json.loads(running.environ["REKEY_SCOPES"])
        scopes[0]["vaults"] += [SECOND, LOCKED]
        monkeypatch.setenv("REKEY_SCOPES", json.dumps(scopes))
        settings.cache_clear()
        clients.cache_clear()
        await clients().storage_ready()
        yield running
        await clients().aclose()
        settings.cache_clear()
        clients.cache_clear()


def client_id(company: Company) -> str:
    """Return the one application that its settings allow."""
    found: str = json.loads(company.environ["REKEY_SCOPES"])[0]["applications"][0]
    return found


async def add_managed(company: Company, name: str, **version: object) -> None:
    """Store a managed secret; its tags may be added to with `tags`."""
    tags = {"azureADAppId": client_id(company), **version.pop("tags", {})}  # type: ignore[dict-item]
    secret = {"value": "x", "tags": tags, "expires_in_days": 300, **version}
    await company.azure.seed({"vaults": {SECOND: {"secrets": {name: secret}}}})
