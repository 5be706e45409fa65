"""Federated credentials of managed identities are compared as applications' are, where settings let Rekey look."""

from typing import Any

import msgspec

from rekey.clients import Clients
from tests.connections.auditing import Audited

WIF = "WorkloadIdentityFederation"
GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/"


async def _seeded(audited: Audited, *groups: str, roles: bool = True) -> None:
    """Let the app look at identities in these groups; the connections' own are in shop and in theirs."""
    company = audited.company
    scopes = company.settings.scopes
    seen = msgspec.structs.replace(scopes[0], resources=tuple(f"{GROUP}{group}" for group in groups))
    await company.clients.aclose()
    company.clients = Clients(msgspec.structs.replace(company.settings, scopes=(seen, *scopes[1:])))
    at: dict[str, Any] = {
        name: {"resource_group": "theirs" if name == "hidden" else "shop", "attached": False}
        for name in ("fitting", "drifted", "cased", "bare", "hidden")
    }
    wanted = [{"identity": "rekey", "role": "Reader", "scope": f"{GROUP}{group}"} for group in groups if roles]
    await company.azure.seed({"identities": at, "role_assignments": wanted})
    await audited.connections(
        fits={"identity": "fitting", "scheme": WIF},
        differs={"identity": "drifted", "scheme": WIF, "federated_credential": "other"},
        cased={"identity": "cased", "scheme": WIF, "federated_credential": "wrong-case"},
        trusted={"identity": "bare", "scheme": WIF, "federated_credential": "none"},
        hidden={"identity": "hidden", "scheme": WIF, "federated_credential": "none"},
    )


async def test_managed_identities_are_compared_like_applications(audited: Audited) -> None:
    """What fits is silent, what drifted is wrong; what settings don't name is told as not looked at, nothing else."""
    await _seeded(audited, "shop")
    await audited.night()
    found = await audited.findings()
    del found[audited.company.scenario.connection]
    assert found == {
        "differs": {"subject-differs"},
        "cased": {"subject-case-differs"},
        "trusted": {"no-federated-credential"},
        "managed-identity hidden": {"not-looked-at"},
    }
    said = {one.subject: one for one in (await audited.report()).findings}
    assert "its managed identity has no federated credential" in said["trusted"].message
    assert "give the managed identity" in said["differs"].what_to_do
    assert f"{GROUP}theirs/" in said["managed-identity hidden"].message
    assert "resources in REKEY_SCOPES" in said["managed-identity hidden"].what_to_do
    assert (await audited.row("hidden")).application_name == "hidden"


async def test_without_the_role_it_is_told_how_to_grant_it(audited: Audited) -> None:
    """A refusal of Azure stops nothing, and isn't taken for an identity that trusts nobody."""
    await _seeded(audited, "shop", roles=False)
    await audited.night()
    found = await audited.findings()
    assert "trusted" not in found
    assert found["managed-identity bare"] == {"not-looked-at"}
    (told,) = [one for one in (await audited.report()).findings if one.subject == "managed-identity bare"]
    assert "az role assignment create --assignee <identity> --role 'Reader'" in told.what_to_do
