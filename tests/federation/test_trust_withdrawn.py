"""What a walk made in Entra and Azure goes again, known to it or not, and nothing else does."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from local.storage import Azurite
from rekey.errors import NotYetError, PermanentError, RekeyError
from rekey.federation import identities, roles
from rekey.federation.identifying import identify
from rekey.federation.trusting import trust
from rekey.federation.withdrawing import withdraw
from rekey.model.federation import New
from rekey.model.federation_request import Mode, Target
from tests.federation.trusted import IDENTITIES, SHOP, Trusted, recording, vends


@pytest.fixture
async def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, azurite: Azurite) -> AsyncIterator[Trusted]:
    """Return the company of an app that vends."""
    async with recording(tmp_path, monkeypatch, azurite.connection_string, **vends()) as running:
        yield running


def _state(trusted: Trusted) -> Any:
    cloud = trusted.company.azure.cloud
    return [cloud.services[name].state() for name in ("entra", "graph", "arm")]


async def test_a_vended_identity_goes_with_its_roles(trusted: Trusted) -> None:
    """Made with a label in the group of settings, trusted, given its role; then everything is as before."""
    clients, walk, before = trusted.company.clients, trusted.vended(new_name="Größe/prod"), _state(trusted)
    identity = await identities.create(clients, walk)
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    assert identity.arm_id == f"{IDENTITIES}/providers/{kind}/Gr-e-prod-{walk.id[:8]}"
    assert await identities.create(clients, walk) == identity
    made = trusted.company.azure.cloud.directory.identity_by_arm_id(identity.arm_id)
    assert made
    assert made.tags["rekey-federation"] == f"rekey/local/{walk.id}"
    assert (made.location, made.client_id, made.object_id) == ("westeurope", identity.client_id, identity.principal_id)
    endpoint = await trusted.connection(client_id=identity.client_id, federated_credential="none")
    shown = trusted.walk(endpoint).old
    assert shown
    new = New(id=shown.id, name=shown.name, issuer=shown.issuer, subject=shown.subject)
    known = walk.but(signs_in_as=identity, new=new)
    found = await trust(clients, known)
    assert (found.made, found.principal) == (True, identity.arm_id)
    assert [(one.issuer, one.subject) for one in made.federated.live()] == [(shown.issuer, shown.subject)]
    assert await trust(clients, known) == found
    await roles.grant(clients, known)
    trusted.company.settle(5)
    assert "1 role assignment and the managed identity" in (await withdraw(clients, walk)).proof
    assert _state(trusted) == before
    assert (await withdraw(clients, walk)).proof == "no identity is left that was made for it"


async def test_an_identity_of_that_name_that_isnt_ours_stays(trusted: Trusted) -> None:
    """Neither taken for ours, nor removed."""
    walk, clients = trusted.vended(), trusted.company.clients
    other = {"resource_group": "identities", "attached": False}
    await trusted.company.azure.seed({"identities": {f"sc-shop-prod-{walk.id[:8]}": other}})
    with pytest.raises(PermanentError) as refused:
        await identities.create(clients, walk)
    assert refused.value.code == "name-taken"
    before = _state(trusted)
    assert "no identity" in (await withdraw(clients, walk)).proof
    assert _state(trusted) == before


async def test_a_managed_identity_takes_the_old_ones_place(trusted: Trusted) -> None:
    """Found by its ARM id, bound by settings, with room; its credential and copied roles go, its own stay."""
    clients, old = trusted.company.clients, trusted.company.scenario.application
    await trusted.company.azure.seed({"identities": {"deployer": {"resource_group": "identities", "attached": False}}})
    roles_ = [("deployer", "Reader"), (old, "Contributor")]
    wanted = [{"identity": who, "role": role, "scope": SHOP} for who, role in roles_]
    await trusted.company.azure.seed({"role_assignments": wanted})
    endpoint = await trusted.connection(identity="deployer", federated_credential="none")
    before = _state(trusted)
    own = trusted.company.azure.cloud.directory.identity("deployer")
    walk = trusted.walk(
        endpoint,
        Mode.SIDE_BY_SIDE,
        target=Target.MANAGED_IDENTITY,
        identity=own.arm_id.replace("resourcegroups", "ResourceGroups"),
    )
    assert walk.old
    of_old = await trusted.connection(name="old")
    identity = await identify(clients, walk)
    assert (identity.client_id, identity.principal_id, identity.object_id) == (own.client_id, own.object_id, "")
    old_connection = trusted.walk(of_old).old
    known = walk.but(signs_in_as=identity, old=old_connection, new=_new(walk))
    await trust(clients, known)
    await roles.copy(clients, known)
    assert len(own.federated.live()) == 1
    trusted.company.settle(5)
    said = (await withdraw(clients, known)).proof
    assert "1 role assignment and the federated credential rekey-" in said
    await _remove(trusted, "old")
    assert _state(trusted) == before


def _new(walk: Any) -> New:
    return New(id=walk.old.id, name=walk.old.name, issuer=walk.old.issuer, subject=walk.old.subject)


async def _remove(trusted: Trusted, name: str) -> None:
    """Forget what the connection of that name was seeded with."""
    federated = trusted.company.application.federated
    federated.every = [one for one in federated.every if one.name != f"azdo-{name}"]


async def test_a_converted_connection_keeps_its_trust(trusted: Trusted) -> None:
    """As long as it is federated the credential is its only way in; converted back, only ours goes."""
    endpoint = await trusted.connection(federated_credential="wrong-case")
    walk = await trusted.identified(endpoint, Mode.IN_PLACE)
    walk = await trusted.trusted(walk)
    with pytest.raises(PermanentError) as refused:
        await withdraw(trusted.company.clients, walk)
    assert refused.value.code == "still-federated"
    assert len(trusted.credentials()) == 2
    endpoint.document["authorization"]["scheme"] = "ServicePrincipal"
    unaware = walk.but(trust=None)
    assert f"rekey-{walk.id}" in (await withdraw(trusted.company.clients, unaware)).proof
    assert len(trusted.credentials()) == 1
    assert (await withdraw(trusted.company.clients, walk)).proof == "nothing of it was left"


async def test_what_is_still_listed_isnt_gone(trusted: Trusted) -> None:
    """Graph's lists lag: the step ends when it is seen to be gone."""
    walk = await trusted.trusted(await trusted.identified(await trusted.connection(federated_credential="none")))
    trusted.company.settle(100)
    trusted.company.azure.cloud.switches.set({"service": "graph", "propagation": {"seconds": 60}})
    with pytest.raises(NotYetError):
        await withdraw(trusted.company.clients, walk)
    trusted.company.settle(61)
    assert (await withdraw(trusted.company.clients, walk)).proof == "nothing of it was left"


async def test_an_identity_beyond_settings_or_rights_is_refused(trusted: Trusted) -> None:
    """Not bound to the project, not there, not the app's to write: each is told before anything is made."""
    await trusted.company.azure.seed({"identities": {"theirs": {"resource_group": "shop", "attached": False}}})
    walk = trusted.vended(mode=Mode.SIDE_BY_SIDE, target=Target.MANAGED_IDENTITY)
    theirs = trusted.company.azure.cloud.directory.identity("theirs").arm_id
    for arm_id, code in (
        (theirs.replace("/shop/", "/elsewhere/"), "out-of-scope"),
        (theirs.replace("/theirs", "/nobody"), "no-managed-identity"),
        (theirs, "not-allowed"),
        (theirs.replace("/shop/", "/identities/"), "no-managed-identity"),
        ("/subscriptions/x", "bad-input"),
    ):
        with pytest.raises(RekeyError) as refused:
            await identify(trusted.company.clients, walk.but(identity=arm_id))
        assert refused.value.code == code, arm_id
        if code == "not-allowed":
            assert "Managed Identity Federated Identity Credential Contributor" in refused.value.what_to_do
