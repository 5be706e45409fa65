"""Starts the rotations of many secrets at once, chosen by a filter, as many as the limit says and no more.

The oldest versions come first: asking again and again goes through all that match, for what was rotated is young.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from rekey import names
from rekey.clients import Clients
from rekey.model import Reason, RotationRequest
from rekey.model.request import JUDGED
from rekey.operator_requests import bad_input, requester, shown
from rekey.starting import DurableClient, start_rotation
from rekey.starting_many import Start, outcomes, read_flag, read_limit

if TYPE_CHECKING:
    from rekey.inventory import Item
    from rekey.inventory_filter import Wanted

MOST = 100
"""Rotations of one request, which start at once: a third of what Key Vault takes in ten seconds."""
MANY = 10
"""More than so many are told in digests: the mail service takes a hundred mails an hour."""
FIELDS = ("filter", "limit", "reason", "dry_run", "digest")


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
        if field not in FIELDS:
            raise bad_input(field[:100], "unknown beside filter", ", ".join(FIELDS))
    limit, dry_run, digest = read_limit(payload, MOST), read_flag(payload, "dry_run"), read_flag(payload, "digest")
    if payload.get("reason", Reason.MANUAL) not in list(Reason):
        raise bad_input("reason", f"got {shown(payload['reason'])}", f"one of {', '.join(Reason)}")
    return Chosen(
        wanted=inventory_filter.of_body(payload["filter"], clients.settings),
        limit=limit,
        reason=Reason(payload.get("reason", Reason.MANUAL)),
        dry_run=bool(dry_run),
        digest=digest,
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


async def _each(client: DurableClient, items: Sequence["Item"], chosen: Chosen) -> list[dict[str, Any]]:
    starts = [
        Start(
            names.instance_id(item.vault, item.secret),
            partial(start_rotation, client, chosen.request(item, len(items))),
        )
        for item in items
    ]
    found = await outcomes(client, starts, dry_run=chosen.dry_run)
    return [
        {"vault": item.vault, "secret": item.secret, "instance": start.instance, "outcome": outcome}
        for item, start, outcome in zip(items, starts, found, strict=True)
    ]
