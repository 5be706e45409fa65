"""Night after night on simulated services: what is removed, what is told, and what is never touched."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from azure.core.rest import HttpRequest

from activities import find_issued
from activities.close_record import close
from rekey import names
from rekey.errors import NotYetError
from rekey.records import Record
from rekey.secret_value import SecretValue
from tests.reconcile.nights import Nights, codes

LEFT = ["leftover-seen", "leftover-seen", "rotation-dead"]


async def test_leftovers_are_told_and_then_removed(nights: Nights) -> None:
    """The first night removes nothing, the second, a day later, all that was left, and closes the record."""
    before = nights.live()
    walk = await nights.killed()
    assert codes(await nights.night()) == LEFT
    assert len(nights.live()) == len(before) + 1
    assert codes(await nights.night(later=1.1)) == ["leftover-removed", "leftover-removed", "rotation-abandoned"]
    assert (nights.live(), nights.staged()) == (before, set())
    record = await nights.company.desk.records().read(walk.rotation.id)
    assert record is not None
    assert (record.state, record.result) == ("closed", "abandoned")
    assert walk.issued
    assert {"removing": walk.issued.key_id} in [entry.detail for entry in record.entries]
    assert codes(await nights.night(later=1.1)) == []


async def test_one_night_is_not_two(nights: Nights) -> None:
    """What was seen an hour ago for the first time is left, however old it is, and so is what is younger than a day."""
    await nights.killed()
    await nights.night(later=30)
    assert codes(await nights.night(later=0.05)) == LEFT
    assert len(nights.staged()) == 1


async def test_young_leftovers_are_left(nights: Nights) -> None:
    """A day has to pass since something was made, whatever was seen when."""
    await nights.killed()
    await nights.night()
    assert codes(await nights.night(later=0.8)) == LEFT
    assert len(nights.staged()) == 1


@pytest.mark.parametrize("status", ["RUNNING", "SUSPENDED", "PENDING"])
async def test_what_an_instance_may_still_walk_is_left(nights: Nights, status: str) -> None:
    """However long a rotation takes, what it made is its own as long as its instance may go on."""
    walk = await nights.killed()
    nights.engine.put(nights.instance, status, {"rotation_id": walk.rotation.id})
    live = nights.live()
    for _ in range(3):
        found = codes(await nights.night(later=2))
        assert found == (["rotation-suspended"] if status == "SUSPENDED" else [])
    assert (nights.live(), len(nights.staged())) == (live, 1)


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", None, "RUNNING"])
async def test_open_record_that_nobody_walks_is_told(nights: Nights, status: str | None) -> None:
    """An instance that ended, is gone or walks another rotation by now leaves the record to the nightly check."""
    await nights.killed()
    if status is None:
        del nights.engine.instances[nights.instance]
    else:
        nights.engine.put(nights.instance, status, {"rotation_id": str(uuid4())})
    (stuck,) = [f for f in await nights.night() if f.code == "rotation-dead"]
    assert (stuck.vault, stuck.secret) == (nights.company.scenario.vault, nights.company.scenario.secret)
    assert "POST" in stuck.what_to_do
    assert "rotation-abandoned" in codes(await nights.night(later=1.1))


async def test_published_credential_of_a_dead_rotation_is_never_removed(nights: Nights) -> None:
    """The new value is what readers have: it is told every night that the rotation has to be finished."""
    await nights.killed(published=True)
    live = nights.live()
    for _ in range(3):
        assert codes(await nights.night(later=2)) == ["rotation-dead-after-switch"]
    assert nights.live() == live


async def test_dead_rotation_is_over_when_another_version_came(nights: Nights) -> None:
    """Once the secret has another version, nothing is to be finished; the credential that version replaced is told."""
    walk = await nights.killed(published=True)
    await _store(nights, tags=dict(await _tags(nights)) | {names.TAG_KEY_ID: "x", names.TAG_ROTATION_ID: "x"})
    live = nights.live()
    found = [codes(await nights.night(later=2)) for _ in range(3)]
    assert [("rotation-abandoned" in f, "old-credential-valid" in f) for f in found] == [
        (False, True),
        (True, True),
        (False, True),
    ]
    assert nights.live() == live
    assert walk.issued
    assert walk.issued.key_id in live


async def test_credential_that_a_version_names_stays_whatever_the_record_says(nights: Nights) -> None:
    """Killed between the vault's answer and the record: the version's tag is what counts, newest or not."""
    walk = await nights.killed()
    assert walk.issued
    written = {names.TAG_KEY_ID: walk.issued.key_id, names.TAG_ROTATION_ID: walk.rotation.id}
    await _store(nights, tags=dict(await _tags(nights)) | written)
    live = nights.live()
    await nights.night(later=2)
    await nights.night(later=2)
    assert nights.live() == live
    await _store(nights, tags={})
    await nights.night(later=2)
    assert "old-credential-valid" in codes(await nights.night(later=2))
    assert nights.live() == live


async def test_lost_or_unreadable_record_removes_nothing(nights: Nights) -> None:
    """Without its record nobody knows where a credential went: it is told, with its staged value, and left alone."""
    walk = await nights.killed()
    live = nights.live()
    blob = nights.company.clients.container().get_blob_client(names.record_blob(walk.rotation.id))
    for lose in (_spoil, _delete):
        await lose(blob)
        for _ in range(2):
            found = codes(await nights.night(later=2))
            assert found.count("leftover-unproved") == 2
            assert "leftover-removed" not in found
    assert (nights.live(), len(nights.staged())) == (live, 1)


async def _spoil(blob: Any) -> None:
    await blob.upload_blob(b"{", overwrite=True, metadata={"state": "open", "vault": "kv", "secret": "s"})


async def _delete(blob: Any) -> None:
    await blob.delete_blob()


async def test_other_deployments_and_other_names_are_left(nights: Nights) -> None:
    """A label of another deployment, or one that is no rotation's, is none of ours, in the staging vault too."""
    directory, application = nights.company.azure.cloud.directory, nights.company.application
    now = nights.company.azure.cloud.clock.now()
    for label in (
        f"rekey/other/{uuid4()}",
        "rekey/local/",
        "rekey/local/by-hand",
        f"rekey/local/{uuid4()}/x",
        "by hand",
    ):
        directory.add_password(application, label, now - timedelta(days=9), now + timedelta(days=9))
    staging, other = nights.company.desk.staging(), str(uuid4())
    mine = {names.TAG_DEPLOYMENT: "local", names.TAG_ROTATION_ID: other}
    await staging.set(names.staged_secret(other), SecretValue("x"), tags=mine | {names.TAG_DEPLOYMENT: "other"})
    await staging.set("staged-something", SecretValue("x"), tags=mine)
    live, staged = nights.live(), nights.staged()
    for _ in range(3):
        assert codes(await nights.night(later=2)) == []
    assert (nights.live(), nights.staged()) == (live, staged)


