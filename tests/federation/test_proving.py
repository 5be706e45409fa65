"""A connection is proven by Azure DevOps itself, twice in a row; what a repaired one replaces goes only then."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from activities.prove_connection import prove_connection_step
from local.azure.directory_federation import FederatedCredential
from local.storage import Azurite
from rekey.model.federation import Federation, Granted, Identity
from rekey.model.federation_request import Mode, Target
from rekey.role_assignments import ASSIGNMENTS
from tests.federation.trusted import ISSUER, SHOP, SUBJECT, SUBSCRIPTION, Trusted, given, recording


@pytest.fixture
async def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Trusted]:
    """Return the company's connections, with records."""
    async with recording(tmp_path, monkeypatch, azurite.connection_string) as running:
        yield running


async def _proven(walk: Federation) -> str:
    """Prove a connection in two attempts, and return how."""
    first = await prove_connection_step(given(walk))
    assert (first["outcome"], first["code"], first["seconds"] > 0) == ("retry-after", "proven-once", True)
    second = await prove_connection_step(given(walk))
    assert second["outcome"] == "ok", second
    return str(second["value"]["proof"])


async def test_it_has_to_work_twice_in_a_row(trusted: Trusted) -> None:
    """While Entra's servers don't all know the credential a refusal explains itself, and the count begins anew."""
    endpoint = await trusted.connection(federated_credential="none")
    walk = await trusted.recorded(await trusted.identified(endpoint))
    trusted.company.delay(30)
    walk = await trusted.trusted(walk)
    refused = await prove_connection_step(given(walk))
    assert (refused["outcome"], refused["code"]) == ("retry-after", "not-signed-in")
    assert "AADSTS70021" in refused["message"]
    assert "takes minutes" in refused["message"]
    trusted.company.settle(31)
    once = await prove_connection_step(given(walk))
    trusted.company.azure.cloud.directory.applications[trusted.company.scenario.application].federated.every.clear()
    broken = await prove_connection_step(given(walk))
    assert (once["code"], broken["code"]) == ("proven-once", "not-signed-in")
    await trusted.trusted(walk)
    trusted.company.settle(31)
    assert await _proven(walk) == "Azure DevOps signed in with it, twice in a row (TestConnection)"


async def test_what_is_replaced_goes_if_it_was_this_connections(trusted: Trusted) -> None:
    """The older form of its own name and what a former walk made for it go; all else stays, and doubts are told."""
    endpoint = await trusted.connection(name="deploy", federated_credential="wrong-case")
    neighbour = await trusted.connection(name="neighbour", issuer="azure-devops")
    walk, federated = trusted.walk(endpoint), trusted.company.application.federated
    assert walk.old
    place, now = f"sc://{walk.organization}/{walk.project}", trusted.company.azure.cloud.clock.now()
    issuer = f"https://vstoken.dev.azure.com/{uuid4()}"
    former = await trusted.recorded(trusted.walk(endpoint))
    others = await trusted.recorded(trusted.walk(neighbour))
    for name, subject in (
        ("by-name", f"{place}/deploy"),
        ("renamed", f"{place}/before"),
        ("cased", f"{place}/Deploy"),
        (f"rekey-{former.id}", f"{place}/whatever"),
        (f"rekey-{others.id}", f"sc://{walk.organization}/elsewhere/deploy"),
    ):
        federated.add(FederatedCredential(name, issuer, subject, now))
    trusted.fill(1)
    walk = await trusted.recorded(await trusted.identified(endpoint, id=walk.id))
    proof = await _proven(await trusted.trusted(walk))
    gone = proof.partition("replaces: ")[2].partition(";")[0]
    left = proof.partition("whose they were: ")[2]
    assert set(gone.split(", ")) == {"by-name", f"rekey-{former.id}"}
    assert set(left.split(", ")) == {"renamed", "cased", "azdo-deploy"}
    assert {one.name for one in trusted.credentials()} == {
        *("azdo-deploy", "azdo-neighbour", "renamed", "cased", f"rekey-{others.id}", f"rekey-{walk.id}", "other-0"),
    }


async def test_what_another_connection_presents_stays(trusted: Trusted) -> None:
    """Even if it has this one's name in the older form; and one that fits already replaces nothing."""
    endpoint = await trusted.connection(name="deploy", federated_credential="none")
    neighbour = await trusted.connection(name="neighbour", issuer="azure-devops", federated_credential="none")
    walk = await trusted.recorded(await trusted.identified(endpoint))
    neighbour.parameters[SUBJECT] = f"sc://{walk.organization}/{walk.project}/deploy"
    theirs = FederatedCredential("theirs", neighbour.parameters[ISSUER], neighbour.parameters[SUBJECT], walk.started)
    trusted.company.application.federated.add(theirs)
    walk = await trusted.trusted(walk)
    assert "theirs" not in await _proven(walk)
    assert theirs in trusted.credentials()


async def test_what_cannot_be_removed_undoes_no_proof(trusted: Trusted) -> None:
    """The connection works: what it replaces is said to be left."""
    endpoint = await trusted.connection(name="deploy", federated_credential="none")
    walk = await trusted.recorded(await trusted.identified(endpoint))
    issuer, subject = f"https://vstoken.dev.azure.com/{uuid4()}", f"sc://{walk.organization}/{walk.project}/deploy"
    former = FederatedCredential("former", issuer, subject, walk.started)
    trusted.company.application.federated.add(former)
    walk = await trusted.trusted(walk)
    await trusted.company.fault("graph", method="DELETE", status=503)
    assert "could not be removed" in await _proven(walk)
    assert former in trusted.credentials()


async def test_a_missing_role_proves_the_sign_in_of_whom_it_was_before(trusted: Trusted) -> None:
    """Who it was before has the roles that it had; a new one's is waited for, unless the test asks for more."""
    elsewhere = f"{SUBSCRIPTION.replace('1111-1', '2222-1', 1)}/resourceGroups/theirs"
    role = {"identity": trusted.company.scenario.application, "role": "Reader", "scope": elsewhere}
    await trusted.company.azure.seed({"role_assignments": [role]})
    walk = await trusted.recorded(await trusted.identified(await trusted.connection()))
    assert "has no role on what it asked for" in await _proven(walk)
    beside = walk.but(mode=Mode.SIDE_BY_SIDE, target=Target.MANAGED_IDENTITY, signs_in_as=Identity(client_id="x"))
    for granted in ((), (f"{SUBSCRIPTION}{ASSIGNMENTS}/1",)):
        waits = await prove_connection_step(given(beside.but(granted=Granted(assignments=granted))))
        assert (waits["outcome"], waits["code"]) == ("retry-after", "role-missing")
        assert "counts after some minutes" in waits["message"]
    narrow = beside.but(granted=Granted(assignments=(f"{SHOP}{ASSIGNMENTS}/1",)))
    assert "has no role on what it asked for" in await _proven(narrow)


async def test_what_never_passes_is_told_at_once(trusted: Trusted) -> None:
    """An application of several tenants is refused for good, with what to do."""
    walk = await trusted.recorded(await trusted.identified(await trusted.connection()))
    trusted.company.application.audience = "AzureADMultipleOrgs"
    refused = await prove_connection_step(given(walk))
    assert (refused["outcome"], refused["code"]) == ("permanent", "sign-in-refused")
    assert "AADSTS70052" in refused["message"]
    assert "AzureADMyOrg" in refused["what_to_do"]
