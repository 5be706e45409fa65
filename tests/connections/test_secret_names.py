"""Which names of variables say that the value is a secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey.connections.secret_names import looks_secret


@pytest.mark.parametrize(
    "name",
    [
        *("password", "DB_PASSWORD", "dbPassword", "DBPASSWORD", "sqlAdminPwd", "CLIENT_SECRET", "clientSecretValue"),
        *("github-token", "npm.token", "API_KEY", "apiKey", "APIKEY", "storageAccountKey", "ACCESS_KEY_2", "myPAT"),
        *("ConnectionString", "SQL_CONNECTION_STRING", "privateKey", "sas", "passphrase", "password_base64", "DB_PASS"),
    ],
)
def test_names_of_secrets_are_told(name: str) -> None:
    """In whatever way people write them."""
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("region", "tokenUrl", "secretName", "keyVaultName", "PASSWORD_LENGTH", "cacheKey", "key", "partitionKey"),
        *(
            "compass",
            "bypass",
            "path",
            "patch",
            "passed",
            "buildConfiguration",
            "string",
            "",
            "42",
            "tokens_per_minute",
        ),
    ],
)
def test_other_names_are_let_pass(name: str) -> None:
    """A name that is about a secret isn't one, nor is a word that merely looks like it."""
    assert not looks_secret(name)


@given(st.text(max_size=60))
def test_any_text_is_a_name(name: str) -> None:
    """People call variables what they like; asking twice gives the same."""
    assert looks_secret(name) == looks_secret(name)
