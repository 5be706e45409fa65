"""Step find_due: what one vault's listing says is due by policy, whether or not an event ever came."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import azure.durable_functions as df

from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Finding
from rekey.model.sweep import Look, Looked

if TYPE_CHECKING:
    from rekey.inventory import Item
    from rekey.sweep import Due, Found

blueprint = df.Blueprint()


@blueprint.activity_trigger(input_name="payload", activity=names.FIND_DUE)
async def find_due_step(payload: dict) -> dict:
    """Look at the properties of every secret of a vault, never at a value."""
    return await run_unrecorded(names.FIND_DUE, Look, find, payload)


async def find(desk: Desk, look: Look) -> Looked:
    """Keep the names of what is due and what is wrong with tags; return only how many there are."""
    from rekey.inventory import judge

    now = datetime.now(UTC)
    items = [judge(look.vault, listed, desk.settings, now) async for listed in desk.vault(look.vault).listing()]
    await desk.sweeps(look.run_id).keep_found(look.vault, _found(items))
    return Looked(counts=_counts(items))


def _found(items: Iterable["Item"]) -> "Found":
    from rekey.inventory import Care
    from rekey.sweep import Found

    return Found(
        due=tuple(_due(item) for item in items if item.is_due),
        findings=tuple(_bad(item) for item in items if item.care == Care.BAD_POLICY),
    )


def _due(item: "Item") -> "Due":
    from rekey.sweep import Due

    kind = item.policy.credential.kind if item.policy else ""
    return Due(vault=item.vault, secret=item.secret, kind=kind, expires=item.expires or item.created)


def _bad(item: "Item") -> Finding:
    """What the tags hold isn't quoted: nobody has read the value that might have been pasted into one."""
    return Finding(
        code="bad-policy",
        vault=item.vault,
        secret=item.secret,
        message=item.why,
        what_to_do=f"It isn't rotated until they are corrected: python -m rekey check-tags {item.vault} {item.secret}",
    )


def _counts(items: list["Item"]) -> dict[str, int]:
    from rekey.inventory import Care

    sorts = {Care.MANAGED: "managed", Care.BAD_POLICY: "with tags that can't be used", Care.UNTAGGED: "not tagged"}
    counts = Counter(sorts[item.care] for item in items)
    return {"secrets": len(items), **counts, "due": sum(item.is_due for item in items)}
