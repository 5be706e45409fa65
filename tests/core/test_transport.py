"""Connections that break: no write is sent twice, and none counts as unsent that may have arrived."""

from typing import Any

import pytest

from rekey.errors import NotYetError, UnclearError
from rekey.secret_value import SecretValue
from tests.core.company import Company


@pytest.mark.parametrize(
    "broken",
    [
        {"reset": "answer", "when": "before"},
        {"reset": "answer", "when": "after"},
        {"reset": "body", "when": "after"},
    ],
    ids=lambda broken: "-".join(broken.values()),
)
async def test_write_whose_connection_breaks_is_unclear_and_sent_once(company: Company, broken: dict[str, Any]) -> None:
    """A PUT to Key Vault makes a version each time: a kept connection that breaks is no reason to send it again."""
    staging = company.desk.staging()
    await staging.read("s", "0" * 32)
    await company.fault("keyvault", method="PUT", **broken)
    with pytest.raises(UnclearError):
        await staging.set("s", SecretValue("x"), tags={})
    assert [method for method, _ in await company.requests("keyvault")].count("PUT") == 1


async def test_write_that_found_no_connection_was_not_sent(company: Company) -> None:
    """While nobody takes connections a write is known not to have happened."""
    staging = company.desk.staging()
    await staging.read("s", "0" * 32)
    await company.fault("keyvault", refuse=True, count=None)
    with pytest.raises(NotYetError) as caught:
        await staging.set("s", SecretValue("x"), tags={})
    assert caught.value.code == "unreachable"


async def test_read_whose_connection_breaks_is_repeated(company: Company) -> None:
    """Reads are repeated at once: a broken connection alone doesn't cost a step."""
    staging = company.desk.staging()
    written = await staging.set("s", SecretValue("x"), tags={})
    await company.fault("keyvault", method="GET", reset="answer")
    await company.fault("keyvault", method="GET", reset="body", when="after")
    assert await staging.read("s", written.id)
