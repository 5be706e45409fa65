"""The directory that the set-up scripts are run against."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.azure.simulated import simulated
from tests.infra.team import ROOT, Team

DOCUMENT: dict[str, Any] = {
    "users": {
        "ann@contoso.example": {},
        "apps@contoso.example": {"directory_roles": ["Application Administrator"]},
        "roles@contoso.example": {"directory_roles": ["Privileged Role Administrator"]},
        "reader@contoso.example": {"directory_roles": ["Security Reader"]},
    },
    "identities": {
        "rekey": {},
        "pipeline": {"app_roles": ["Application.ReadWrite.All"]},
        "reading": {"app_roles": ["Application.Read.All"]},
    },
    "applications": {
        "billing": {"owners": [{"user_principal_name": "ann@contoso.example"}]},
        "shop": {},
        "other": {},
    },
}


@pytest.fixture
async def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Team]:
    """Three applications, Rekey's identity without any right, and nobody signed in."""
    (tmp_path / "bin").mkdir()
    az = tmp_path / "bin" / "az"
    az.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{ROOT / "tests" / "infra" / "az_stand_in.py"}" "$@"\n')
    az.chmod(0o755)
    async with simulated(tmp_path / "azure", monkeypatch) as azure:
        await azure.seed(DOCUMENT)
        found = Team(azure, tmp_path)
        found.sign_in(None)
        yield found
