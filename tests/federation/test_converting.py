"""A connection is converted in place, by a service of either behaviour, and converted back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from rekey.errors import NotYetError, PermanentError, UnclearError
from rekey.federation import converting
from rekey.federation.converting import convert
from rekey.federation.reverting import revert
from rekey.leases import leased
from rekey.model.federation import Federation, Mode, New
from tests.federation.asking import FEDERATED, Asking

ISSUER, SUBJECT = "workloadIdentityFederationIssuer", "workloadIdentityFederationSubject"
CONVERT = {"service": "azuredevops", "method": "PUT"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


def scheme(here: Asking) -> str:
    """Return how the company's connection signs in."""
    return str(here.endpoint().document["authorization"]["scheme"])


async def settled(here: Asking, walk: Federation) -> New:
    """Convert as the orchestrator does: again while it isn't clear, or not yet."""
    for _ in range(5):
        try:
            return await convert(here.clients, walk)
        except (UnclearError, NotYetError):
            continue
    raise AssertionError("it was never converted")


async def test_it_is_converted_and_says_what_it_presents(here: Asking) -> None:
    """At once, to the letter as the connection says, with the time until it can be reverted; then it is found so."""
    walk = await here.walk()
    new = await convert(here.clients, walk)
    shown = here.endpoint().parameters
    assert scheme(here) == FEDERATED
    assert (new.id, new.issuer, new.subject) == (here.endpoint().id, shown[ISSUER], shown[SUBJECT])
    assert new.federated
    assert new.revert_until
    assert abs(new.revert_until - datetime.now(UTC) - timedelta(days=7)) < timedelta(hours=1)
    assert await convert(here.clients, walk) == new
    assert len(here.endpoint().updates) == 1


async def test_one_that_was_converted_and_left_is_walked_on(here: Asking) -> None:
    """By a walk that died, or in the portal: asked again in place it is found converted, and can be reverted still."""
    new = await convert(here.clients, await here.walk())
    again = await here.walk(mode=Mode.IN_PLACE)
    assert again.old
    assert (again.old.way, again.old.subject) == ("federated", new.subject)
    assert await convert(here.clients, again) == new
    assert len(here.endpoint().updates) == 1
    await revert(here.clients, again)
    assert scheme(here) == "ServicePrincipal"


@pytest.mark.parametrize("refusal", ["checks", "checks-as-the-portal"])
async def test_a_service_that_wants_trust_first_is_asked_again(here: Asking, refusal: str) -> None:
    """It refuses and leaves the secret, which works on; what it shows is trusted, then it converts."""
    await here.behave(conversion=refusal)
    walk = await here.walk()
    first = await convert(here.clients, walk)
    assert not first.federated
    assert scheme(here) == "ServicePrincipal"
    assert (await here.signs_in())[0]
    here.trust(first.issuer, first.subject)
    second = await convert(here.clients, walk)
    assert second.federated
    assert (second.issuer, second.subject) == (first.issuer, first.subject)
    assert scheme(here) == FEDERATED


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("how", [{"status": 503}, {"reset": "answer"}, {"malformed": "html"}])
async def test_a_lost_answer_is_looked_into(here: Asking, how: dict[str, Any], when: str) -> None:
    """Whether the request was done or not, the connection is converted once in the end."""
    walk = await here.walk()
    await here.company.fault(**CONVERT, **how, when=when)
    new = await settled(here, walk)
    assert new.subject == here.endpoint().parameters[SUBJECT]
    assert len(here.endpoint().updates) == 1


async def test_a_key_is_written_before_or_after(here: Asking) -> None:
    """Who writes a whole connection holds its lease: a key can't come into one that is being converted."""
    walk = await here.walk()
    for step in (convert, revert):
        async with leased(here.clients.container(), here.endpoint().id):
            with pytest.raises(NotYetError) as busy:
                await step(here.clients, walk)
        assert busy.value.code == "object-busy"
        assert here.endpoint().updates == []


async def test_a_run_gets_time_to_end_if_there_will_be_a_gap(here: Asking) -> None:
    """Ten minutes after the walk's start it is converted all the same; where it is trusted before, at once."""
    here.runs_now()
    walk = await here.walk()
    with pytest.raises(NotYetError, match="1 runs use the connection just now"):
        await convert(here.clients, walk)
    assert scheme(here) == "ServicePrincipal"
    late = walk.but(started=walk.started - timedelta(minutes=11))
    assert (await convert(here.clients, late)).federated


async def test_no_run_waits_for_what_leaves_no_gap(here: Asking) -> None:
    """A connection that shows issuer and subject while it has its secret is trusted already."""
    await here.connection("announced", announces=True, executions=[{"days_ago": 0.01, "seconds": 9000}])
    assert (await convert(here.clients, await here.walk("announced"))).federated


