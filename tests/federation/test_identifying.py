"""Whom a connection signs in as: an application that the app may write, of one tenant, with room for one more."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from rekey.errors import PermanentError, ScopeError
from rekey.federation.holders import MOST
from rekey.federation.identifying import identify
from tests.core.company import Company
from tests.federation.trusted import Trusted


@pytest.fixture
def trusted(company: Company) -> Trusted:
    """Return the company's connections."""
    return Trusted(company)


async def test_an_application_is_found_with_its_service_principal(trusted: Trusted) -> None:
    """Its client id, its own object id, and that of the principal which roles are assigned to."""
    endpoint = await trusted.connection(federated_credential="none")
    found = await identify(trusted.company.clients, trusted.walk(endpoint))
    application = trusted.company.application
    assert (found.client_id, found.object_id, found.principal_id, found.arm_id) == (
        application.app_id,
        application.object_id,
        application.service_principal,
        "",
    )


def _nobodys(trusted: Trusted) -> None:
    trusted.company.application.owners.clear()


def _of_several_tenants(trusted: Trusted) -> None:
    trusted.company.application.audience = "AzureADMultipleOrgs"


def _full(trusted: Trusted) -> None:
    trusted.fill(MOST)


def _gone(trusted: Trusted) -> None:
    trusted.company.azure.cloud.directory.applications.clear()


def _without_principal(trusted: Trusted) -> None:
    trusted.company.application.service_principal = None


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (_nobodys, "not-owner", "az ad app owner add"),
        (_of_several_tenants, "several-tenants", "--sign-in-audience AzureADMyOrg"),
        (_full, "no-room-for-trust", "Remove one"),
        (_gone, "application-gone", "Restore"),
        (_without_principal, "no-service-principal", "az ad sp create"),
    ],
)
async def test_what_would_fail_later_is_refused_before(
    trusted: Trusted, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Trusted], None], code: str, said: str
) -> None:
    """Not owned, of several tenants, full, gone, or nobody in this tenant: told with what to do."""

    async def none(*_: Any) -> None:
        """Say that there is no report: this company has no storage account."""

    monkeypatch.setattr("rekey.federation.trusting.Reports.last", none)
    walk = trusted.walk(await trusted.connection(federated_credential="none"))
    spoil(trusted)
    with pytest.raises(PermanentError) as refused:
        await identify(trusted.company.clients, walk)
    assert refused.value.code == code
    assert said in refused.value.what_to_do


async def test_a_full_application_that_knows_the_connection_is_fine(trusted: Trusted) -> None:
    """Nothing has to be made there."""
    endpoint = await trusted.connection()
    trusted.fill(MOST - 1)
    assert (await identify(trusted.company.clients, trusted.walk(endpoint))).object_id


async def test_an_application_of_another_scope_is_refused(trusted: Trusted) -> None:
    """Whoever names another team's application in a connection gets nothing for it."""
    theirs = f"theirs-{uuid4().hex[:6]}"
    await trusted.company.azure.seed({"applications": {theirs: {"owners": ["rekey"]}}})
    endpoint = await trusted.connection(application=theirs, federated_credential="none")
    with pytest.raises(ScopeError, match="REKEY_SCOPES"):
        await identify(trusted.company.clients, trusted.walk(endpoint))


async def test_another_tenant_is_refused(trusted: Trusted) -> None:
    """What another tenant trusts is its own to say."""
    endpoint = await trusted.connection(federated_credential="none")
    endpoint.parameters["tenantid"] = str(uuid4())
    with pytest.raises(PermanentError) as refused:
        await identify(trusted.company.clients, trusted.walk(endpoint))
    assert refused.value.code == "other-tenant"