async def test_record_of_another_deployment_proves_nothing(nights: Nights) -> None:
    """Two deployments that share a container and an application: what the record doesn't call ours is left."""
    walk = await nights.killed()
    live = nights.live()
    await nights.company.desk.records().change(walk.rotation.id, _foreign)
    await nights.night(later=2)
    assert codes(await nights.night(later=2)).count("leftover-unproved") == 2
    assert nights.live() == live


def _foreign(record: Record) -> Record:
    return msgspec.structs.replace(record, deployment="other")


async def test_application_that_is_not_owned_is_told(nights: Nights) -> None:
    """Nothing can be removed there; it stays told, and the record open, until somebody does it."""
    await nights.killed()
    nights.company.application.owners.clear()
    await nights.night()
    for _ in range(2):
        found = codes(await nights.night(later=1.1))
        assert "leftover-not-owned" in found
        assert "rotation-dead" in found


async def test_vault_that_was_not_listed_stops_removals(nights: Nights) -> None:
    """If any vault's listing failed, nobody can say that nothing names a credential."""
    walk = await nights.killed()
    await nights.night()
    live = nights.live()
    nights.company.settle(2 * 86400)
    part = nights.begun()
    await find_issued.find(nights.company.desk, nights.engine, part)
    assert nights.live() == live
    assert walk.issued
    assert walk.issued.key_id in live


