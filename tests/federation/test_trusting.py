"""The one federated credential that a connection needs: exact, made once, and of nobody else's choosing."""

from pathlib import Path
from uuid import uuid4

import pytest
from msgspec.structs import replace

from local.azure.azuredevops_federation import Issuer
from local.storage import Azurite
from rekey.clouds import CLOUDS
from rekey.errors import NotYetError, PermanentError
from rekey.federation.holders import MOST
from rekey.federation.presented import presented
from rekey.federation.trusting import trust
from tests.connections.auditing import Audited
from tests.core import company as companies
from tests.core.company import Company
from tests.federation.trusted import ISSUER, SUBJECT, Trusted, converted


@pytest.fixture
def trusted(company: Company) -> Trusted:
    """Return the company's connections."""
    return Trusted(company)


@pytest.mark.parametrize("issuer", list(Issuer))
async def test_a_drifted_connection_is_trusted_again(trusted: Trusted, issuer: Issuer) -> None:
    """In either form of issuer and subject a credential of ours is made, exact to the letter; the others stay."""
    endpoint = await trusted.connection(issuer=issuer.value, federated_credential="other")
    walk = await trusted.identified(endpoint)
    before = trusted.credentials()
    found = await trust(trusted.company.clients, walk)
    assert (found.made, found.name, found.principal) == (
        True,
        f"rekey-{walk.id}",
        trusted.company.application.object_id,
    )
    assert (found.issuer, found.subject) == (endpoint.parameters[ISSUER], endpoint.parameters[SUBJECT])
    (made,) = [one for one in trusted.credentials() if one not in before]
    assert (made.name, made.issuer, made.subject, made.audience) == (
        found.name,
        found.issuer,
        found.subject,
        "api://AzureADTokenExchange",
    )
    assert await trust(trusted.company.clients, walk) == found
    assert len(trusted.credentials()) == len(before) + 1


async def test_one_that_fits_is_taken_as_it_is(trusted: Trusted) -> None:
    """Nothing is written, and it isn't called ours; one of another case doesn't fit, and stays beside the right one."""
    walk = await trusted.identified(await trusted.connection(name="deploy"))
    found = await trust(trusted.company.clients, walk)
    assert (found.name, found.made) == ("azdo-deploy", False)
    assert len(trusted.credentials()) == 1
    cased = await trusted.identified(await trusted.connection(federated_credential="wrong-case"))
    assert (await trust(trusted.company.clients, cased)).made
    assert len(trusted.credentials()) == 3


async def test_another_audience_is_told(trusted: Trusted) -> None:
    """Two credentials of one issuer and subject can't be: the one that is there is named."""
    endpoint = await trusted.connection(federated_credential="none")
    wanted = {"issuer": endpoint.parameters[ISSUER], "subject": endpoint.parameters[SUBJECT], "audience": "api://other"}
    body = {"applications": {trusted.company.scenario.application: {"federated_credentials": {"theirs": wanted}}}}
    await trusted.company.azure.seed(body)
    walk = await trusted.identified(endpoint)
    with pytest.raises(PermanentError, match="theirs") as refused:
        await trust(trusted.company.clients, walk)
    assert refused.value.code == "audience-differs"


async def test_each_cloud_has_its_own_audience(trusted: Trusted) -> None:
    """Entra of another cloud exchanges tokens for another audience; issuer and subject are read all the same."""
    walk, settings = trusted.walk(await trusted.connection()), trusted.company.settings
    for name, suffix in (("public", ""), ("usgovernment", "USGov"), ("china", "China")):
        found = presented(walk, replace(settings, cloud=CLOUDS[name]))
        assert found.audiences == (f"api://AzureADTokenExchange{suffix}",)
        assert walk.old
        assert (found.issuer, found.subject) == (walk.old.issuer, walk.old.subject)


async def test_the_way_after_the_conversion_counts(trusted: Trusted) -> None:
    """Trusted first by what was shown before, it is changed in place when the connection shows something else after."""
    before = await trusted.connection(issuer="azure-devops", federated_credential="none")
    after = await trusted.connection(federated_credential="none")
    walk = await trusted.identified(before)
    early = await trust(trusted.company.clients, walk)
    late = await trust(trusted.company.clients, walk.but(new=converted(after)))
    assert early.name == late.name
    assert [one.subject for one in trusted.credentials()] == [after.parameters[SUBJECT]]


