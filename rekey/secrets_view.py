"""What operators are shown of the inventory: the JSON of `GET /api/secrets`, page by page. Properties only, no values.

Tags aren't shown, only what a valid policy makes of them: people paste passwords into tags.
"""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from rekey.clients import Clients
from rekey.errors import RekeyError
from rekey.operator_requests import bad_input, shown

if TYPE_CHECKING:
    from rekey.inventory import Item
    from rekey.records import Summary

USUAL, MOST = 200, 1000
"""Secrets on a page."""
ADDRESS = frozenset({"code", "clientid"})
"""What the host itself reads of a query: a function's key and its name."""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the inventory: at most `top` secrets after that place."""

    top: int = USUAL
    after: tuple[str, str] = ("", "")

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Page":
        """Return the page that a query asks for; RefusedError."""
        top = query.get("top") or str(USUAL)
        if not re.fullmatch(r"[0-9]{1,4}", top) or not 1 <= int(top) <= MOST:
            raise bad_input("top", f"got {shown(top)}", f"a number from 1 to {MOST}")
        return cls(top=int(top), after=_place(query.get("continuation", "")))


async def page(clients: Clients, query: Mapping[str, str]) -> dict[str, Any]:
    """Return one page of the secrets that a query asks for, each with its newest rotation, and what wasn't seen.

    `continuation` asks for the next page and is null on the last; the order is by vault and name. The first page lists
    the vaults anew, the following ones share a listing that is at most five minutes old.
    """
    from rekey import inventory_filter, inventory_taking

    known = (*inventory_filter.QUERY, "top", "continuation")
    for name in query:
        if name not in known and name.lower() not in ADDRESS:
            raise bad_input(name[:100], "unknown", ", ".join(known))
    wanted, asked = inventory_filter.of_query(query, clients.settings), Page.of(query)
    vaults = wanted.vaults or clients.settings.vaults()
    inventory = await inventory_taking.take(clients, vaults, anew=asked.after == ("", ""))
    matching = [item for item in inventory.items if wanted.matches(item)]
    rest = [item for item in matching if inventory_taking.place(item) > asked.after]
    last, problems = await _last(clients)
    return {
        "secrets": [_secret(item, last, datetime.now(UTC)) for item in rest[: asked.top]],
        "matching": len(matching),
        "continuation": _token(rest[asked.top - 1]) if len(rest) > asked.top else None,
        "problems": msgspec.to_builtins((*inventory.problems, *problems)),
    }


async def _last(clients: Clients) -> tuple[dict[tuple[str, str], "Summary"], list[Any]]:
    """Return each secret's newest rotation, or why that isn't known."""
    from rekey.inventory_taking import problem
    from rekey.records import Records

    try:
        newest_first = await Records(clients.container()).listing()
    except RekeyError as error:
        return {}, [problem(error)]
    found: dict[tuple[str, str], Summary] = {}
    for summary in newest_first:
        found.setdefault((summary.vault.lower(), summary.secret.lower()), summary)
    return found, []


def _secret(item: "Item", last: Mapping[tuple[str, str], "Summary"], now: datetime) -> dict[str, Any]:
    policy, newest = item.policy, last.get((item.vault, item.secret))
    found: dict[str, Any] = msgspec.to_builtins(
        {
            "vault": item.vault,
            "secret": item.secret,
            "care": item.care,
            "enabled": item.enabled,
            "kind": policy.credential.kind if policy else None,
            "target": policy.credential.target if policy else None,
            "created": item.created,
            "age_days": max(0, (now - item.created).days),
            "expires": item.expires,
            "due": item.is_due,
            "due_from": item.due_from,
            "why": item.why,
            "bad_tags": item.bad_tags,
            "consumers": [consumer.uri for consumer in policy.consumers] if policy else [],
            "owners": policy.owners if policy else (),
            "last": _rotation(newest) if newest else None,
        }
    )
    return found


def _rotation(newest: "Summary") -> dict[str, Any]:
    """Return the newest rotation of a secret; `result` is empty while it is open."""
    return {field: getattr(newest, field) for field in ("rotation_id", "state", "result", "opened")}


def _token(item: "Item") -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode([item.vault, item.secret])).decode().rstrip("=")


def _place(token: str) -> tuple[str, str]:
    if not token:
        return "", ""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=tuple[str, str])
    except ValueError:  # msgspec's errors, too
        raise bad_input("continuation", f"got {shown(token)}", "what the page before said") from None
