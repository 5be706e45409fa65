"""What is written about a vault's groups: a letter to the owners of a secret, or one on all of it to the operators."""

import uuid
from collections.abc import Sequence

import msgspec

from rekey.audit.access import Caller
from rekey.audit.meanings import meaning
from rekey.audit.ports import Severity
from rekey.audit.state import MANY, Group, Letter, State
from rekey.model import Finding, Notice, NoticeKind
from rekey.model.audit import Place
from rekey.model.notice import Sighting, cut
from rekey.notices.sightings import sentence, who

MOST_LETTERS = 5
"""Mails of one pass about one vault; more to tell than that is told in one, to the operators alone."""

_NAMESPACE = uuid.UUID("8f6f0a52-1a0e-4f5c-9d38-0c1f6f6b7c55")  # never changed: the same letter has the same id


def letters(state: State, place: Place, keys: Sequence[str], room: int) -> tuple[Letter, ...]:
    """Return what tells those groups: each in a letter, or all in one if there is no room for so many."""
    if len(keys) > min(MOST_LETTERS, room) and len(keys) > 1:
        return (_digest(state, place, keys),)
    return tuple(_letter(state, place, key) for key in keys)


def _letter(state: State, place: Place, key: str) -> Letter:
    group, identity = state.groups[key], _identity(state, place, [key])
    means = meaning(group.rule)
    notice = Notice(
        kind=NoticeKind.ALERT,
        rotation_id=identity,
        vault=state.vault,
        secret=_secret(group),
        to=(),
        code=group.rule,
        message=means.explanation,
        what_to_do=means.what_to_do,
        sighting=_sighting(group),
        remarks=_remarks(group),
    )
    return Letter(id=identity, notice=notice, groups=(key,), owners=group.owners)


def _digest(state: State, place: Place, keys: Sequence[str]) -> Letter:
    """Tell all of it in one mail: whose secrets it names may be anybody's, so that no owner gets it."""
    identity = _identity(state, place, keys)
    groups = sorted((state.groups[key] for key in keys), key=_weight)
    notice = Notice(
        kind=NoticeKind.ALERT,
        rotation_id=identity,
        vault=state.vault,
        secret="",
        to=(),
        counts={"times": sum(group.times for group in groups), "refused": sum(group.refused for group in groups)},
        findings=cut([_finding(state.vault, group) for group in groups], "Query the audit log itself for the rest."),
    )
    return Letter(id=identity, notice=notice, groups=tuple(keys))


def _weight(group: Group) -> int:
    """Return the place of what is bad among what is worse, which a mail shows first, and never cuts off."""
    return [*Severity].index(meaning(group.rule).severity)


def _finding(vault: str, group: Group) -> Finding:
    means, seen = meaning(group.rule), _sighting(group)
    return Finding(
        code=group.rule,
        vault=vault,
        secret=_secret(group),
        subject=who(seen),
        message=" ".join((sentence(seen), *_remarks(group))),
        what_to_do=f"{means.explanation} {means.what_to_do}",
    )


def _sighting(group: Group) -> Sighting:
    return Sighting(
        severity=meaning(group.rule).severity,
        app_id=group.caller.app_id,
        object_id=group.caller.object_id,
        name=group.caller.name,
        first=group.first,
        last=group.last,
        times=group.times,
        refused=group.refused,
        addresses=group.addresses,
        operations=group.operations,
    )


def _secret(group: Group) -> str:
    return "" if group.secret == MANY else group.secret


def _remarks(group: Group) -> tuple[str, ...]:
    if group.secret != MANY:
        return ()
    who = "this caller and others" if group.caller == Caller() else "this caller"
    return (f"There is so much of it that what {who} did to many secrets is counted together.",)


def _identity(state: State, place: Place, keys: Sequence[str]) -> str:
    """Return the id of the letter that tells these groups now, the same whenever it is written."""
    facts = [place.account, place.prefix, [(key, state.groups[key].told) for key in keys]]
    return str(uuid.uuid5(_NAMESPACE, msgspec.json.encode(facts).decode()))
