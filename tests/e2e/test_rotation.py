"""One whole rotation, from Key Vault's event to the last notice, judged by what the services themselves hold."""

import pytest

from tests.e2e.company import Company, Managed


@pytest.fixture(scope="module")
def rotated(company: Company) -> Managed:
    """Return a secret whose rotation Key Vault's event started, and that has ended."""
    managed = company.manage(event=True)
    status = managed.finished()
    assert status["runtimeStatus"] == "Completed", status
    assert status["output"]["result"] == "done", status
    return managed


def test_the_new_password_signs_in(company: Company, rotated: Managed) -> None:
    """Whoever reads the vault gets a password that Entra takes, and it is the one password left."""
    status, answer = company.sign_in(rotated.client_id, rotated.versions()[-1]["value"])
    assert status == 200, answer
    assert answer["access_token"]
