"""Knows the token endpoint's refusals in Entra's own words."""

import uuid

from local.azure.cloud import Cloud
from local.azure.wire import ServiceError

_NO_RECORD = "No matching federated identity record found for presented assertion"
_CHECK = (
    "Check your federated identity credential Subject, Audience and Issuer against the presented assertion. "
    "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
)

# code -> HTTP status, OAuth error, message; https://learn.microsoft.com/entra/identity-platform/reference-error-codes
ERRORS: dict[int, tuple[int, str, str]] = {
    70003: (400, "unsupported_grant_type", "The app requested an unsupported grant type '{0}'."),
    90033: (503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
    90055: (429, "temporarily_unavailable", "There are too many requests. Please try again later."),
    90002: (
        400,
        "invalid_request",
        (
            "Tenant '{0}' not found. Check to make sure you have the correct tenant ID and are signing into the "
            "correct cloud. Check with your subscription administrator, this may happen if there are no active "
            "subscriptions for the tenant."
        ),
    ),
    500011: (
        400,
        "invalid_resource",
        (
            "The resource principal named {0} was not found in the tenant named {1}. This can happen if the "
            "application has not been installed by the administrator of the tenant or consented to by any user in the "
            "tenant. You might have sent your authentication request to the wrong tenant."
        ),
    ),
    700016: (
        400,
        "unauthorized_client",
        (
            "Application with identifier '{0}' was not found in the directory '{1}'. This can happen if the "
            "application has not been installed by the administrator of the tenant or consented to by any user in the "
            "tenant. You may have sent your authentication request to the wrong tenant."
        ),
    ),
    70021: (
        400,
        "invalid_request",
        (
            "No matching federated identity record found for presented assertion. Assertion Issuer: '{0}'. "
            "Assertion Subject: '{1}'. Assertion Audience: '{2}'. "
            "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
        ),
    ),
    70025: (401, "invalid_client", "The client '{0}'({1}) has no configured federated identity credentials."),
    70052: (
        400,
        "invalid_request",
        "The identity must be a managed identity, a single tenant app, or a service account.",
    ),
    700024: (401, "invalid_client", "Client assertion is not within its valid time range."),
    700027: (401, "invalid_client", "Client assertion failed signature validation. {0}"),
    700211: (401, "invalid_client", f"{_NO_RECORD} issuer '{{0}}'. {_CHECK}"),
    700212: (401, "invalid_client", f"{_NO_RECORD} audience '{{0}}'. {_CHECK}"),
    700213: (401, "invalid_client", f"{_NO_RECORD} subject '{{0}}'. {_CHECK}"),
    7002138: (
        401,
        "invalid_client",
        (
            f"{_NO_RECORD} subject '{{0}}'. The subject matches with case-insensitive comparison, "
            f"but not with case-sensitive comparison. {_CHECK}"
        ),
    ),
    900144: (400, "invalid_request", "The request body must contain the following parameter: '{0}'."),
    1002012: (
        400,
        "invalid_scope",
        (
            "The provided value for scope {0} is not valid. Client credential flows must have a scope value with "
            "/.default suffixed to the resource identifier (application ID URI)."
        ),
    ),
    7000215: (
        401,
        "invalid_client",
        (
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
            "not the client secret ID, for a secret added to app '{0}'."
        ),
    ),
    7000216: (
        401,
        "invalid_client",
        "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    ),
    7000222: (
        401,
        "invalid_client",
        (
            "The provided client secret keys for app '{0}' are expired. Visit the Azure portal to create new keys for "
            "your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: "
            "https://aka.ms/certCreds."
        ),
    ),
    7000229: (
        401,
        "unauthorized_client",
        (
            "The client application {0} is missing service principal in the tenant {1}. See instructions here: "
            "https://go.microsoft.com/fwlink/?linkid=2225119"
        ),
    ),
}


def refusal(cloud: Cloud, code: int, correlation: str | None, *values: str) -> ServiceError:
    """Return the refusal of this AADSTS code, its message filled with `values`."""
    status, oauth_error, message = ERRORS[code]
    stamp = cloud.clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid.uuid4()), correlation or str(uuid.uuid4())
    ids = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    body = {
        "error": oauth_error,
        "error_description": f"AADSTS{code}: {message.format(*values)} {ids}",
        "error_codes": [code],
        "timestamp": stamp,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"{cloud.url('login')}/error?code={code}",
    }
    return ServiceError(status, body)