async def test_a_history_that_nobody_may_read_keeps_no_secret_alive(
    here: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting for a quiet moment is a courtesy: whoever can't see runs goes on."""
    walk = await here.walk()

    async def refused(*_: object) -> None:
        raise PermanentError("forbidden", "nobody may look")

    monkeypatch.setattr(converting, "executions", refused)
    assert (await convert(here.clients, walk)).federated


async def test_what_somebody_changed_meanwhile_is_left(here: Asking) -> None:
    """Another application, another scheme, gone: whoever did that has to be asked."""
    walk = await here.walk()
    endpoint = here.endpoint()
    former, endpoint.parameters["serviceprincipalid"] = endpoint.parameters["serviceprincipalid"], "0" * 36
    with pytest.raises(PermanentError, match="signs in otherwise"):
        await convert(here.clients, walk)
    endpoint.parameters["serviceprincipalid"] = former
    (project,) = here.organization.projects.values()
    project.endpoints.clear()
    with pytest.raises(PermanentError, match="is gone"):
        await convert(here.clients, walk)


async def test_who_may_not_administer_it_is_told_how_to(here: Asking) -> None:
    """A 403 is no refusal to convert."""
    walk = await here.walk()
    await here.seed(rights=["use"])
    for step in (convert, revert):
        if step is revert:
            here.endpoint().document["authorization"]["scheme"] = FEDERATED
        with pytest.raises(PermanentError) as refused:
            await step(here.clients, walk)
        assert refused.value.code == "forbidden"
        assert "Administrator" in refused.value.what_to_do


async def test_it_is_converted_back(here: Asking) -> None:
    """The secret signs in again, nothing else of the connection differs; doing it again changes nothing."""
    before = here.document()
    walk = await here.walk()
    walk = walk.but(new=await convert(here.clients, walk))
    assert "as before" in (await revert(here.clients, walk)).proof
    after = here.document()
    assert {k: v for k, v in after.items() if k != "modificationDate"} == {
        k: v for k, v in before.items() if k != "modificationDate"
    }
    assert (await here.signs_in())[0]
    assert await revert(here.clients, walk)
    assert len(here.endpoint().updates) == 2


async def test_what_was_never_converted_is_found_so(here: Asking) -> None:
    """Before the conversion there is nothing to take back, and nothing is written."""
    assert "as before" in (await revert(here.clients, await here.walk())).proof
    assert here.endpoint().updates == []
    assert "not changed" in (await revert(here.clients, (await here.walk()).but(mode=Mode.REPAIR))).proof


async def test_a_secret_that_works_no_more_is_not_as_before(here: Asking) -> None:
    """The way back isn't open before somebody signed in by it; what Entra says is told in words."""
    walk = await here.walk()
    here.endpoint().secrets["serviceprincipalkey"] = "gone"
    with pytest.raises(NotYetError, match="AADSTS7000215"):
        await revert(here.clients, walk)


async def test_what_azure_devops_does_not_convert_back_gets_its_key_from_the_vault(here: Asking) -> None:
    """The managed secret's newest version works until the soak is over: it is written back, and signs in."""
    walk = await here.walk()
    walk = walk.but(new=await convert(here.clients, walk))
    await here.behave(reverts="automatic")
    done = await revert(here.clients, walk)
    scenario = here.company.scenario
    assert f"its secret of {scenario.vault}/{scenario.secret}" in done.proof
    assert scheme(here) == "ServicePrincipal"
    assert "revertSchemeDeadline" not in here.endpoint().document["data"]
    assert (await here.signs_in())[0]
    assert (await revert(here.clients, walk)).proof.endswith("as before (TestConnection)")


@pytest.mark.parametrize("late", [True, False])
async def test_what_cannot_be_converted_back_says_what_to_do(here: Asking, *, late: bool) -> None:
    """After seven days, or of one that was made by hand; a secret of another application isn't its key."""
    scenario, azure = here.company.scenario, here.company.azure
    walk = await here.walk()
    await azure.seed(scenario.managed_secret(str(uuid4()), azure.cloud.url("azuredevops")))
    walk = walk.but(new=await convert(here.clients, walk))
    if late:
        here.endpoint().document["data"]["revertSchemeDeadline"] = "2026-01-01T00:00:00.0000000Z"
    else:
        await here.behave(reverts="automatic")
    with pytest.raises(PermanentError) as refused:
        await revert(here.clients, walk)
    assert refused.value.code == "not-reverted"
    assert "new secret" in refused.value.what_to_do
    assert scheme(here) == FEDERATED


async def test_nothing_else_in_the_organization_changes(here: Asking) -> None:
    """Converting one connection and reverting it touches one connection."""
    await here.connection("bystander")
    await here.connection("other-way", scheme=FEDERATED)
    walk = await here.walk()
    await convert(here.clients, walk)
    await revert(here.clients, walk)
    assert here.endpoint("bystander").updates == here.endpoint("other-way").updates == []


async def test_a_refusal_that_shows_nothing_to_trust_is_final(here: Asking) -> None:
    """What Azure DevOps says of it may quote anything: no error has it."""
    walk = await here.walk()
    here.endpoint().document["type"] = "other"
    with pytest.raises(PermanentError) as refused:
        await convert(here.clients, walk)
    assert refused.value.code == "not-converted"
    assert refused.value.message == (
        f"Azure DevOps refused to convert {here.company.scenario.connection} and left it as it was"
    )
