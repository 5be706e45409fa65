"""A connection is converted in place, by a service of either behaviour, and converted back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rekey.errors import NotYetError, PermanentError, UnclearError
from rekey.federation.converting import convert
from rekey.federation.reverting import revert
from rekey.model.federation import Federation, Mode, New
from tests.federation.asking import FEDERATED, Asking

ISSUER, SUBJECT = "workloadIdentityFederationIssuer", "workloadIdentityFederationSubject"
CONVERT = {"service": "azuredevops", "method": "PUT"}


def scheme(asking: Asking) -> str:
    """Return how the company's connection signs in."""
    return str(asking.endpoint().document["authorization"]["scheme"])


async def settled(asking: Asking, walk: Federation) -> New:
    """Convert as the orchestrator does: again while it isn't clear, or not yet."""
    for _ in range(5):
        try:
            return await convert(asking.clients, walk)
        except (UnclearError, NotYetError):
            continue
    raise AssertionError("it was never converted")


async def test_it_is_converted_and_says_what_it_presents(asking: Asking) -> None:
    """At once, to the letter as the connection says, with the time until it can be reverted; then it is found so."""
    walk = await asking.walk()
    new = await convert(asking.clients, walk)
    shown = asking.endpoint().parameters
    assert scheme(asking) == FEDERATED
    assert (new.id, new.issuer, new.subject) == (asking.endpoint().id, shown[ISSUER], shown[SUBJECT])
    assert new.federated
    assert new.revert_until
    assert abs(new.revert_until - datetime.now(UTC) - timedelta(days=7)) < timedelta(hours=1)
    assert await convert(asking.clients, walk) == new
    assert len(asking.endpoint().updates) == 1


@pytest.mark.parametrize("refusal", ["checks", "checks-as-the-portal"])
async def test_a_service_that_wants_trust_first_is_asked_again(asking: Asking, refusal: str) -> None:
    """It refuses and leaves the secret, which works on; what it shows is trusted, then it converts."""
    await asking.behave(conversion=refusal)
    walk = await asking.walk()
    first = await convert(asking.clients, walk)
    assert not first.federated
    assert scheme(asking) == "ServicePrincipal"
    assert (await asking.signs_in())[0]
    asking.trust(first.issuer, first.subject)
    second = await convert(asking.clients, walk)
    assert second.federated
    assert (second.issuer, second.subject) == (first.issuer, first.subject)
    assert scheme(asking) == FEDERATED


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", [{"status": 503}, {"reset": "answer"}, {"malformed": "html"}])
async def test_a_lost_answer_is_looked_into(asking: Asking, how: dict[str, Any], when: str) -> None:
    """Whether the request was done or not, the connection is converted once in the end."""
    walk = await asking.walk()
    await asking.company.fault(**CONVERT, **how, when=when)
    new = await settled(asking, walk)
    assert new.subject == asking.endpoint().parameters[SUBJECT]
    assert len(asking.endpoint().updates) == 1


async def test_a_run_gets_time_to_end_if_there_will_be_a_gap(asking: Asking) -> None:
    """Ten minutes after the walk's start it is converted all the same; where it is trusted before, at once."""
    asking.runs_now()
    walk = await asking.walk()
    with pytest.raises(NotYetError, match="1 runs use the connection just now"):
        await convert(asking.clients, walk)
    assert scheme(asking) == "ServicePrincipal"
    late = walk.but(started=walk.started - timedelta(minutes=11))
    assert (await convert(asking.clients, late)).federated


async def test_no_run_waits_for_what_leaves_no_gap(asking: Asking) -> None:
    """A connection that shows issuer and subject while it has its secret is trusted already."""
    await asking.connection("announced", announces=True, executions=[{"days_ago": 0.01, "seconds": 9000}])
    assert (await convert(asking.clients, await asking.walk("announced"))).federated


