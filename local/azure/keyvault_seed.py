"""Knows how the `vaults` part of a seed document becomes vaults, roles and versions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from local.azure.clock import Clock
from local.azure.directory import Directory
from local.azure.keyvault_access import OPERATIONS, ROLES
from local.azure.keyvault_state import Secret, Vault, Version
from local.azure.seeds import mapping, parsed

_SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
_RESOURCE_GROUP = "rekey-sim"

type _Moment = Annotated[datetime, msgspec.Meta(tz=True)]
type _SecretName = Annotated[str, msgspec.Meta(pattern="^[0-9a-zA-Z-]{1,127}$")]


class PasswordOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value that is an application's password, counted in the order of seeding."""

    password_of: str
    index: int = 0


class VersionSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of a secret; without a value it gets a fresh one. At most one field says when it expires."""

    value: str | PasswordOf | None = None
    tags: dict[str, str] | None = None
    expires_in_days: float | None = None
    expires: _Moment | None = None
    expires_with_password: bool = False
    not_before: _Moment | None = None
    content_type: str | None = None
    enabled: bool = True
    age_days: float = 0


class VaultSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One vault; `roles` maps an identity's or application's name to a role's name or to operations."""

    roles: dict[str, str | list[str]] = {}
    purge_protection: bool = False
    retention_days: int = 7
    transition_seconds: float = 0.3
    resource_group: str = _RESOURCE_GROUP
    subscription: str = _SUBSCRIPTION
    secrets: dict[str, Any] = {}


@dataclass(frozen=True)
class Stored:
    """A version that seeding stored."""

    vault: Vault
    secret: Secret
    version: Version


class VaultSeeds:
    """Turns seeds into state; names are looked up in the directory, so that it has to be seeded before."""

    def __init__(self, directory: Directory, clock: Clock, new_secret: Callable[[], str]) -> None:
        self._directory, self._clock, self._new_secret = directory, clock, new_secret

    def plant(self, part: Any, vaults: dict[str, Vault]) -> list[Stored]:
        """Add what a seed names to `vaults` and return the versions stored; nothing changes on a ValueError."""
        wanted = [self._vault(name, seed) for name, seed in mapping(part, "vaults").items()]
        stored = []
        for planned, versions in wanted:
            vault = vaults.setdefault(planned.name, planned)
            vault.roles |= planned.roles
            stored += [Stored(vault, vault.store(name, version), version) for name, version in versions]
        return stored

    def _vault(self, name: str, raw: Any) -> tuple[Vault, list[tuple[str, Version]]]:
        at = f"vaults.{name}"
        seed = parsed(raw, VaultSeed, at)
        vault = Vault(
            name.lower(),
            seed.subscription,
            seed.resource_group,
            seed.retention_days,
            seed.purge_protection,
            seed.transition_seconds,
        )
        for who, granted in seed.roles.items():
            vault.roles[self._principal(who, f"{at}.roles")] = _operations(granted, f"{at}.roles.{who}")
        return vault, list(self._versions(seed.secrets, at))

    def _principal(self, name: str, at: str) -> str:
        if name in self._directory.identities:
            return self._directory.identities[name].object_id
        if name in self._directory.applications:
            return self._directory.applications[name].service_principal or ""
        known = sorted([*self._directory.identities, *self._directory.applications])
        raise ValueError(f"{at}: got {name!r}, expected the name of a seeded identity or application: {known}")

    def _versions(self, secrets: dict[str, Any], at: str) -> Iterator[tuple[str, Version]]:
        for name, raw in secrets.items():
            here = f"{at}.secrets.{name}"
            parsed(name, _SecretName.__value__, here)
            for seed in parsed(raw if isinstance(raw, list) else [raw], list[VersionSeed], here):
                yield name, self._version(seed, here)

    def _version(self, seed: VersionSeed, at: str) -> Version:
        value, password_ends = self._value(seed, at)
        created = self._clock.now() - timedelta(days=seed.age_days)
        return Version(
            value=value,
            created=int(created.timestamp()),
            updated=int(created.timestamp()),
            enabled=seed.enabled,
            exp=_seconds(self._expiry(seed, password_ends, at)),
            nbf=_seconds(seed.not_before),
            tags=seed.tags,
            content_type=seed.content_type,
        )

    def _value(self, seed: VersionSeed, at: str) -> tuple[str, datetime | None]:
        if not isinstance(seed.value, PasswordOf):
            return seed.value or self._new_secret(), None
        of, index = seed.value.password_of, seed.value.index
        try:
            value = self._directory.password_value(of, index)
        except ValueError as problem:
            raise ValueError(f"{at}.value: {problem}") from None
        return value, self._directory.application(of).passwords[index].end

    def _expiry(self, seed: VersionSeed, password_ends: datetime | None, at: str) -> datetime | None:
        given = (seed.expires_in_days is not None, seed.expires is not None, seed.expires_with_password)
        if sum(given) > 1:
            raise ValueError(f"{at}: got several of expires_in_days, expires, expires_with_password, expected one")
        if seed.expires_in_days is not None:
            return self._clock.now() + timedelta(days=seed.expires_in_days)
        if seed.expires_with_password:
            if password_ends is None:
                raise ValueError(f"{at}.expires_with_password: got true, expected a value with password_of")
            return password_ends
        return seed.expires


def _operations(granted: str | list[str], at: str) -> frozenset[str]:
    if isinstance(granted, str):
        if granted not in ROLES:
            raise ValueError(f"{at}: got {granted!r}, expected a list of operations or one of {sorted(ROLES)}")
        return ROLES[granted]
    if unknown := sorted(set(granted) - OPERATIONS):
        raise ValueError(f"{at}: got {unknown}, expected some of {sorted(OPERATIONS)}")
    return frozenset(granted)


def _seconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
