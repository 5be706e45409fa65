"""What may be removed without asking: in every state that anything speaks for a credential, it stays."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from rekey.reconcile.leftovers import ENDED, LATER_NIGHT, OLD_ENOUGH, Evidence, Known, Verdict, of_issued, of_staged

TIMES = st.none() | st.timedeltas(min_value=timedelta(days=-3), max_value=timedelta(days=400))
KNOWN = st.builds(
    Known,
    evidence=st.sampled_from(Evidence),
    published=st.booleans(),
    current=st.booleans(),
    mentioned=st.booleans(),
    contested=st.booleans(),
    staged=st.booleans(),
    everywhere=st.booleans(),
    owned=st.booleans(),
    age=TIMES,
    watched=TIMES,
)


def long_enough(age: timedelta | None, watched: timedelta | None) -> bool:
    return age is not None and age >= OLD_ENOUGH and watched is not None and watched >= LATER_NIGHT


@given(KNOWN)
def test_nothing_that_anything_speaks_for_is_removed(known: Known) -> None:
    """Removed is exactly what an ended record calls unpublished, no version names, and two nights saw."""
    proved = known.evidence in ENDED and not (known.published or known.current or known.mentioned or known.staged)
    seen = known.everywhere and known.owned and long_enough(known.age, known.watched)
    assert (of_issued(known) is Verdict.REMOVE) == (proved and seen)


@given(KNOWN)
def test_what_is_current_or_being_walked_is_not_even_told(known: Known) -> None:
    """What a newest version names, and what an open rotation made, is in use."""
    if known.current or known.evidence is Evidence.ALIVE:
        assert of_issued(known) is Verdict.IN_USE


@given(KNOWN)
def test_what_cannot_be_proved_is_told(known: Known) -> None:
    """Without a readable record of this deployment's own, a credential is told and left alone."""
    if known.evidence in {Evidence.MISSING, Evidence.UNREADABLE, Evidence.FOREIGN} and not known.current:
        assert of_issued(known) is Verdict.UNPROVED


@given(st.sampled_from(Evidence), TIMES, TIMES)
def test_staged_values_live_as_long_as_their_rotation(
    evidence: Evidence, age: timedelta | None, watched: timedelta | None
) -> None:
    """A staged value is destroyed exactly when its rotation is over and two nights saw it."""
    removed = of_staged(evidence, age, watched) is Verdict.REMOVE
    assert removed == (evidence in ENDED and long_enough(age, watched))
