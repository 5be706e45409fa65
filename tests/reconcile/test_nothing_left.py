"""A secret that nobody needs any more is due every night and names a password that is gone: neither is told."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from activities.open_record import open_record
from activities.preflight import preflight
from activities.retire_old_credential import retire
from rekey.model import NOTHING_LEFT, Reason, Walk
from tests.reconcile.nights import Nights, codes


def federate(nights: Nights) -> None:
    """Let the one connection need no key."""
    scenario = nights.company.scenario
    (project,) = nights.company.azure.cloud.azuredevops.organizations[scenario.organization].projects.values()
    (endpoint,) = project.endpoints.values()
    endpoint.document["authorization"]["scheme"] = "WorkloadIdentityFederation"


async def ended(nights: Nights, rotation_id: str, reason: Reason, *, days_ago: int = 0) -> Walk:
    """Let a rotation of the secret end with nothing left to rotate."""
    rotation = await nights.company.rotation(rotation_id, reason)
    walk = Walk(rotation=replace(rotation, started=rotation.started - timedelta(days=days_ago)))
    await open_record(nights.company.desk, walk)
    facts = await preflight(nights.company.desk, walk)
    assert facts.nothing_left()
    await nights.company.desk.records().close(rotation_id, NOTHING_LEFT)
    return walk.but(facts=facts, rotation=walk.rotation.knowing(facts))


async def test_due_for_ever_is_no_finding_as_long_as_somebody_looks(nights: Nights) -> None:
    """What the sweep found unneeded lately isn't told; if nobody has looked for days it is, for that may be over."""
    federate(nights)
    scenario = nights.company.scenario
    secrets = nights.company.azure.cloud.keyvault.vaults[scenario.vault].secret(scenario.secret)
    tags = {**(secrets.latest.tags or {}), "rekey-lead": "P60D", "rekey-lifetime": "P200D"}
    seeded: dict[str, Any] = {"value": "x", "tags": tags, "expires_in_days": 5, "age_days": 150}
    await nights.company.azure.seed({"vaults": {scenario.vault: {"secrets": {scenario.secret: seeded}}}})
    await ended(nights, "11111111-1111-4111-8111-00000000000a", Reason.SCHEDULE, days_ago=4)
    assert codes(await nights.night()) == ["due-not-rotated"]
    await ended(nights, "11111111-1111-4111-8111-00000000000b", Reason.SCHEDULE)
    assert await nights.night() == []


async def test_leaked_password_that_went_is_not_missed(nights: Nights) -> None:
    """The newest version names a password that was retired without a successor: on purpose, and told by then."""
    made = await nights.killed(published=True)
    assert made.issued
    await nights.company.desk.records().close(made.rotation.id, "done")
    nights.engine.instances.clear()
    federate(nights)
    walk = await ended(nights, "11111111-1111-4111-8111-00000000000a", Reason.LEAK)
    for _ in range(2):
        retired = await retire(nights.company.desk, walk)
        assert retired.removed == (made.issued.key_id,)
    assert made.issued.key_id not in nights.live()
    assert codes(await nights.night(later=0.1)) == []


async def test_password_that_another_app_retired_is_missed_until_somebody_looked(nights: Nights) -> None:
    """It is gone and nobody here knows why: told, until a rotation found that nothing is left to rotate."""
    made = await nights.killed(published=True)
    assert made.issued
    await nights.company.desk.records().close(made.rotation.id, "done")
    nights.engine.instances.clear()
    federate(nights)
    nights.company.azure.cloud.directory.remove_password(nights.company.application, made.issued.key_id)
    assert codes(await nights.night(later=0.1)) == ["credential-gone"]
    await ended(nights, "11111111-1111-4111-8111-00000000000a", Reason.MANUAL)
    assert codes(await nights.night()) == []
