"""Which secrets of the inventory somebody asks for: by vault, tag, kind, care, date; from a query or from JSON."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from rekey.inventory import Care, Item
from rekey.operator_requests import bad_input, shown
from rekey.registry import CREDENTIAL_KINDS
from rekey.settings import Settings

QUERY = {
    "vault": "one of the vaults in REKEY_SCOPES",
    "care": f"one of {', '.join(Care)}",
    "kind": f"one of {', '.join(CREDENTIAL_KINDS)}",
    "due": "true or false",
    "never-expires": "true or false",
    "tag": "a tag's name, or name:value",
}
BODY = {
    "vaults": "a list of vaults in REKEY_SCOPES, at least one",
    "tags": "an object of tag names, each with a value, or null for any; at least one",
    "kind": QUERY["kind"],
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a secret has to be; what is empty or None doesn't count. A tag's value None stands for any."""

    vaults: tuple[str, ...] = ()
    tags: dict[str, str | None] = {}
    kind: str = ""
    care: str = ""
    due: bool | None = None
    never_expires: bool | None = None

    def matches(self, item: Item) -> bool:
        """Tell whether a secret of the inventory is meant."""
        return (
            (not self.vaults or item.vault in self.vaults)
            and all(self._tagged(item, name) for name in self.tags)
            and (not self.kind or (item.policy is not None and item.policy.credential.kind == self.kind))
            and self.care in {"", item.care}
            and self.due in {None, item.is_due}
            and self.never_expires in {None, item.expires is None}
        )

    def _tagged(self, item: Item, name: str) -> bool:
        return name in item.tags and self.tags[name] in {None, item.tags[name]}


def of_query(query: Mapping[str, str], settings: Settings) -> Wanted:
    """Return what a query asks for; RefusedError and ScopeError name parameter, value and what was expected."""
    return Wanted(
        vaults=_vaults([query["vault"]], settings) if query.get("vault") else (),
        care=_among(query, "care", tuple(Care)),
        kind=_among(query, "kind", tuple(CREDENTIAL_KINDS)),
        due=_flag(query, "due"),
        never_expires=_flag(query, "never-expires"),
        tags=_tag(query.get("tag", "")),
    )


def of_body(found: Any, settings: Settings) -> Wanted:
    """Return what the JSON object `filter` asks for, which can't be all there is."""
    expected = f"an object with {', '.join(BODY)}, at least one"
    if not isinstance(found, dict) or not found:
        raise bad_input("filter", f"got {shown(found)}", expected)
    for name, value in found.items():
        if name not in BODY:
            raise bad_input(f"filter.{name}"[:100], "unknown", ", ".join(BODY))
        if not _GOOD[name](value):
            raise bad_input(f"filter.{name}", f"got {shown(value)}", BODY[name])
    return Wanted(
        vaults=_vaults(found.get("vaults", ()), settings), tags=found.get("tags", {}), kind=found.get("kind", "")
    )


_GOOD: Mapping[str, Callable[[Any], bool]] = {
    "vaults": lambda value: bool(value) and isinstance(value, list) and all(isinstance(v, str) for v in value),
    "tags": lambda value: (
        bool(value) and isinstance(value, dict) and all(v is None or isinstance(v, str) for v in value.values())
    ),
    "kind": lambda value: isinstance(value, str) and value in CREDENTIAL_KINDS,
}


def _vaults(names: list[str] | tuple[str, ...], settings: Settings) -> tuple[str, ...]:
    for name in names:
        settings.scope_of(name)
    return tuple(dict.fromkeys(name.lower() for name in names))


def _among(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = query.get(name, "")
    if value and value not in choices:
        raise bad_input(name, f"got {shown(value)}", QUERY[name])
    return value


def _flag(query: Mapping[str, str], name: str) -> bool | None:
    value = _among(query, name, ("true", "false"))
    return None if not value else value == "true"


def _tag(text: str) -> dict[str, str | None]:
    name, colon, value = text.partition(":")
    if text and not name:
        raise bad_input("tag", f"got {shown(text)}", QUERY["tag"])
    return {name: value if colon else None} if text else {}
