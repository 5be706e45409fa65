"""What is said to a refused sign-in: by Entra's own messages, and by the words of Azure and of Azure DevOps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.azure.entra_errors import ERRORS
from rekey.entra_advice import advice, code_of, explained

_FORBIDDEN = (
    "Failed to query service connection API: 'https://management.azure.com/subscriptions/1'. Status Code: 'Forbidden', "
    'Response from server: \'{"error":{"code":"AuthorizationFailed","message":"The client \'XXX\' with object id '
    "'YYY' does not have authorization to perform action 'Microsoft.Resources/subscriptions/read' over scope '/'\"}}'"
)


@pytest.mark.parametrize(
    ("code", "means", "to_do", "passes"),
    [
        (70021, "issuer, subject and audience", "to the letter", True),
        (700211, "issuer", "copy both from the connection", True),
        (700212, "audience", "api://AzureADTokenExchange", True),
        (700213, "subject", "to the letter", True),
        (7002138, "upper and lower case", "to the letter", True),
        (70025, "no federated credential at all", "copy both from the connection", True),
        (700024, "too old, or not valid yet", "clock", True),
        (70052, "open to other tenants", "AzureADMyOrg", False),
        (700016, "nobody with the connection's client id", "client id and tenant id", True),
        (7000215, "none of the application's", "the value and not its id", True),
        (7000222, "has ended", "new secret", False),
        (7000229, "no service principal", "az ad sp create", True),
    ],
)
def test_every_code_of_a_refusal_is_explained(code: int, means: str, to_do: str, passes: bool) -> None:  # noqa: FBT001
    """In Entra's own message the code is found, and told are its meaning, what to do, and whether it may pass."""
    words = ERRORS[code][2].format("a", "b", "c")
    found = advice(f"Failed to obtain the Json Web Token(JWT). Exception message: AADSTS{code}: {words} Trace ID: 1")
    assert found
    assert found.code == f"AADSTS{code}"
    assert means in found.means
    assert to_do in found.what_to_do
    assert (found.passes, found.signed_in) == (passes, False)


@pytest.mark.parametrize(
    ("said", "means", "to_do"),
    [
        (_FORBIDDEN, "the sign-in works", "az role assignment create"),
        ("Forbidden: The client 'X' does not have authorization", "has no role", "counts after"),
        ("ServiceConnectionId is malformed or the connection does not exist", "no connection of that name", "share"),
        ("Pipeline run is unable to access Service Connection", "may not use the connection", "approval"),
    ],
)
def test_words_without_a_code_are_explained(said: str, means: str, to_do: str) -> None:
    """A missing role, a connection that isn't there and a check that waits are told apart by what is said."""
    found = advice(said)
    assert found
    assert means in found.means
    assert to_do in found.what_to_do
    assert found.code == ""


def test_missing_role_proves_the_sign_in() -> None:
    """Who is refused for want of a role has signed in; nobody else has."""
    found = advice(_FORBIDDEN)
    assert found
    assert found.signed_in


@given(st.text())
def test_what_a_service_said_is_never_repeated(said: str) -> None:
    """Of what isn't known no more than Entra's code is told, and of what is known nothing but our own words."""
    canary = f"hunter2{said}"
    assert canary not in explained(canary)
    assert canary not in explained(f"AADSTS70021: {canary}")
    assert explained(f"{canary} AADSTS50034: {canary}") in {"AADSTS50034", explained(canary)}


def test_a_code_that_isnt_known_is_told_as_it_is() -> None:
    """Nothing is made up about it, and a longer number isn't taken for a code that it begins like."""
    assert advice("AADSTS50034: The user account does not exist.") is None
    assert explained("AADSTS50034: The user account does not exist.") == "AADSTS50034"
    assert code_of("AADSTS70021888888: something") == ""
