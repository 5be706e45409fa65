"""Step find_unwell_secrets: what one vault's listing says is wrong, and what its newest versions claim to hold."""

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.looking import VAULT
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Finding
from rekey.model.night import Looked, Part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rekey.inventory import Item
    from rekey.reconcile.memory import Memory

MOST_LOOKS = 500
"""Secrets whose versions one activity looks through, one after the other: the vault takes 4,000 requests in 10 s."""


@blueprint.activity_trigger(input_name="payload", activity=names.FIND_UNWELL_SECRETS)
async def find_unwell_secrets_step(payload: dict) -> dict:
    """Look at the properties of every secret of a vault, never at a value."""
    return await run_unrecorded(names.FIND_UNWELL_SECRETS, Part, find, payload)


async def find(desk: Desk, part: Part) -> Looked:
    """Keep the vault's findings, references and overdue secrets; return numbers, and whether to be called again."""
    from rekey.inventory import judge
    from rekey.reconcile import secrets
    from rekey.reconcile.memory import Memory, Result

    now = datetime.now(UTC)
    items = [judge(part.vault, listed, desk.settings, now) async for listed in desk.vault(part.vault).listing()]
    memory = Memory(desk.clients.container())
    lost, more = await _lost(desk, part.vault, items, memory)
    findings = [finding for item in items for finding in secrets.findings(item)] + lost
    references = filter(None, map(secrets.reference, items))
    due = filter(None, (secrets.due(item, now) for item in items))
    result = Result(findings=tuple(findings), references=tuple(references), due=tuple(due))
    await memory.keep(part.run_id, f"{VAULT}{part.vault}", result)
    return Looked(findings=len(findings), counts=_counts(items), more=more)


async def _lost(desk: Desk, vault: str, items: "Iterable[Item]", memory: "Memory") -> tuple[list[Finding], bool]:
    """Look into the versions of secrets without a policy, once for each newest version."""
    from rekey.inventory import Care
    from rekey.reconcile.memory import Look
    from rekey.reconcile.secrets import had_policy, lost_policy

    bare = {item.secret: item for item in items if item.care is Care.UNTAGGED}
    before = await memory.looks(vault)
    looks = {name: before[name] for name in bare if name in before and before[name].created == bare[name].created}
    new = [name for name in bare if name not in looks]
    for name in new[:MOST_LOOKS]:
        created, versions = bare[name].created, await desk.vault(vault).versions(name)
        looks[name] = Look(created=created, had_policy=had_policy(vault, versions, created, desk.settings))
    if looks != before:
        await memory.keep_looks(vault, looks)
    return [lost_policy(vault, name) for name, look in looks.items() if look.had_policy], len(new) > MOST_LOOKS


def _counts(items: "list[Item]") -> dict[str, int]:
    cares = Counter(item.care for item in items)
    return {"secrets": len(items), **{str(care): number for care, number in cares.items()}}