async def test_a_list_that_lags_is_waited_for(trusted: Trusted) -> None:
    """What was written isn't listed yet: the step is repeated, makes no second one, and ends when it is seen."""
    walk = await trusted.identified(await trusted.connection(federated_credential="none"))
    trusted.company.azure.cloud.switches.set(
        {"service": "graph", "propagation": {"seconds": 60, "conflict_seconds": 0}}
    )
    for code in ("not-seen-yet", "conflict"):
        with pytest.raises(NotYetError) as waits:
            await trust(trusted.company.clients, walk)
        assert waits.value.code == code
    trusted.company.settle(61)
    assert (await trust(trusted.company.clients, walk)).made
    assert len(trusted.credentials()) == 1


async def test_a_lost_answer_is_no_second_credential(trusted: Trusted) -> None:
    """It was made and nobody heard: the next attempt finds it."""
    walk = await trusted.identified(await trusted.connection(federated_credential="none"))
    await trusted.company.fault("graph", method="POST", reset="answer", when="after")
    with pytest.raises(NotYetError):
        await trust(trusted.company.clients, walk)
    await trusted.company.clear_faults()
    assert (await trust(trusted.company.clients, walk)).made
    assert len(trusted.credentials()) == 1


FORGED = (
    ("https://login.microsoftonline.com/{tenant}/v2.0", "11111111-1111-4111-8111-111111111111"),
    ("https://login.microsoftonline.com/{tenant}/v2.0", "/eid1/c/pub/t/x/a/y/sc/{guid}/{guid}"),
    ("https://login.microsoftonline.com/{guid}/v2.0", "/eid1/c/pub/t/x/a/y/sc/{guid}/{id}"),
    ("https://login.microsoftonline.com/{tenant}/v2.0", "/eid1/c/pub/t/x/a/y/sc/{guid}/{id}/x"),
    ("https://token.actions.githubusercontent.com", "repo:evil/evil:ref:refs/heads/main"),
    ("https://vstoken.dev.azure.com/{guid}", "sc://evil/Shop/deploy"),
    ("https://vstoken.dev.azure.com.evil.example/{guid}", "sc://{org}/Shop/deploy"),
    ("https://evil.example/https://vstoken.dev.azure.com/{guid}", "sc://{org}/Shop/deploy"),
)


async def test_whoever_edits_a_connection_doesnt_choose_whom_to_trust(trusted: Trusted) -> None:
    """What isn't said by Azure DevOps of this connection is refused, and nothing is written."""
    endpoint = await trusted.connection(federated_credential="none")
    walk = await trusted.identified(endpoint)
    assert walk.old
    known = {
        "tenant": trusted.company.settings.tenant_id,
        "org": trusted.company.scenario.organization,
        "id": walk.old.id,
        "guid": str(uuid4()),
    }
    for issuer, subject in FORGED:
        forged = replace(walk.old, issuer=issuer.format(**known), subject=subject.format(**known))
        with pytest.raises(PermanentError) as refused:
            await trust(trusted.company.clients, walk.but(old=forged))
        assert refused.value.code == "foreign-subject", subject
    with pytest.raises(PermanentError) as refused:
        await trust(trusted.company.clients, walk.but(old=replace(walk.old, subject="")))
    assert refused.value.code == "no-issuer"
    assert trusted.credentials() == []


async def test_the_twenty_first_is_refused_and_idle_ones_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite
) -> None:
    """Named are those for connections that the last report has none for; of other workloads it knows nothing."""
    async with companies.company(tmp_path, monkeypatch, storage=azurite.connection_string) as company:
        await company.clients.storage_ready()
        trusted = Trusted(company)
        await trusted.connection(name="kept")
        await trusted.connection(name="gone", federated_credential="other")
        endpoint = await trusted.connection(name="wanted", federated_credential="none")
        walk = await trusted.identified(endpoint)
        trusted.fill(MOST - len(trusted.credentials()))
        with pytest.raises(PermanentError) as unread:
            await trust(company.clients, walk)
        assert (unread.value.code, "audit" in unread.value.what_to_do) == ("no-room-for-trust", True)
        await Audited(company).night()
        with pytest.raises(PermanentError) as refused:
            await trust(company.clients, walk)
        assert refused.value.what_to_do.endswith("presents: azdo-gone.")
        assert len(trusted.credentials()) == MOST
