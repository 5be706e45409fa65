"""What may become of a rotation: every branch worth a recorded history, by name, on the scripted engine."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec

from rekey import names
from rekey.model import (
    BadPolicy,
    ConsumerResult,
    Ok,
    Outcome,
    Permanent,
    Published,
    Reading,
    Retired,
    RetryAfter,
    Span,
    Undone,
    UseCheck,
    When,
    encode,
)
from tests.orchestrators.engine import BEGIN, Engine
from tests.orchestrators.scripts import BUSY, DIES, FEDERATED, INSTANCE, LOST, NEW, READER, REFUSED, World, for_ever

THROTTLED = RetryAfter("throttled", "too many requests", 42.0)
NOT_YET = RetryAfter("not-yet", "a new password is refused until every replica knows it", 5.0)
SUPERSEDED = Permanent("superseded", "somebody else wrote a newer version")
PUBLISHED = Published(version=NEW, expires=BEGIN + timedelta(days=180))
LEFT_ALONE = "The old password was made by hand and isn't adopted: it is left until it expires."
FIRST = ConsumerResult(uri="toy://place/0", confirmed_by="a sign-in")
USED = Ok(encode(UseCheck(checked=True, used_by=("application app-shop",), last=BEGIN + timedelta(days=6))))
USED_IN_VAIN = Ok(encode(UseCheck(checked=True, used_by=("application app-shop",), refused=(READER,))))
HALF_A_DAY = timedelta(hours=12)


type Situation = Callable[[str], Engine]
"""Runs orchestrations of that version to their end, and returns the engine they ran on."""


def _rotation(make: Callable[[], World], instance: str = INSTANCE, given: Any = None) -> Situation:
    def run(version: str) -> Engine:
        world = make()
        world.engine.version = version
        world.run(instance, given)
        return world.engine

    return run


def _with(**policy: Any) -> World:
    world = World()
    world.policy = msgspec.structs.replace(world.policy, **policy)
    return world


def _one_consumer(step: str, *outcomes: Outcome | str) -> World:
    """Let the second of three consumers fail at a step."""
    world = World(consumers=3)
    left = iter(outcomes)

    def judge(name: str, payload: Any) -> Any:
        return next(left, None) if name == step and payload["target"]["uri"].endswith("/1") else None

    world.judge = judge
    return world


def _at_retire(world: World) -> World:
    world.policy = msgspec.structs.replace(world.policy, disable_old="at-retire")
    return world


def _notice(kind: str, outcome: Outcome, *, kept: bool = True) -> World:
    """Let one notice not go out; `kept`: the outbox takes it."""
    world = World(reason="leak")
    world.judge = lambda name, payload: (
        outcome
        if name == names.NOTIFY_OWNERS and payload["notice"]["kind"] == kind and not (kept and payload["keep"])
        else None
    )
    return world


def _outlived(step: str) -> World:
    return World(lifetime_left=HALF_A_DAY).says(step, for_ever(REFUSED))


def _everything(trouble: str | Outcome) -> World:
    """Let every step meet a passing trouble once."""
    world = World()
    steps = [value for name, value in vars(names).items() if name.isupper() and isinstance(value, str)]
    for step in steps:
        world.says(step, trouble)
    return world


def _published_after_all() -> World:
    undone = Ok(encode(Undone(published=PUBLISHED)))
    return World().says(names.SET_SECRET_VERSION, REFUSED).says(names.UNDO_GENERATION, undone)


def _bad_tags() -> World:
    errors = ("rekey-grace: got 'x', expected an ISO 8601 duration",)
    return World(reading=Reading(bad=BadPolicy(version="v1", errors=errors, owners=("ada@contoso.example",))))


def _looked_for_twice(*, undone: bool) -> World:
    if undone:
        found = Ok(encode(Undone(removed=("new-key",), look_again=True)))
        return World().says(names.VERIFY_CREDENTIAL, REFUSED).says(names.UNDO_GENERATION, found)
    return World().says(names.RETIRE_OLD_CREDENTIAL, Ok(encode(Retired(removed=("old-key",), look_again=True))))


def _left_alone() -> World:
    return World().says(names.RETIRE_OLD_CREDENTIAL, Ok(encode(Retired(remark=LEFT_ALONE))))


def _by_hand(acknowledged_after: timedelta | None, *, heard: bool = True, **more: Any) -> World:
    """Let one of two consumers be somebody who has to act; `heard`: an event says when that is acknowledged."""
    world = World(whens=(When.WITH_OTHERS, When.BY_HAND), acknowledged_after=acknowledged_after, **more)
    if heard and acknowledged_after:
        world.engine.raise_event(INSTANCE, names.DECISION_EVENT, acknowledged_after)
    return world


def _tried_out(*outcomes: Outcome | str) -> World:
    """Let the second consumer try out what the first one holds."""
    return World(whens=(When.WITH_OTHERS, When.AFTER_OTHERS)).says(names.CONFIRM_CONSUMER, Ok(encode(FIRST)), *outcomes)


def _refused(after: timedelta, *, noted: bool = True, by_hand: timedelta | None = None) -> World:
    """Let an event come; `noted`: the record says which reader was refused the old version.

    `by_hand`: somebody has to act, and acknowledges that then.
    """
    world = _by_hand(by_hand) if by_hand else World()
    world.refused_after = after if noted else None
    world.engine.raise_event(INSTANCE, names.DECISION_EVENT, after)
    return world


def _keyless(keyless: int = 0) -> World:
    """Let the first of two consumers need no key when it is its turn; `keyless`: that was known before."""
    world = World(consumers=2, keyless=keyless)
    needs_none = Ok(encode(ConsumerResult(uri="toy://place/0", keyless=FEDERATED)))
    world.judge = lambda name, payload: (
        needs_none if name == names.UPDATE_CONSUMER and payload["target"]["uri"] == needs_none.value["uri"] else None
    )
    return world


BAD_INPUT = {"vault": "kv-shop", "secret": "Deploy", "reason": "fun"}


def _long() -> World:
    world = World(lifetime_left=timedelta(days=60))
    world.policy = msgspec.structs.replace(world.policy, grace=Span(months=1))
    return world


ROTATIONS: dict[str, Situation] = {
    # All goes well.
    "done-one-consumer": _rotation(World),
    "done-two-consumers": _rotation(lambda: World(consumers=2)),
    "done-no-consumers": _rotation(lambda: World(consumers=0)),
    "done-leak": _rotation(lambda: World(reason="leak")),
    "done-disabled-at-retire": _rotation(lambda: _with(disable_old="at-retire")),
    "done-grace-of-months": _rotation(_long),
    "done-grace-cut-short": _rotation(lambda: World(lifetime_left=timedelta(days=2))),
    "done-adopted": _rotation(lambda: _with(adopt=True)),
    "done-left-alone": _rotation(_left_alone),
    "done-tried-out": _rotation(lambda: World(whens=(When.AFTER_OTHERS, When.WITH_OTHERS))),
    # Somebody has to act by hand.
    "acknowledged-in-grace": _rotation(lambda: _by_hand(timedelta(days=2))),
    "acknowledged-after-grace": _rotation(lambda: _by_hand(timedelta(days=9))),
    "acknowledged-unheard": _rotation(lambda: _by_hand(timedelta(days=9), heard=False)),
    "acknowledged-leak": _rotation(lambda: _by_hand(timedelta(hours=2), reason="leak")),
    "never-acknowledged": _rotation(lambda: _by_hand(None, lifetime_left=timedelta(days=9))),
    "decisions-unread": _rotation(lambda: _by_hand(timedelta(days=2)).says(names.READ_DECISIONS, REFUSED)),
    # Somebody still needs the old credential.
    "used-once": _rotation(lambda: World().says(names.CHECK_OLD_CREDENTIAL_USE, USED)),
    "used-to-the-end": _rotation(lambda: World().says(names.CHECK_OLD_CREDENTIAL_USE, for_ever(USED))),
    "used-leak": _rotation(lambda: World(reason="leak").says(names.CHECK_OLD_CREDENTIAL_USE, USED)),
    "refused-in-grace": _rotation(lambda: _refused(timedelta(days=2))),
    "refused-unheard": _rotation(lambda: World().says(names.CHECK_OLD_CREDENTIAL_USE, USED_IN_VAIN)),
    "refused-in-vain": _rotation(lambda: _refused(timedelta(days=2)).says(names.ENABLE_OLD_VERSION, REFUSED)),
    "refused-after-grace": _rotation(lambda: _refused(timedelta(days=9), by_hand=timedelta(days=10))),
    "refused-unread": _rotation(lambda: _refused(timedelta(days=2)).says(names.READ_DECISIONS, REFUSED)),
    "raw-event-in-grace": _rotation(lambda: _refused(timedelta(days=2), noted=False)),
    # Nothing to do, or not here.
    "not-due": _rotation(lambda: World(reading=Reading(not_due="expires in a year"))),
    "forwarded": _rotation(World, "by-hand-1"),
    "forwarded-later": _rotation(lambda: World().says(names.START_ROTATION, BUSY), "by-hand-1"),
    "forwarded-in-vain": _rotation(lambda: World().says(names.START_ROTATION, REFUSED), "by-hand-1"),
    "bad-input": _rotation(World, given=BAD_INPUT),
    "bad-policy": _rotation(_bad_tags),
    "bad-policy-told-later": _rotation(lambda: _bad_tags().says(names.NOTIFY_OWNERS, REFUSED)),
    "policy-unread": _rotation(lambda: World().says(names.READ_POLICY, REFUSED)),
    "gate-not-built": _rotation(lambda: _with(approval=True)),
    # Consumers that need no key any more.
    "nothing-left": _rotation(lambda: World(keyless=1)),
    "nothing-left-leak": _rotation(lambda: World(keyless=1, reason="leak")),
    "keyless-skipped": _rotation(lambda: _keyless(keyless=1)),
    "keyless-meanwhile": _rotation(_keyless),
    "keyless-no-more": _rotation(lambda: World(consumers=2, keyless=1)),
    "keyless-disabled-at-retire": _rotation(lambda: _at_retire(_keyless(keyless=1))),
    # Trouble that passes.
    "busy-everywhere": _rotation(lambda: _everything(BUSY)),
    "lost-answers-everywhere": _rotation(lambda: _everything(LOST)),
    "dies-everywhere": _rotation(lambda: _everything(DIES)),
    "throttled-preflight": _rotation(lambda: World().says(names.PREFLIGHT, THROTTLED, THROTTLED, BUSY)),
    "verify-waits-for-replicas": _rotation(lambda: World().says(names.VERIFY_CREDENTIAL, *[NOT_YET] * 6)),
    # Before the new version is out: undone.
    "failed-open-record": _rotation(lambda: World().says(names.OPEN_RECORD, REFUSED)),
    "failed-preflight": _rotation(lambda: World().says(names.PREFLIGHT, REFUSED)),
    "failed-preflight-busy": _rotation(lambda: World().says(names.PREFLIGHT, for_ever(BUSY))),
    "undone-generate": _rotation(lambda: World().says(names.GENERATE_CREDENTIAL, REFUSED)),
    "undone-verify": _rotation(lambda: World().says(names.VERIFY_CREDENTIAL, REFUSED)),
    "undone-set": _rotation(lambda: World().says(names.SET_SECRET_VERSION, REFUSED)),
    "undone-looked-for-twice": _rotation(lambda: _looked_for_twice(undone=True)),
    "undoing-failed": _rotation(
        lambda: World().says(names.VERIFY_CREDENTIAL, REFUSED).says(names.UNDO_GENERATION, REFUSED)
    ),
    "published-after-all": _rotation(_published_after_all),
    "superseded": _rotation(lambda: World().says(names.SET_SECRET_VERSION, SUPERSEDED)),
    "superseded-record-left-open": _rotation(
        lambda: World().says(names.SET_SECRET_VERSION, SUPERSEDED).says(names.CLOSE_RECORD, REFUSED)
    ),
    "failed-record-left-open": _rotation(
        lambda: World().says(names.VERIFY_CREDENTIAL, REFUSED).says(names.CLOSE_RECORD, REFUSED)
    ),
    # After it: told once, tried until it works or the old one ends.
    "needs-you-disable": _rotation(lambda: World().says(names.DISABLE_OLD_VERSION, REFUSED, REFUSED, REFUSED)),
    "needs-you-disable-at-retire": _rotation(
        lambda: _with(disable_old="at-retire").says(names.DISABLE_OLD_VERSION, REFUSED)
    ),
    "needs-you-use-check": _rotation(lambda: World().says(names.CHECK_OLD_CREDENTIAL_USE, REFUSED)),
    "needs-you-retire": _rotation(lambda: World().says(names.RETIRE_OLD_CREDENTIAL, REFUSED, REFUSED)),
    "needs-you-close": _rotation(lambda: World().says(names.CLOSE_RECORD, REFUSED)),
    "retired-looked-for-twice": _rotation(lambda: _looked_for_twice(undone=False)),
    "outlived-disable": _rotation(lambda: _outlived(names.DISABLE_OLD_VERSION)),
    "outlived-retire": _rotation(lambda: _outlived(names.RETIRE_OLD_CREDENTIAL)),
    "outlived-consumer": _rotation(lambda: _outlived(names.CONFIRM_CONSUMER)),
    "consumer-recovers": _rotation(lambda: _one_consumer(names.UPDATE_CONSUMER, REFUSED, REFUSED)),
    "consumer-unconfirmed": _rotation(lambda: _one_consumer(names.CONFIRM_CONSUMER, REFUSED)),
    "try-out-fails-once": _rotation(lambda: _tried_out(REFUSED)),
    "consumer-busy": _rotation(lambda: _one_consumer(names.UPDATE_CONSUMER, BUSY, LOST, DIES)),
    # Mail that doesn't go out.
    "mail-starting-kept": _rotation(lambda: _notice("starting", BUSY)),
    "mail-switched-kept": _rotation(lambda: _notice("switched", REFUSED)),
    "mail-done-lost": _rotation(lambda: _notice("done", REFUSED, kept=False)),
}
