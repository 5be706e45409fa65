"""Judges a finished rotation by what the simulated services themselves hold and answer, never by what the app says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.changes import unexpected
from local.company import Company
from local.kinds.ports import Judgement, Judgements
from local.scenario import Scenario
from local.seen import Seen, look
from local.stack import Stack
from rekey import names
from rekey.model import NoticeKind
from rekey.records import CLOSED

NOTICES = ("starting", "switched", "done")
"""What the owner is mailed of a rotation that goes well."""


@dataclass(frozen=True)
class Check:
    """One thing that has to hold, and what was seen of it; `seen` never has a secret value."""

    name: str
    ok: bool
    seen: str


def judge(stack: Stack, before: dict[str, Any], extra: Mapping[str, bytes] | None = None) -> list[Check]:
    """Look at a company whose rotation has ended and judge it.

    `before` is `stack.control.state()` right after the secret was stored; `extra` are more places to search for leaks.
    """
    return checks(look(stack, before, extra or {}))


def checks(seen: Seen) -> list[Check]:
    """Judge; what can't be found where it has to be makes its check fail."""
    return [_check(name, judgement, seen) for name, judgement in judgements(seen.scenario).items()]


def judgements(scenario: Scenario) -> Judgements:
    """Return what has to hold of a rotation: of every one, and of what this company's credential and consumers are."""
    of = scenario.credential
    staged = "the staged value is deleted and purged" if of.staged else "nothing is left in the staging vault"
    return {
        "the newest version is new, and enabled": _newest_enabled,
        **of.of_the_new(),
        **{name: judged for consumer in scenario.consumers for name, judged in consumer.judgements().items()},
        "the old version is disabled": _old_disabled,
        staged: _staging_empty,
        **of.of_the_old(),
        "policy tags are kept": _tags_kept,
        "the version names its rotation and key": _tagged,
        **of.of_the_version(),
        "each mail went once, to the right people": _mails,
        "nothing else in the company changed": _nothing_else,
        "the evidence is stored, closed as done": _record_closed,
        "however often the event came: one rotation": _one_rotation,
        "no secret leaked anywhere": _no_leak,
    }


def _check(name: str, judgement: Judgement, seen: Seen) -> Check:
    try:
        ok, what = judgement(seen)
    except LookupError as missing:
        return Check(name, ok=False, seen=f"not there: {missing}")
    return Check(name, ok, what)


def _newest_enabled(seen: Seen) -> tuple[bool, str]:
    rotated = seen.new.id != seen.old.id
    state = "enabled" if seen.new.enabled else "disabled"
    return rotated and seen.new.enabled, f"version {seen.new.id}, {state}{'' if rotated else ', the one from before'}"


def _old_disabled(seen: Seen) -> tuple[bool, str]:
    old = {version.id: version for version in seen.versions}[seen.old.id]
    return not old.enabled, f"version {old.id}, {'enabled' if old.enabled else 'disabled'}"


def _staging_empty(seen: Seen) -> tuple[bool, str]:
    staging = seen.company.keyvault.vaults[seen.scenario.staging]
    left = sorted([*staging.secrets, *staging.deleted])
    ok = not left and bool(staging.purged) == seen.scenario.credential.staged
    return ok, f"purged: {', '.join(staging.purged) or 'nothing'}; left: {left or 'none'}"


def _tags_kept(seen: Seen) -> tuple[bool, str]:
    lost = sorted(name for name, value in seen.old.tags.items() if seen.new.tags.get(name) != value)
    added = sorted(set(seen.new.tags) - set(seen.old.tags))
    ok = not lost and set(added) <= {names.TAG_ROTATION_ID, names.TAG_KEY_ID}
    return ok, f"{len(seen.old.tags) - len(lost)} kept; lost or changed: {_list(lost)}; added: {_list(added)}"


def _tagged(seen: Seen) -> tuple[bool, str]:
    published, tags = seen.scenario.credential.key_id(seen.company, seen.new.value), seen.new.tags
    rotation, key = tags.get(names.TAG_ROTATION_ID, ""), tags.get(names.TAG_KEY_ID, "")
    known = rotation in {record.rotation_id for record in seen.records}
    ok = published == key and known
    return ok, f"{names.TAG_ROTATION_ID}={rotation or 'missing'}, {names.TAG_KEY_ID}={key or 'missing'}"


def _mails(seen: Seen) -> tuple[bool, str]:
    """Each notice once to each person it concerns, whether as one mail or several; alerts are no rotation's."""
    owner, third_parties = seen.scenario.owner, seen.scenario.third_parties
    due = Counter([*((kind, owner) for kind in NOTICES), *(("switched", to) for to in third_parties)])
    outbox = [mail for mail in seen.company.email.outbox if mail.kind() != NoticeKind.ALERT]
    sent = Counter((mail.kind(), to) for mail in outbox for to in mail.recipients())
    repeated = sum(mail.duplicates for mail in outbox)
    told = ", ".join(f"{kind} to {to}" + (f" {times} times" if times > 1 else "") for (kind, to), times in sent.items())
    return sent == due and not repeated, f"{told or 'no mail'}; sent again: {repeated}"


def _nothing_else(seen: Seen) -> tuple[bool, str]:
    changed = unexpected(seen.scenario, seen.before, seen.after)
    return not changed, f"changed: {', '.join(changed)}" if changed else "all other objects are as before"


def _record_closed(seen: Seen) -> tuple[bool, str]:
    told = [f"{names.record_blob(r.rotation_id)} {r.state} {r.result}".strip() for r in seen.records]
    ok = bool(seen.records) and all((r.state, r.result) == (CLOSED, "done") for r in seen.records)
    return ok, "; ".join(told) or "no record"


def _one_rotation(seen: Seen) -> tuple[bool, str]:
    scenario, before = seen.scenario, Company.of(seen.before)
    copies = seen.company.copies("SecretNearExpiry", seen.old.id)
    versions = len(seen.versions) - len(before.keyvault.vaults[scenario.vault].secrets[scenario.secret].versions)
    makes, what = scenario.credential.makes
    made = scenario.credential.made(seen.company) - scenario.credential.made(before)
    ok = (len(seen.records), versions, made) == (1, 1, makes) and bool(copies)
    told = f"{_count(len(seen.records), 'rotation')}, {_count(versions, 'version')}, {_count(made, what)}"
    return ok, f"{_count(len(copies), 'copy', 'copies')} of the event delivered, {told}"


def _no_leak(seen: Seen) -> tuple[bool, str]:
    return not seen.leaks, "; ".join(map(str, seen.leaks)) or "nothing found"


def _list(found: Sequence[str]) -> str:
    return ", ".join(found) or "none"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
