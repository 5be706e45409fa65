"""What may become of a connection that is to need no secret: every branch worth a recorded history, by name."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from rekey import names
from rekey.model import Ok, Permanent, encode
from rekey.model.federation import FederationReading, Mode, Resolved
from tests.histories.situations import Situation
from tests.orchestrators.engine import Engine
from tests.orchestrators.federating import APPROVER, INSTANCE, NOT_YET, USED, Federating, managed
from tests.orchestrators.scripts import BUSY, LOST, REFUSED, for_ever

DAY = timedelta(days=1)
RAN = Permanent("still-used", "a run went through it")
NOTHING = FederationReading(nothing_to_do="it is federated")
WELL = Ok({"proof": "it signed in twice"})
BAD_INPUT = {"organization": "contoso"}


def _walk(make: Callable[[], Federating], instance: str = INSTANCE, given: Any = None) -> Situation:
    def run(version: str) -> Engine:
        world = make()
        world.engine.version = version
        world.run(instance, given)
        return world.engine

    return run


def _beside(**more: Any) -> Federating:
    return Federating(mode=Mode.SIDE_BY_SIDE, soak=DAY, **more)


def _vend(**more: Any) -> Federating:
    return Federating(mode=Mode.VEND, **{"approved_after": timedelta(0), **more})


def _twin_unapproved() -> Federating:
    answers = (Ok(encode(Resolved(approved_by=APPROVER))), Ok(encode(Resolved())))
    return _vend(twin=True).says(names.READ_FEDERATION_DECISIONS, *answers)


FEDERATIONS: dict[str, Situation] = {
    # All goes well.
    "federate-in-place": _walk(lambda: Federating(soak=DAY)),
    "federate-trusted-before": _walk(lambda: Federating(soak=DAY, shows_issuer=True)),
    "federate-asked-again": _walk(lambda: Federating(soak=DAY).says(names.CONVERT_CONNECTION, NOT_YET, NOT_YET)),
    "federate-side-by-side": _walk(_beside),
    "federate-managed-identity": _walk(lambda: managed(approved_after=2 * DAY, soak=DAY).heard(DAY, 2 * DAY)),
    "federate-repair": _walk(lambda: Federating(mode=Mode.REPAIR)),
    "federate-soak-cut-short": _walk(lambda: Federating(revert_after=DAY)),
    # Nothing to do, or not here.
    "federate-nothing-to-do": _walk(lambda: Federating(reading=NOTHING)),
    "federate-forwarded": _walk(Federating, "by-hand"),
    "federate-bad-input": _walk(Federating, given=BAD_INPUT),
    # Trouble that passes.
    "federate-busy": _walk(
        lambda: (
            Federating(soak=DAY)
            .says(names.OPEN_FEDERATION, BUSY)
            .says(names.CONVERT_CONNECTION, LOST)
            .says(names.READ_FEDERATION_DECISIONS, BUSY)
        )
    ),
    # Before it is proven: undone.
    "federate-unread": _walk(lambda: Federating().says(names.READ_CONNECTION, REFUSED)),
    "federate-unopened": _walk(lambda: Federating().says(names.OPEN_FEDERATION, REFUSED)),
    "federate-check-failed": _walk(lambda: Federating().says(names.CHECK_CONNECTION, REFUSED)),
    "federate-never-converted": _walk(lambda: Federating().says(names.CONVERT_CONNECTION, for_ever(NOT_YET))),
    "federate-unproven": _walk(lambda: Federating().says(names.PROVE_CONNECTION, REFUSED)),
    "federate-repair-unproven": _walk(lambda: Federating(mode=Mode.REPAIR).says(names.PROVE_CONNECTION, REFUSED)),
    "federate-undoing-later": _walk(
        lambda: Federating().says(names.PROVE_CONNECTION, REFUSED).says(names.REVERT_CONNECTION, REFUSED, REFUSED)
    ),
    "federate-unapproved": _walk(managed),
    # Somebody wants it undone.
    "federate-reverted-unapproved": _walk(lambda: managed(reverted_after=DAY / 2).heard(DAY / 2)),
    "federate-reverted": _walk(lambda: Federating(reverted_after=DAY / 2).heard(DAY / 2)),
    "federate-reverted-in-vain": _walk(
        lambda: Federating(reverted_after=DAY / 2).says(names.REVERT_CONNECTION, for_ever(REFUSED)).heard(DAY / 2)
    ),
    "federate-reverted-unheard": _walk(lambda: _beside(reverted_after=DAY / 2)),
    "federate-reverted-stuck": _walk(
        lambda: _beside(reverted_after=DAY / 2).says(names.COPY_ACCESS, for_ever(REFUSED)).heard(DAY / 2)
    ),
    "federate-reverted-at-the-end": _walk(
        lambda: Federating(soak=DAY / 2, reverted_after=DAY / 2).says(names.READ_FEDERATION_DECISIONS, REFUSED)
    ),
    "federate-decisions-unread": _walk(
        lambda: Federating(soak=DAY).says(names.READ_FEDERATION_DECISIONS, REFUSED, REFUSED, REFUSED)
    ),
    # After it is proven: told once, tried until it works.
    "federate-used": _walk(lambda: _beside().says(names.LOOK_AT_RUNS, USED, USED)),
    "federate-used-long": _walk(lambda: _beside().says(names.LOOK_AT_RUNS, *[USED] * 5)),
    "federate-used-for-ever": _walk(lambda: _beside().says(names.LOOK_AT_RUNS, for_ever(USED))),
    "federate-used-at-the-end": _walk(lambda: _beside().says(names.RETIRE_CONNECTION, RAN, RAN, RAN, RAN)),
    "federate-needs-you": _walk(
        lambda: _beside().says(names.RETIRE_CONNECTION, REFUSED, REFUSED).says(names.RETIRE_SECRETS, REFUSED)
    ),
    "federate-proven-no-more": _walk(
        lambda: Federating(soak=DAY).says(names.PROVE_CONNECTION, WELL, REFUSED).heard(DAY + DAY / 1000)
    ),
    "federate-record-open-for-a-while": _walk(lambda: Federating(soak=DAY).says(names.CLOSE_FEDERATION, REFUSED)),
    "federate-mail-kept": _walk(lambda: Federating(soak=DAY).says(names.NOTIFY_OWNERS, REFUSED)),
    # Vending.
    "vend-done": _walk(lambda: _vend(approved_after=DAY).heard(DAY)),
    "vend-twin": _walk(lambda: _vend(twin=True)),
    "vend-twin-unapproved": _walk(_twin_unapproved),
    "vend-unproven": _walk(lambda: _vend().says(names.PROVE_CONNECTION, REFUSED)),
    "vend-reverted": _walk(lambda: _vend(approved_after=None, reverted_after=DAY / 2)),
    "vend-unchecked": _walk(lambda: _vend().says(names.CHECK_VENDING, REFUSED)),
    "vend-nothing-to-do": _walk(lambda: Federating(mode=Mode.VEND, reading=NOTHING)),
    "vend-forwarded": _walk(_vend, "by-hand"),
    "vend-bad-input": _walk(_vend, given=BAD_INPUT),
}
