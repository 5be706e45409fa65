"""Whom a connection signs in as: an application that the app may write, of one tenant, with room for one more."""

from typing import Any
from uuid import uuid4

import pytest

from local.azure.directory_federation import FederatedCredential, FederatedCredentials
from rekey.errors import PermanentError, ScopeError
from rekey.federation.holders import MOST
from rekey.federation.identifying import identify
from rekey.model.federation_request import Mode
from tests.core.company import Company
from tests.federation.trusted import Trusted


@pytest.fixture
def trusted(company: Company) -> Trusted:
    """Return the company's connections."""
    return Trusted(company)


async def test_an_application_is_found_with_its_service_principal(trusted: Trusted) -> None:
    """Its ids, and that of the principal that has roles; one that is full and knows the connection is fine."""
    endpoint = await trusted.connection()
    trusted.fill(MOST - 1)
    found = await identify(trusted.company.clients, trusted.walk(endpoint))
    application = trusted.company.application
    assert (found.client_id, found.object_id, found.principal_id, found.arm_id) == (
        application.app_id,
        application.object_id,
        application.service_principal,
        "",
    )


async def test_what_would_fail_later_is_refused_before(trusted: Trusted, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not owned, of several tenants, full, gone, or nobody in this tenant: told with what to do."""

    async def none(*_: Any) -> None:
        """Say that there is no report: this company has no storage account."""

    monkeypatch.setattr("rekey.federation.trusting.Reports.last", none)
    walk = trusted.walk(await trusted.connection(federated_credential="none"))
    directory, application = trusted.company.azure.cloud.directory, trusted.company.application
    full = FederatedCredentials([FederatedCredential(f"c-{n}", "i", f"s-{n}", walk.started) for n in range(MOST)])
    for of, attribute, value, code, said in (
        (application, "owners", [], "not-owner", "az ad app owner add"),
        (application, "audience", "AzureADMultipleOrgs", "several-tenants", "--sign-in-audience AzureADMyOrg"),
        (application, "federated", full, "no-room-for-trust", "Remove one"),
        (application, "service_principal", None, "no-service-principal", "az ad sp create"),
        (directory, "applications", {}, "application-gone", "Restore"),
    ):
        with monkeypatch.context() as spoiled:
            spoiled.setattr(of, attribute, value)
            with pytest.raises(PermanentError) as refused:
                await identify(trusted.company.clients, walk)
        assert refused.value.code == code
        assert said in refused.value.what_to_do


async def test_an_older_issuer_is_repaired_for_any_application(trusted: Trusted) -> None:
    """Only what Entra signs is refused for an application of several tenants; what is converted is signed by Entra."""
    walk = trusted.walk(await trusted.connection(issuer="azure-devops", federated_credential="none"))
    trusted.company.application.audience = "AzureADMultipleOrgs"
    assert (await identify(trusted.company.clients, walk)).object_id
    with pytest.raises(PermanentError, match="AADSTS70052"):
        await identify(trusted.company.clients, walk.but(mode=Mode.IN_PLACE))


async def test_what_isnt_bound_to_the_project_is_refused(trusted: Trusted) -> None:
    """Another team's application gets nothing for being named in a connection, nor does another tenant's."""
    theirs = f"theirs-{uuid4().hex[:6]}"
    await trusted.company.azure.seed({"applications": {theirs: {"owners": ["rekey"]}}})
    endpoint = await trusted.connection(application=theirs, federated_credential="none")
    with pytest.raises(ScopeError, match="REKEY_SCOPES"):
        await identify(trusted.company.clients, trusted.walk(endpoint))
    own = await trusted.connection(federated_credential="none")
    own.parameters["tenantid"] = str(uuid4())
    with pytest.raises(PermanentError) as refused:
        await identify(trusted.company.clients, trusted.walk(own))
    assert refused.value.code == "other-tenant"
