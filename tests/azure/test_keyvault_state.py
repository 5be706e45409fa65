"""A secret's life: its phases, what each refuses, and the moment each takes."""

from datetime import UTC, datetime

import pytest

from local.azure.keyvault_access import CREATIONS_PER_WINDOW, WINDOW_SECONDS, Throttle
from local.azure.keyvault_state import REFUSED, Phase, Refusal, RefusedError, Vault, Version
from local.azure.wire import ServiceError

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Time:
    """A machine clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_deletion_ends_by_the_machine_s_clock() -> None:
    """A deleted secret is deleting for the vault's moment, then deleted, then recovering, then active again."""
    time = Time()
    vault = Vault("kv", "sub", "group", transition_seconds=0.3, machine_time=time)
    secret = vault.store("name", Version("v", 0, 0))
    phases = []
    for step in (lambda: vault.delete("name", NOW), lambda: None, lambda: vault.recover("name"), lambda: None):
        step()
        vault.active()
        phases.append(secret.phase)
        time.now += 0.3
    assert phases == [Phase.DELETING, Phase.DELETED, Phase.RECOVERING, Phase.ACTIVE]


def test_purged_name_is_free_after_a_moment() -> None:
    """A name being purged can't be used yet; afterwards it starts over with one version."""
    time = Time()
    vault = Vault("kv", "sub", "group", machine_time=time)
    vault.store("name", Version("v", 0, 0))
    vault.delete("name", NOW)
    time.now += 1
    vault.purge("name")
    with pytest.raises(RefusedError) as refused:
        vault.store("name", Version("w", 0, 0))
    assert refused.value.reason is Refusal.BEING_DELETED
    time.now += 1
    assert len(vault.store("NAME", Version("w", 0, 0)).versions) == 1


def test_only_active_secrets_are_readable() -> None:
    """Every phase but one refuses reading, and no operation is allowed while a purge is under way."""
    assert set(REFUSED["read"]) == set(Phase) - {Phase.ACTIVE}
    assert all(Phase.PURGING in refused for refused in REFUSED.values())


def test_window_slides() -> None:
    """The limit of creations holds for any ten seconds, per vault, and refused requests don't count."""
    time = Time()
    throttle = Throttle(lambda count, seconds: (count, seconds), now=time)
    for _ in range(CREATIONS_PER_WINDOW):
        throttle.count("kv", creation=True)
    for _ in range(2):
        with pytest.raises(ServiceError) as refused:
            throttle.count("kv", creation=True)
    assert (refused.value.status, refused.value.headers) == (429, {})
    throttle.count("other", creation=True)
    throttle.count("kv", creation=False)
    time.now += WINDOW_SECONDS
    throttle.count("kv", creation=True)