async def test_staged_value_goes_before_its_credential(nights: Nights) -> None:
    """While its value can still be published a credential stays, even if the vault refuses to destroy it."""
    await nights.killed()
    await nights.night()
    live = nights.live()
    await nights.company.fault("keyvault", method="DELETE", path="/secrets/staged-", status=503, count=None)
    with pytest.raises(NotYetError):
        await nights.night(later=1.1)
    await find_issued.find(nights.company.desk, nights.engine, await nights.listed())
    assert nights.live() == live


async def test_deleted_secret_keeps_its_credentials(nights: Nights) -> None:
    """A secret that is deleted may be recovered: what its versions held can't be seen, so nothing is removed."""
    await nights.killed()
    client = nights.company.clients.vault(nights.company.scenario.vault)
    await client.send_request(HttpRequest("DELETE", f"/secrets/{nights.company.scenario.secret}"))
    live = nights.live()
    for _ in range(3):
        assert "leftover-seen" in codes(await nights.night(later=2))
    assert nights.live() == live


async def test_late_attempts_of_a_finished_rotation_are_removed(nights: Nights) -> None:
    """What carries a done rotation's label and isn't its published credential was forgotten by a late attempt."""
    walk = await nights.killed(published=True)
    await close(nights.company.desk, walk.but(result="done"))
    now = nights.company.azure.cloud.clock.now()
    label = names.label("local", walk.rotation.id)
    forgotten = nights.company.azure.cloud.directory.add_password(
        nights.company.application, label, now, now + timedelta(days=9)
    )
    kept = nights.live() - {forgotten.key_id}
    await nights.night()
    # By its record alone, with no entry of the publication, nothing would be proved.
    found = codes(await nights.night(later=1.1))
    assert found == ["leftover-removed"]
    assert nights.live() == kept


async def test_removal_that_is_refused_is_told(nights: Nights) -> None:
    """The rest of the night goes on, nothing is called removed that isn't, and the record stays open."""
    await nights.killed()
    await nights.night()
    roles = nights.company.azure.cloud.keyvault.vaults[nights.company.scenario.staging].roles
    roles.update({who: frozenset({"get", "list", "set"}) for who in roles})
    found = codes(await nights.night(later=1.1))
    assert sorted(found) == ["leftover-not-removed", "leftover-seen", "rotation-dead"]


async def test_removals_are_told_even_if_the_part_is_repeated(nights: Nights) -> None:
    """An answer that is lost after the removal: the repeated part finds nothing, the night still tells it."""
    await nights.killed()
    await nights.night()
    await nights.company.fault("graph", path="removePassword", status=503, when="after")
    with pytest.raises(NotYetError):
        await nights.night(later=1.1)
    found = await nights.parts(nights.last)
    assert codes(found).count("leftover-removed") == 2


async def _tags(nights: Nights) -> dict[str, str]:
    vault = nights.company.desk.vault(nights.company.scenario.vault)
    return dict((await vault.current(nights.company.scenario.secret))[0].tags)


async def _store(nights: Nights, tags: dict[str, str]) -> None:
    """Store a version as people do by hand, its end like the one before."""
    vault = nights.company.desk.vault(nights.company.scenario.vault)
    version, value = await vault.current(nights.company.scenario.secret)
    await vault.set(nights.company.scenario.secret, value, tags=tags, expires=version.expires)
