"""What is told of secrets by their properties alone, and how often their versions are looked into."""

from typing import Any

import msgspec
import pytest

from activities import find_secrets
from rekey import names
from rekey.secret_value import SecretValue
from tests.reconcile.nights import Nights, codes


async def looks(nights: Nights) -> list[str]:
    """Return the requests for a secret's versions so far."""
    asked = [path for _, path in await nights.company.requests("keyvault") if path.endswith("/versions")]
    return [path.split("/")[2] for path in asked]


async def put(nights: Nights, secret: str, tags: dict[str, str] | None = None) -> None:
    """Store a version without an end."""
    await nights.company.desk.vault(nights.company.scenario.vault).set(secret, SecretValue("x"), tags=tags or {})


async def policy(nights: Nights) -> dict[str, str]:
    """Return the managed secret's tags."""
    vault = nights.company.desk.vault(nights.company.scenario.vault)
    return dict((await vault.current(nights.company.scenario.secret))[0].tags)


async def test_all_well_finds_nothing(nights: Nights) -> None:
    """A managed secret with an end and a few that are nobody's: one short mail, or silence where settings want it."""
    await put(nights, "somebodys")
    assert await nights.night() == []
    notice = await nights.notice()
    assert notice is not None
    assert (notice.findings, notice.counts["findings"]) == ((), 0)
    nightly = msgspec.structs.replace(nights.company.settings.nightly, silent_when_well=True)
    nights.company.clients.settings = msgspec.structs.replace(nights.company.settings, nightly=nightly)
    assert await nights.notice() is None
    await put(nights, nights.company.scenario.secret, await policy(nights))
    await nights.night()
    assert await nights.notice() is not None


async def test_each_thing_that_others_do_is_told(nights: Nights) -> None:
    """A lost policy, a disabled newest version, no end, a bad tag: each by its code, by name, with what to do."""
    good = await policy(nights)
    await put(nights, "endless", good)
    await put(nights, "bad", good | {"rekey-lead": "pasted-password"})
    await put(nights, "lost", good)
    nights.company.settle(2)
    await put(nights, "lost")
    await put(nights, "off", good)
    vault = nights.company.desk.vault(nights.company.scenario.vault)
    await vault.disable("off", (await vault.current("off"))[0].id)
    found = {f.secret + " " + f.code: f for f in await nights.night()}
    assert sorted(found) == [
        "bad bad-policy",
        "endless no-expiry",
        "lost policy-lost",
        "off newest-version-disabled",
        "off no-expiry",
    ]
    assert all(f.what_to_do and f.vault == nights.company.scenario.vault for f in found.values())
    assert "rekey-lead" in found["bad bad-policy"].message
    assert "pasted" not in str(found)


async def test_versions_are_looked_into_once(nights: Nights) -> None:
    """Only of secrets without a policy, and again only when there is a newer version; what was found stays told."""
    await put(nights, "lost", await policy(nights))
    nights.company.settle(2)
    await put(nights, "lost")
    await put(nights, "plain")
    assert codes(await nights.night()) == ["policy-lost"]
    assert sorted(await looks(nights)) == ["lost", "plain"]
    assert codes(await nights.night()) == ["policy-lost"]
    assert len(await looks(nights)) == 2
    nights.company.settle(2)
    await put(nights, "lost", await policy(nights))
    await put(nights, "plain")
    assert codes(await nights.night()) == ["no-expiry"]
    assert sorted(await looks(nights)) == ["lost", "plain", "plain"]


async def test_a_vault_with_many_is_looked_into_in_turns(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    """One activity looks into a number of them and asks to be called again."""
    monkeypatch.setattr(find_secrets, "MOST_LOOKS", 2)
    for number in range(3):
        await put(nights, f"plain-{number}")
    part = msgspec.structs.replace(nights.begun(), vault=nights.company.scenario.vault)
    turns = [(await find_secrets.find(nights.company.desk, part)).more for _ in range(2)]
    assert (turns, len(await looks(nights))) == ([True, False], 3)


async def test_what_is_due_and_not_rotated_is_told(nights: Nights) -> None:
    """Due for longer than the sweep needs, with nothing under way: told by how its last rotation ended."""
    good = await policy(nights) | {"rekey-lead": "P60D", "rekey-lifetime": "P200D"}
    seeded: dict[str, Any] = {"value": "x", "tags": good, "expires_in_days": 5, "age_days": 150}
    scenario = nights.company.scenario
    await nights.company.azure.seed({"vaults": {scenario.vault: {"secrets": {scenario.secret: seeded}}}})
    assert codes(await nights.night()) == ["due-not-rotated"]
    walk = await nights.killed()
    assert "due-not-rotated" not in codes(await nights.night())
    await nights.company.desk.records().close(walk.rotation.id, "failed")
    assert "due-and-failing" in codes(await nights.night())


async def test_end_that_differs_from_the_credentials_is_told(nights: Nights) -> None:
    """Beyond a minute, for a credential that the issuer's own label proves; one that is gone is told as gone."""
    walk = await nights.killed(published=True)
    await nights.company.desk.records().close(walk.rotation.id, "done")
    nights.engine.instances.clear()
    assert await nights.night() == []
    assert walk.issued
    held = next(p for p in nights.company.application.live() if p.key_id == walk.issued.key_id)
    end = held.end
    for seconds, expected in ((59, []), (-59, []), (61, ["expiry-differs"]), (-61, ["expiry-differs"])):
        held.end = end.fromtimestamp(end.timestamp() + seconds, end.tzinfo)
        assert codes(await nights.night()) == expected
    held.end = end
    nights.company.azure.cloud.directory.remove_password(nights.company.application, held.key_id)
    assert await nights.night() == []
    assert codes(await nights.night(later=0.1)) == ["credential-gone"]


async def test_key_id_that_nobody_proved_is_not_compared(nights: Nights) -> None:
    """A tag is a claim: a key of another label has its own end."""
    now, directory = nights.company.azure.cloud.clock.now(), nights.company.azure.cloud.directory
    by_hand = directory.add_password(nights.company.application, "by hand", now, now.replace(year=now.year + 1))
    await put(nights, nights.company.scenario.secret, await policy(nights) | {names.TAG_KEY_ID: by_hand.key_id})
    assert codes(await nights.night(later=1)) == ["no-expiry"]
