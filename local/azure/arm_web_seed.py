"""Knows how the `sites` part of a seed document becomes sites, their slots and settings."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from local.azure.arm_web_state import Site
from local.azure.keyvault_seed import PasswordOf
from local.azure.seeds import mapping, parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.azure.cloud import Cloud
    from local.azure.directory import Identity


class SlotSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One slot: settings and identity of its own."""

    settings: dict[str, str | PasswordOf] = {}
    identity: str | None = None


class SiteSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One site. `identity` names a managed identity, which reads its Key Vault references.

    `tells_version` false: answers about references lack `activeVersion`, as they do at times.
    `refresh_seconds`: how long after a refresh was asked for the references are read, by the simulated clock.
    """

    subscription: str = "11111111-1111-1111-1111-111111111111"
    resource_group: str = "rekey-sim"
    location: str = "West Europe"
    kind: Literal["app", "app,linux", "functionapp", "functionapp,linux", "functionapp,workflowapp"] = "app"
    identity: str | None = None
    settings: dict[str, str | PasswordOf] = {}
    sticky: list[str] = []
    slots: dict[str, SlotSeed] = {}
    tells_version: bool = True
    refresh_seconds: float = 0


def sites(cloud: "Cloud", part: Any) -> "Iterator[Site]":
    """Yield the sites of a seed document's part; a ValueError names field and value."""
    for name, raw in mapping(part, "sites").items():
        at = f"sites.{name}"
        seed = parsed(raw, SiteSeed, at)
        site = _site(cloud, name, "", seed, seed, at)
        site.sticky = list(seed.sticky)
        site.slots = {
            slot.lower(): _site(cloud, name, slot, seed, own, f"{at}.slots.{slot}") for slot, own in seed.slots.items()
        }
        yield site


def _site(cloud: "Cloud", name: str, slot: str, seed: SiteSeed, own: SiteSeed | SlotSeed, at: str) -> Site:
    return Site(
        cloud,
        seed.subscription,
        seed.resource_group,
        name,
        slot,
        seed.kind,
        seed.location,
        {key: _value(cloud, value, f"{at}.settings.{key}") for key, value in own.settings.items()},
        _identity(cloud, own.identity, at),
        seed.tells_version,
        timedelta(seconds=seed.refresh_seconds),
    )


def _value(cloud: "Cloud", value: str | PasswordOf, at: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return cloud.directory.password_value(value.password_of, value.index)
    except ValueError as problem:
        raise ValueError(f"{at}: {problem}") from None


def _identity(cloud: "Cloud", name: str | None, at: str) -> "Identity | None":
    if name is None:
        return None
    try:
        return cloud.directory.identity(name)
    except ValueError as problem:
        raise ValueError(f"{at}.identity: {problem}") from None
