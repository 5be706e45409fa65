"""Knows what a federated assertion has to match for Entra to take it in place of a secret, and how it is refused.

https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations: matching is exact. While a
credential propagates, the older AADSTS70021 is answered, as that page has it; what matches nothing is told apart by the
newer codes. Unconfirmed and chosen: which difference is told first, and that a wrong signature is AADSTS700027.
"""

from local.azure.cloud import Cloud
from local.azure.directory import Application, Identity
from local.azure.directory_federation import FederatedCredential
from local.azure.entra_errors import refusal
from local.azure.tokens import Assertion
from local.azure.wire import ServiceError

BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ENTRAS_OWN = "https://login.microsoftonline.com/"


def check(cloud: Cloud, holder: Application | Identity, encoded: str, correlation: str | None) -> None:
    """Raise ServiceError unless this assertion is one for this application or managed identity."""
    try:
        assertion = cloud.tokens.asserted(encoded)
    except ValueError as reason:
        raise refusal(cloud, 700027, correlation, str(reason)) from None
    if assertion.expired:
        raise refusal(cloud, 700024, correlation)
    if _several_tenants(holder) and assertion.issuer.startswith(_ENTRAS_OWN):
        raise refusal(cloud, 70052, correlation)
    live = holder.federated.live()
    known = [one for one in live if cloud.switches.entra_knows_federated(cloud.clock.now() - one.created)]
    if any(_matches(one, assertion) for one in known):
        return
    if any(_matches(one, assertion) for one in live):
        raise refusal(cloud, 70021, correlation, assertion.issuer, assertion.subject, assertion.audience)
    raise _mismatch(cloud, holder, known, assertion, correlation)


def _several_tenants(holder: Application | Identity) -> bool:
    return isinstance(holder, Application) and holder.audience != "AzureADMyOrg"


def _matches(known: FederatedCredential, given: Assertion) -> bool:
    return (known.issuer, known.subject, known.audience) == (given.issuer, given.subject, given.audience)


def _mismatch(
    cloud: Cloud,
    holder: Application | Identity,
    known: list[FederatedCredential],
    given: Assertion,
    correlation: str | None,
) -> ServiceError:
    """Return what no credential has: the issuer, with that issuer the subject, with both the audience."""
    same_issuer = [one for one in known if one.issuer == given.issuer]
    if not known:
        client_id = holder.app_id if isinstance(holder, Application) else holder.client_id
        return refusal(cloud, 70025, correlation, client_id, holder.name)
    if not same_issuer:
        return refusal(cloud, 700211, correlation, given.issuer)
    if any(one.subject == given.subject for one in same_issuer):
        return refusal(cloud, 700212, correlation, given.audience)
    if any(one.subject.lower() == given.subject.lower() for one in same_issuer):
        return refusal(cloud, 7002138, correlation, given.subject)
    return refusal(cloud, 700213, correlation, given.subject)
