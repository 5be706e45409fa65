"""Step find_due: what one vault's listing says is due by policy, whether or not an event ever came."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from activities.blueprint import blueprint
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model import Finding
from rekey.model.sweep import Look, Looked

if TYPE_CHECKING:
    from rekey.inventory import Item
    from rekey.sweep import Due, Found


@blueprint.activity_trigger(input_name="payload", activity=names.FIND_DUE)
async def find_due_step(payload: dict) -> dict:
    """Look at the properties of every secret of a vault, never at a value."""
    return await run_unrecorded(names.FIND_DUE, Look, find, payload)


async def find(desk: Desk, look: Look) -> Looked:
    """Keep the names of what is due and what is wrong with tags; return only how many there are."""
    from rekey.inventory import judge

    now = datetime.now(UTC)
    items, broken = [], []
    async for listed in desk.vault(look.vault).listing():
        try:
            items.append(judge(look.vault, listed, desk.settings, now))
        except Exception as error:  # noqa: BLE001 - a kind that can't be loaded, say: one secret stops no other
            broken.append(_broken(look.vault, listed.name, error))
    quiet = await _quiet(desk, items, now)
    due = [_due(item, quiet=_name(item) in quiet) for item in items if item.is_due]
    await desk.sweeps(look.run_id).keep_found(look.vault, _found(items, [*due, *await _untold(desk, items)], broken))
    return Looked(counts=_counts(items, len(broken), sum(one.quiet for one in due)))


async def _quiet(desk: Desk, items: Iterable["Item"], now: datetime) -> frozenset[tuple[str, str]]:
    """Return the secrets whose last rotation found nothing left to rotate; asked only if something is due at all."""
    from rekey import nothing_left

    if not any(item.is_due for item in items):
        return frozenset()
    return nothing_left.lately(await desk.records().listing(), now)


async def _untold(desk: Desk, items: Iterable["Item"]) -> list["Due"]:
    """Return what is to be started so that owners hear of bad tags, in versions that no sweep has started before."""
    from rekey.inventory import Care
    from rekey.notices.told import Told

    told = Told(desk.clients.container())
    bad = [_due(item) for item in items if item.care == Care.BAD_POLICY]
    return [due for due in bad if not await told.before(due.once)]


def _found(items: Iterable["Item"], due: Iterable["Due"], broken: Iterable[Finding]) -> "Found":
    from rekey.inventory import Care
    from rekey.sweep import Found

    return Found(
        due=tuple(due),
        findings=(*broken, *(_bad(item) for item in items if item.care == Care.BAD_POLICY)),
    )


def _name(item: "Item") -> tuple[str, str]:
    return item.vault.lower(), item.secret.lower()


def _due(item: "Item", *, quiet: bool = False) -> "Due":
    from rekey.due import end_of
    from rekey.sweep import Due

    ends = end_of(item.policy, item.created, item.expires) if item.policy else item.expires
    kind = item.policy.credential.kind if item.policy else ""
    once = "" if item.policy else f"bad tags {item.vault} {item.secret} {item.created.isoformat()}"
    return Due(vault=item.vault, secret=item.secret, kind=kind, expires=ends or item.created, once=once, quiet=quiet)


def _bad(item: "Item") -> Finding:
    """What the tags hold isn't quoted: nobody has read the value that might have been pasted into one."""
    return Finding(
        code="bad-policy",
        vault=item.vault,
        secret=item.secret,
        message=item.why,
        what_to_do="Correct the tags. What was expected: az keyvault secret show --vault-name <vault> --name <secret> "
        "| python -m rekey check-tags -",
    )


def _broken(vault: str, secret: str, error: Exception) -> Finding:
    """The error's own text may quote anything."""
    return Finding(
        code="not-judged",
        vault=vault,
        secret=secret.lower(),
        message=f"whether it is due could not be found out ({type(error).__name__})",
        what_to_do="Start its rotation by hand, and report this: it is a defect of Rekey or of its installation.",
    )


def _counts(items: list["Item"], broken: int, quiet: int = 0) -> dict[str, int]:
    from rekey.inventory import Care

    sorts = {Care.MANAGED: "managed", Care.BAD_POLICY: "with tags that can't be used", Care.UNTAGGED: "not tagged"}
    counts = Counter(sorts[item.care] for item in items)
    none = {"with nothing left to rotate": quiet} if quiet else {}
    return {"secrets": len(items) + broken, **counts, **none, "due": sum(item.is_due for item in items) - quiet}