async def test_what_somebody_changed_meanwhile_is_left(asking: Asking) -> None:
    """Another application, another scheme, gone: whoever did that has to be asked."""
    walk = await asking.walk()
    endpoint = asking.endpoint()
    former, endpoint.parameters["serviceprincipalid"] = endpoint.parameters["serviceprincipalid"], "0" * 36
    with pytest.raises(PermanentError, match="signs in otherwise"):
        await convert(asking.clients, walk)
    endpoint.parameters["serviceprincipalid"] = former
    (project,) = asking.organization.projects.values()
    project.endpoints.clear()
    with pytest.raises(PermanentError, match="is gone"):
        await convert(asking.clients, walk)


async def test_who_may_not_administer_it_is_told_how_to(asking: Asking) -> None:
    """A 403 is no refusal to convert."""
    walk = await asking.walk()
    await asking.seed(rights=["use"])
    for step in (convert, revert):
        if step is revert:
            asking.endpoint().document["authorization"]["scheme"] = FEDERATED
        with pytest.raises(PermanentError) as refused:
            await step(asking.clients, walk)
        assert refused.value.code == "forbidden"
        assert "Administrator" in refused.value.what_to_do


async def test_it_is_converted_back(asking: Asking) -> None:
    """The secret signs in again, nothing else of the connection differs; doing it again changes nothing."""
    before = asking.document()
    walk = await asking.walk()
    walk = walk.but(new=await convert(asking.clients, walk))
    assert "as before" in (await revert(asking.clients, walk)).proof
    after = asking.document()
    assert {k: v for k, v in after.items() if k != "modificationDate"} == {
        k: v for k, v in before.items() if k != "modificationDate"
    }
    assert (await asking.signs_in())[0]
    assert await revert(asking.clients, walk)
    assert len(asking.endpoint().updates) == 2


async def test_what_was_never_converted_is_found_so(asking: Asking) -> None:
    """Before the conversion there is nothing to take back, and nothing is written."""
    assert "as before" in (await revert(asking.clients, await asking.walk())).proof
    assert asking.endpoint().updates == []
    assert "not changed" in (await revert(asking.clients, (await asking.walk()).but(mode=Mode.REPAIR))).proof


async def test_a_secret_that_works_no_more_is_not_as_before(asking: Asking) -> None:
    """The way back isn't open before somebody signed in by it; what Entra says is told in words."""
    walk = await asking.walk()
    asking.endpoint().secrets["serviceprincipalkey"] = "gone"
    with pytest.raises(NotYetError, match="AADSTS7000215"):
        await revert(asking.clients, walk)


@pytest.mark.parametrize("late", [True, False])
async def test_what_cannot_be_converted_back_says_what_to_do(asking: Asking, *, late: bool) -> None:
    """After seven days, or of a connection that was made by hand where the service reverts only its own."""
    walk = await asking.walk()
    walk = walk.but(new=await convert(asking.clients, walk))
    if late:
        asking.company.settle(8 * 86400)
    else:
        await asking.behave(reverts="automatic")
    with pytest.raises(PermanentError) as refused:
        await revert(asking.clients, walk)
    assert refused.value.code == "not-reverted"
    assert "new secret" in refused.value.what_to_do
    assert scheme(asking) == FEDERATED


async def test_nothing_else_in_the_organization_changes(asking: Asking) -> None:
    """Converting one connection and reverting it touches one connection."""
    await asking.connection("bystander")
    await asking.connection("other-way", scheme=FEDERATED)
    walk = await asking.walk()
    await convert(asking.clients, walk)
    await revert(asking.clients, walk)
    assert asking.endpoint("bystander").updates == asking.endpoint("other-way").updates == []


async def test_a_refusal_that_shows_nothing_to_trust_is_final(asking: Asking) -> None:
    """What Azure DevOps says of it may quote anything: no error has it."""
    walk = await asking.walk()
    asking.endpoint().document["type"] = "other"
    with pytest.raises(PermanentError) as refused:
        await convert(asking.clients, walk)
    assert refused.value.code == "not-converted"
    assert refused.value.message == (
        f"Azure DevOps refused to convert {asking.company.scenario.connection} and left it as it was"
    )
