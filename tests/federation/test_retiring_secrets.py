"""The last password of a managed secret goes when its connection needs none: that one, and only if nobody else does."""

from typing import Any
from uuid import uuid4

import pytest

from activities.generate_credential import generate
from activities.open_record import open_record
from activities.preflight import preflight
from activities.retire_secrets import retire_secrets_step
from activities.set_secret_version import publish
from rekey import inspection, names, nothing_left
from rekey.connections.found import Way
from rekey.connections.report import Report, Row
from rekey.connections.reports import Reports
from rekey.errors import NotYetError, PermanentError
from rekey.federation.converting import convert
from rekey.federation.document import beside, projects
from rekey.federation.records import FederationRecord, FederationRecords
from rekey.federation.retiring_secrets import retire
from rekey.model import Walk, encode
from rekey.model.federation import Federation
from rekey.model.federation_request import Mode
from rekey.reconcile.memory import hashed
from tests.federation.asking import FEDERATED, Asking


async def rotated(asking: Asking) -> Walk:
    """Let a rotation make the password that the newest version holds; the one made by hand before stays."""
    desk = asking.company.desk
    walk = Walk(rotation=await asking.company.rotation(str(uuid4())))
    await open_record(desk, walk)
    facts = await preflight(desk, walk)
    walk = walk.but(rotation=walk.rotation.knowing(facts), facts=facts)
    walk = walk.but(issued=await generate(desk, walk))
    walk = walk.but(published=await publish(desk, walk))
    await desk.records().close(walk.rotation.id, "done")
    return walk


def key_of(walk: Walk) -> str:
    """Return the key id of the password that a rotation made."""
    assert walk.issued
    return walk.issued.key_id


def live(asking: Asking) -> set[str]:
    """Return the key ids of the passwords that work."""
    return {password.key_id for password in asking.company.application.live()}


def federate(asking: Asking, scheme: str = FEDERATED) -> None:
    """Let the connection sign in otherwise from now on."""
    asking.endpoint().document["authorization"]["scheme"] = scheme


async def converted(asking: Asking) -> tuple[Walk, Federation]:
    """Return a rotation, and the walk that left its connection without a secret."""
    rotation = await rotated(asking)
    walk = await asking.walk()
    federate(asking)
    return rotation, walk


async def test_last_password_goes_and_the_vault_keeps_its_value(asking: Asking) -> None:
    """By its key id; what was made by hand stays and is told, and a repeated step says the same and changes nothing."""
    (by_hand,) = live(asking)
    rotation, walk = await converted(asking)
    record = FederationRecord(federation=walk, deployment=asking.clients.settings.deployment, opened=walk.started)
    await FederationRecords(asking.clients.container()).open(record)
    first = await retire(asking.clients, walk)
    assert (first.removed, live(asking)) == ((key_of(rotation),), {by_hand})
    gone, left = first.remarks
    assert "worth nothing any more" in gone
    assert "Remove Rekey's tags" in gone
    (password,) = asking.company.application.live()
    assert f"1 password that Rekey doesn't look after; the last works until {password.end:%Y-%m-%d}" in left
    scenario, before = asking.company.scenario, asking.company.state()
    assert asking.company.azure.cloud.keyvault.vaults[scenario.vault].secret(scenario.secret).latest.enabled
    assert await retire(asking.clients, walk) == first
    assert asking.company.state() == before
    key = hashed(key_of(rotation))
    assert await nothing_left.is_gone(asking.clients.container(), scenario.vault, scenario.secret, key)
    again = await retire_secrets_step(encode(walk))
    assert (again["outcome"], again["value"]["removed"]) == ("ok", (key_of(rotation),))


async def test_walk_that_goes_on_from_a_converted_connection_removes_the_password(asking: Asking) -> None:
    """A walk that died left connection and password; the one that is asked for again finds both, and removes it."""
    (by_hand,) = live(asking)
    rotation = await rotated(asking)
    await convert(asking.clients, await asking.walk())
    again = await asking.walk()
    assert again.old
    assert again.old.way == Way.FEDERATED
    assert (await retire(asking.clients, again)).removed == (key_of(rotation),)
    assert live(asking) == {by_hand}


async def test_password_that_somebody_may_need_stays(asking: Asking) -> None:
    """The connection itself, another one now or in the last report, another secret of the same application."""
    _, walk = await converted(asking)
    before = live(asking)

    async def why() -> str:
        found = await retire(asking.clients, walk)
        assert (found.removed, live(asking)) == ((), before)
        return found.remarks[0]

    federate(asking, "ServicePrincipal")
    assert "needs it, or can't be asked" in await why()
    federate(asking)
    other = await asking.connection("other")
    assert "/other signs in with a secret of the same application" in await why()
    other.document["authorization"]["scheme"] = FEDERATED
    row = _row(walk, project="Elsewhere", connection="far", id=str(uuid4()))
    await Reports(asking.clients.container()).keep(Report(run_id="r", at=walk.started, rows=(row,)))
    assert "/Elsewhere/far signs in with a secret" in await why()
    own = _row(walk, project="Elsewhere", connection="own", id=walk.old.id if walk.old else "")
    await Reports(asking.clients.container()).keep(Report(run_id="r", at=walk.started, rows=(own,)))
    await _managed(asking, "sibling")
    assert "/sibling is of the same application" in await why()


