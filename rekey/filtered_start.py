"""Starts the rotations of many secrets at once, chosen by a filter, as many as the limit says and no more.

The oldest versions come first: asking again and again goes through all that match, for what was rotated is young.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from rekey import names
from rekey.clients import Clients
from rekey.model import Reason, RotationRequest
from rekey.model.request import JUDGED
from rekey.operator_requests import bad_input, requester, shown
from rekey.starting import DurableClient, is_busy, start_rotation

if TYPE_CHECKING:
    from rekey.inventory import Item
    from rekey.inventory_filter import Wanted

MOST = 100
"""Rotations of one request, which start at once: a third of what Key Vault takes in ten seconds."""
MANY = 10
"""More than so many are told in digests: the mail service takes a hundred mails an hour."""
AT_ONCE = 16
"""Questions to the durable engine."""
EXPECTED = {
    "filter": "an object with vaults, tags, kind, at least one",
    "limit": f"a whole number from 1 to {MOST}: at most so many are started",
    "reason": f"one of {', '.join(Reason)}",
    "dry_run": "true or false",
    "digest": "true or false",
}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """What a request with a filter asks for. `digest` None: whatever suits the number."""

    wanted: "Wanted"
    limit: int
    reason: Reason
    dry_run: bool
    digest: bool | None
    requested_by: str

    def request(self, item: "Item", number: int) -> RotationRequest:
        """Return the request for one secret of that many."""
        return RotationRequest(
            vault=item.vault,
            secret=item.secret,
            reason=self.reason,
            requested_by=self.requested_by,
            digest=number > MANY if self.digest is None else self.digest,
        )


def read(payload: dict[str, Any], caller: str, clients: Clients) -> Chosen:
    """Return what the body asks for; RefusedError and ScopeError say field, value and what was expected."""
    from rekey import inventory_filter

    for field in payload:
        if field not in EXPECTED:
            raise bad_input(field[:100], "unknown beside filter", ", ".join(EXPECTED))
    if "limit" not in payload:
        raise bad_input("limit", "missing", EXPECTED["limit"])
    limit, dry_run = payload["limit"], payload.get("dry_run", False)
    if type(limit) is not int or not 1 <= limit <= MOST:
        raise bad_input("limit", f"got {shown(limit)}", EXPECTED["limit"])
    for field in ("dry_run", "digest"):
        if field in payload and type(payload[field]) is not bool:
            raise bad_input(field, f"got {shown(payload[field])}", EXPECTED[field])
    if payload.get("reason", Reason.MANUAL) not in list(Reason):
        raise bad_input("reason", f"got {shown(payload['reason'])}", EXPECTED["reason"])
    return Chosen(
        wanted=inventory_filter.of_body(payload["filter"], clients.settings),
        limit=limit,
        reason=Reason(payload.get("reason", Reason.MANUAL)),
        dry_run=dry_run,
        digest=payload.get("digest"),
        requested_by=requester(caller),
    )


async def start(clients: Clients, client: DurableClient, chosen: Chosen) -> dict[str, Any]:
    """Start the rotations and say of each what became of it: started, running, not-started, would-start (a dry run).

    Only managed, enabled secrets count; for a reason that is judged by the date, only those that are due.
    """
    from rekey.inventory_taking import take

    inventory = await take(clients, chosen.wanted.vaults or clients.settings.vaults(), anew=True)
    matching = sorted((i for i in inventory.items if _meant(i, chosen)), key=lambda i: (i.created, i.vault, i.secret))
    first = matching[: chosen.limit]
    instances = await _each(client, first, chosen)
    return {
        "dry_run": chosen.dry_run,
        "matching": len(matching),
        "left_out": len(matching) - len(first),
        "instances": instances,
        "problems": msgspec.to_builtins(inventory.problems),
    }


def _meant(item: "Item", chosen: Chosen) -> bool:
    may_start = item.policy is not None and item.enabled
    return may_start and chosen.wanted.matches(item) and (item.is_due or chosen.reason not in JUDGED)


async def _each(client: DurableClient, items: Iterable["Item"], chosen: Chosen) -> list[dict[str, Any]]:
    limit = asyncio.Semaphore(AT_ONCE)
    items = tuple(items)

    async def one(item: "Item") -> dict[str, Any]:
        async with limit:
            outcome = await _outcome(client, chosen.request(item, len(items)), dry_run=chosen.dry_run)
        instance = names.instance_id(item.vault, item.secret)
        return {"vault": item.vault, "secret": item.secret, "instance": instance, "outcome": outcome}

    return list(await asyncio.gather(*map(one, items)))


async def _outcome(client: DurableClient, request: RotationRequest, *, dry_run: bool) -> str:
    """One that can't be started doesn't stop the others: asking again starts it."""
    try:
        if dry_run:
            busy = await is_busy(client, names.instance_id(request.vault, request.secret))
            return "running" if busy else "would-start"
        _, just_now = await start_rotation(client, request)
    except Exception:  # noqa: BLE001 - the engine's errors have no common class, and may quote the input
        return "not-started"
    return "started" if just_now else "running"
