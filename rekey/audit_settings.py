"""The settings of watching the vaults: where their audit logs are, who may read by default, which rules apply."""

import re
from collections.abc import Collection, Mapping
from typing import Literal

import msgspec

from rekey.errors import SettingError
from rekey.setting_values import given, json_of

RULES = ("unexpected-reader", "old-version-read", "outside-rekey-change", "sensitive-operation")
"""Every rule there is; each can be switched off."""

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_KEYED = ("AccountKey=", "UseDevelopmentStorage=", "SharedAccessSignature=")


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched; without `storage` nothing is.

    `storage` has the blob services (https origins, or one connection string) that Azure Monitor writes the vaults'
    audit logs to. `readers` maps a vault (lower case) to the application or object ids (lower case) that may read each
    of its secrets that has no `rekey-readers` of its own. `rules` are those that apply.
    """

    storage: tuple[str, ...] = ()
    readers: dict[str, tuple[str, ...]] = {}
    rules: tuple[str, ...] = RULES


def audit(environ: Mapping[str, str], vaults: Collection[str], storage_suffix: str) -> Audit:
    """Return what `environ` says, for those vaults (lower case) alone; SettingError."""
    return Audit(
        storage=_storage(environ, storage_suffix),
        readers=_readers(environ, vaults),
        rules=_rules(environ),
    )


def _storage(environ: Mapping[str, str], suffix: str) -> tuple[str, ...]:
    name = "REKEY_AUDIT_STORAGE"
    text = given(environ, name)
    if any(word in text for word in _KEYED):
        return (text,)
    origin = re.compile(rf"https://[a-z0-9]{{3,24}}\.blob\.{re.escape(suffix)}", re.ASCII)
    found = tuple(dict.fromkeys(part.strip().lower().removesuffix("/") for part in text.split(",") if part.strip()))
    for part in found:
        if not origin.fullmatch(part):
            # It isn't shown: people paste connection strings and SAS URLs here.
            raise SettingError(
                name, f"({len(part)} characters, not shown)", f"blob services, https://<account>.blob.{suffix}"
            )
    return found


def _readers(environ: Mapping[str, str], vaults: Collection[str]) -> dict[str, tuple[str, ...]]:
    name, expected = "REKEY_READERS", "a JSON object: vault -> list of application or object ids (GUIDs)"
    given_to = json_of(name, given(environ, name) or "{}", dict[str, tuple[str, ...]], expected)
    for vault, ids in given_to.items():
        if vault.lower() not in vaults:
            raise SettingError(name, vault, "a vault of REKEY_SCOPES")
        for one in ids:
            if not _ID.fullmatch(one):
                raise SettingError(name, one, expected)
    return {vault.lower(): tuple(one.lower() for one in ids) for vault, ids in given_to.items()}


def _rules(environ: Mapping[str, str]) -> tuple[str, ...]:
    name, expected = "REKEY_AUDIT_RULES", f'a JSON object: "on" or "off" for rules among {", ".join(RULES)}'
    switches = json_of(name, given(environ, name) or "{}", dict[str, Literal["on", "off"]], expected)
    for rule in switches:
        if rule not in RULES:
            raise SettingError(name, rule, expected)
    return tuple(rule for rule in RULES if switches.get(rule, "on") == "on")
