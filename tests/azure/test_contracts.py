"""The loader of the specifications notices what it is there to notice."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.azure.contracts import needs_contracts, validate_request, validate_response

KEYVAULT = "keyvault-secrets-7.5/specification/keyvault/data-plane/Microsoft.KeyVault/stable/7.5/secrets.json"
DEVOPS = "azure-devops/specification/serviceEndpoint/7.1/serviceEndpoint.json"
GRAPH = "msgraph-v1.0/openapi-subset.json"


@needs_contracts
@pytest.mark.parametrize(
    ("spec", "operation", "status", "body"),
    [
        (KEYVAULT, "GetSecretVersions", 200, {"value": [{"id": 1}]}),
        (KEYVAULT, "GET /secrets/name/versions", 200, {"value": [{"attributes": {"enabled": "yes"}}]}),
        (KEYVAULT, "SetSecret", 409, {"error": {"code": 409}}),
        (GRAPH, "GET /applications/some-id", 200, {"passwordCredentials": [{"keyId": 1}]}),
    ],
)
def test_wrong_answers_are_noticed(spec: str, operation: str, status: int, body: Any) -> None:
    """Types are checked through references, into other files, and in both kinds of specification."""
    with pytest.raises(jsonschema.ValidationError):
        validate_response(spec, operation, status, body)


@needs_contracts
def test_null_is_absent_but_not_for_what_is_required() -> None:
    """A null link is fine, a null value isn't."""
    validate_response(KEYVAULT, "GetSecrets", 200, {"value": [], "nextLink": None})
    with pytest.raises(jsonschema.ValidationError, match="'value' is a required property"):
        validate_request(KEYVAULT, "SetSecret", {"value": None}, {"api-version": "7.5"})


@needs_contracts
def test_statuses_and_queries_that_are_not_declared_are_noticed() -> None:
    """An undeclared parameter or a missing one is an error, and so is a success that isn't described."""
    with pytest.raises(AssertionError, match="no query parameters"):
        validate_request(KEYVAULT, "GetSecrets", None, {"api-version": "7.5", "top": "1"})
    with pytest.raises(AssertionError, match="api-version is required"):
        validate_request(KEYVAULT, "GetSecrets")
    with pytest.raises(AssertionError, match="does not answer 201"):
        validate_response(DEVOPS, "Endpoints_Get", 201, {})