async def test_password_of_a_rotation_that_is_under_way_stays(asking: Asking) -> None:
    """By its record, or by a password of this deployment that no version names: it is waited for."""
    rotation, walk = await converted(asking)
    before = live(asking)
    await open_record(asking.company.desk, Walk(rotation=await asking.company.rotation()))
    with pytest.raises(NotYetError) as open_by_record:
        await retire(asking.clients, walk)
    await asking.company.desk.records().close((await asking.company.rotation()).id, "done")
    now = asking.company.azure.cloud.clock.now()
    label = names.label(asking.clients.settings.deployment, str(uuid4()))
    made = asking.company.azure.cloud.directory.add_password(
        asking.company.application, label, now, now.replace(year=2099)
    )
    with pytest.raises(NotYetError) as open_by_label:
        await retire(asking.clients, walk)
    assert open_by_record.value.code == open_by_label.value.code == "rotation-open"
    assert live(asking) == before | {made.key_id}
    assert key_of(rotation) in before


async def test_password_that_a_tag_claims_stays(asking: Asking) -> None:
    """Tags are written by others: without the issuer's label or the rotation's record none of them is believed."""
    (by_hand,) = live(asking)
    rotation, walk = await converted(asking)
    scenario = asking.company.scenario
    secret = asking.company.azure.cloud.keyvault.vaults[scenario.vault].secret(scenario.secret)
    secret.latest.tags = {**(secret.latest.tags or {}), names.TAG_KEY_ID: by_hand}
    asking.company.azure.cloud.directory.remove_password(asking.company.application, key_of(rotation))
    found = await retire(asking.clients, walk)
    assert (found.removed, live(asking)) == ((), {by_hand})
    assert "can't be proved" in found.remarks[0]


async def test_old_connection_that_was_replaced_needs_nothing(asking: Asking) -> None:
    """It is deleted by then, and no failure: the password goes, and whoever asks for it is told what took its place."""
    rotation = await rotated(asking)
    walk = await asking.walk(mode=Mode.SIDE_BY_SIDE)
    project = asking.organization.projects[asking.company.scenario.project.lower()]
    old = asking.endpoint().document
    label = names.label(asking.clients.settings.deployment, walk.id)
    made = await asking.connection(walk.new_name, scheme=FEDERATED)
    del project.endpoints[str(old["id"])]
    ref = rotation.rotation.policy.consumers[0]
    with pytest.raises(PermanentError):
        await inspection.consumer(asking.clients, rotation.rotation, ref)
    made.document["description"] = beside(old, walk.new_name, label, "", projects(old))["description"]
    found = await inspection.consumer(asking.clients, rotation.rotation, ref)
    assert f"'{walk.new_name}', which needs no key, has taken its place" in found.keyless
    assert (await retire(asking.clients, walk)).removed == (key_of(rotation),)


async def test_nothing_else_is_taken_for_its_successor(asking: Asking) -> None:
    """A connection without Rekey's label, or in place of another one, or with a key, says nothing of what is gone."""
    rotation, name = await asking.company.rotation(), asking.company.scenario.connection
    ref, label = rotation.policy.consumers[0], names.label(asking.clients.settings.deployment, "x")
    made = (await asking.connection("new", scheme=FEDERATED)).document
    asking.organization.projects[asking.company.scenario.project.lower()].endpoints.pop(asking.endpoint().id)
    for description in (f"In place of {name}", label, f"In place of {name}-2\n{label}"):
        made["description"] = description
        with pytest.raises(PermanentError):
            await inspection.consumer(asking.clients, rotation, ref)
    made["description"] = f"In place of {name}\n{label}"
    assert (await inspection.consumer(asking.clients, rotation, ref)).keyless
    made["authorization"]["scheme"] = "ServicePrincipal"
    with pytest.raises(PermanentError):
        await inspection.consumer(asking.clients, rotation, ref)


def _row(walk: Federation, **fields: Any) -> Row:
    assert walk.old
    return Row(
        key=f"{walk.organization}/{fields['id']}".lower(),
        organization=walk.organization,
        way=Way.SECRET,
        application=walk.old.application,
        application_name="",
        issuer="",
        subject="",
        created=None,
        changed=None,
        last_used=None,
        expires=None,
        revert_until=None,
        disabled=False,
        shared_with=(),
        managed_by="",
        keyless=None,
        seen=walk.started,
        **fields,
    )


async def _managed(asking: Asking, name: str) -> None:
    """Store one more managed secret of the application, without consumers."""
    tags = {"azureADAppId": asking.company.application.app_id}
    secret = {"value": "x", "tags": tags, "expires_in_days": 300}
    await asking.company.azure.seed({"vaults": {asking.company.scenario.vault: {"secrets": {name: secret}}}})
