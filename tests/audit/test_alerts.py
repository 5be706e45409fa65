"""What is told of a vault's hits: once, again only if it grows, all together in a storm, within bounds."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rekey.audit.access import Caller
from rekey.audit.alerts import (
    GROWN,
    MOST_AN_HOUR,
    MOST_GROUPS,
    MOST_LISTED,
    MOST_MAILS,
    MOST_TOGETHER,
    PAUSE,
    counted,
    decided,
    due,
    settled,
)
from rekey.audit.letters import MOST_LETTERS
from rekey.audit.meanings import LOG_CHANGED, meaning
from rekey.audit.ports import Severity
from rekey.audit.state import MANY, State
from rekey.audit_settings import RULES
from rekey.model.notice import MOST_FINDINGS, Sighting
from tests.audit.alerting import DAY, ERIN, NOON, OWNER, PLACE, RULE, VAULT, Watched, at, hit, ids, many, total

MINUTE = timedelta(minutes=1)
ZOE = Caller(app_id="9d4b7e9e-0000-4000-8000-000000000003")


def test_all_that_belongs_together_is_one_mail() -> None:
    """It says who, how often, since when, from where and by what, in whatever order the log told it."""
    (letter,) = Watched().saw(
        hit(first=NOON + 3 * MINUTE, times=4),
        hit(first=NOON, status=403, address="20.1.2.3"),
        hit(first=NOON + MINUTE, times=2, operation="SecretBackup"),
    )
    assert (letter.notice.vault, letter.notice.secret, letter.notice.code) == (VAULT, "deploy", RULE)
    assert letter.owners == (OWNER,)
    assert letter.notice.sighting == Sighting(
        severity=meaning(RULE).severity,
        app_id=ERIN.app_id,
        object_id=ERIN.object_id,
        first=NOON,
        last=NOON + 3 * MINUTE,
        times=7,
        refused=1,
        addresses=("104.40.82.76", "20.1.2.3"),
        operations=("SecretGet", "SecretGet (403)", "SecretBackup"),
    )


@pytest.mark.parametrize(
    "other",
    [
        hit(rule="old-version-read"),
        hit("search"),
        hit(caller=ZOE),
        hit(first=DAY + timedelta(days=1)),
    ],
)
def test_what_differs_is_told_apart(other: object) -> None:
    """Another rule, secret, caller or day (UTC) is another mail."""
    first, second = Watched().saw(hit(), other)  # type: ignore[arg-type]
    assert first.id != second.id


def test_nothing_new_is_not_told_again() -> None:
    """The same pass again, and some more of the same, is silent."""
    watched = Watched()
    watched.saw(hit())
    assert watched.saw() == []
    assert watched.saw(hit(), hit(first=NOON + MINUTE)) == []


def test_ten_times_as_much_is_told_again() -> None:
    """Nine more are silent, the tenth is not; the count is the whole of the day's."""
    watched = Watched()
    watched.saw(at(2, hit()))
    assert watched.saw(at(2 * GROWN - 3, hit())) == []
    (again,) = watched.saw(hit())
    assert again.notice.sighting is not None
    assert again.notice.sighting.times == 2 * GROWN
    assert len(ids(watched.letters)) == 2


@pytest.mark.parametrize(
    "new", [hit(address="20.1.2.3"), hit(operation="SecretBackup"), hit(status=403)], ids=["address", "by", "refused"]
)
def test_a_new_address_or_operation_is_told_again(new: object) -> None:
    """So is a refusal after a read, and a read after a refusal: that one is the more important news."""
    for first, second in ((hit(), new), (new, hit())):
        watched = Watched()
        watched.saw(first)  # type: ignore[arg-type]
        assert len(watched.saw(second)) == 1  # type: ignore[arg-type]
        assert watched.saw(first, second) == []  # type: ignore[arg-type]


def test_a_group_is_told_a_few_times_at_most() -> None:
    """Who comes from an address of its own each time fills no mailbox."""
    watched = Watched()
    for number in range(3 * MOST_MAILS):
        watched.saw(hit(address=f"20.0.0.{number}"))
    assert len(ids(watched.letters)) == len(watched.letters) == MOST_MAILS


def test_a_few_at_once_are_mails_of_their_own_and_more_are_one() -> None:
    """A storm is told in one mail that names everything and goes to no owner; it counts as told."""
    assert len(Watched().saw(*many(MOST_LETTERS))) == MOST_LETTERS
    watched = Watched()
    (digest,) = watched.saw(*many(MOST_LETTERS + 1, times=3))
    assert digest.owners == ()
    assert {f.secret for f in digest.notice.findings} == {h.access.secret for h in many(MOST_LETTERS + 1)}
    assert digest.notice.counts["times"] == 3 * (MOST_LETTERS + 1)
    assert digest.notice.sighting is None
    (finding, *_) = digest.notice.findings
    assert ERIN.app_id in finding.subject
    assert "3 times" in finding.message
    assert watched.saw(*many(MOST_LETTERS + 1)) == []


def test_the_worst_of_a_storm_comes_first() -> None:
    """What is cut off at the end of a long mail is never the worst."""
    calm = [hit(f"s-{n}", rule="old-version-read", first=NOON) for n in range(MOST_LETTERS + 1)]
    (digest,) = Watched().saw(*calm, hit("", rule=LOG_CHANGED, first=NOON + MINUTE, caller=Caller(), address=""))
    first = digest.notice.findings[0]
    assert (first.code, first.subject) == (LOG_CHANGED, "")
    assert first.message == "high: SecretGet once, Saturday, 5 January 2030, 12:01 UTC."


def test_a_slow_storm_is_no_endless_row_of_mails() -> None:
    """Something new with every pass is told one by one for a while, then together every quarter of an hour."""
    watched, number, mails = Watched(), 0, []
    for _ in range(4 * 12):
        number += 3
        mails.append(len(watched.saw(*many(number)[-3:])))
    first_hour, later = mails[:12], mails[12:]
    assert sum(first_hour) <= MOST_AN_HOUR + 4
    assert max(sum(later[start : start + 12]) for start in range(len(later) - 12)) <= MOST_AN_HOUR + 4
    assert sum(later) >= 3 * 4
    watched.saw(after=PAUSE)
    assert due(watched.state) == []


def test_what_waits_for_its_mail_is_not_forgotten() -> None:
    """Old windows go once they were told, not while a storm holds them up."""
    watched = Watched()
    for number in range(MOST_AN_HOUR):
        watched.saw(hit(f"s-{number}"), after=timedelta(minutes=1))
    old = hit("old", first=DAY - timedelta(days=9))
    assert watched.saw(old, after=timedelta(minutes=1)) == []
    assert [letter.notice.secret for letter in watched.saw(after=PAUSE)] == ["old"]


def test_a_letter_stays_as_it_is_until_it_is_out() -> None:
    """What comes meanwhile waits, and is told afterwards: the mail's id stands for exactly one content."""
    first = decided(counted(State(vault=VAULT), [hit()]), PLACE, NOON)
    later = counted(first, [hit(address="20.1.2.3"), hit(caller=ZOE)])
    assert decided(later, PLACE, NOON + MINUTE) == later
    assert later.letters == first.letters
    after = decided(settled(later, later.letters[0].id), PLACE, NOON + MINUTE)
    assert len(after.letters) == 2
    assert not ids(after.letters) & ids(first.letters)


def test_who_decides_again_writes_the_same_letter() -> None:
    """Two that decide on the same state agree on the id, though one is minutes later."""
    state = counted(State(vault=VAULT), [hit()])
    assert decided(state, PLACE, NOON).letters == decided(state, PLACE, NOON + 5 * MINUTE).letters
    elsewhere = decided(state, replace(PLACE, account=1), NOON)
    assert not ids(elsewhere.letters) & ids(decided(state, PLACE, NOON).letters)


def test_settling_what_is_settled_changes_nothing() -> None:
    """A repeated step finds its letter gone."""
    state = decided(counted(State(vault=VAULT), [hit(), hit(caller=ZOE)]), PLACE, NOON)
    once = settled(state, state.letters[0].id)
    assert once.letters == state.letters[1:]
    assert settled(once, state.letters[0].id) == once


def test_old_windows_are_forgotten_once_they_are_told() -> None:
    """Two days after a day's end nothing is kept of it; what was not told yet is told first."""
    watched = Watched()
    watched.saw(hit())
    watched.saw(after=timedelta(days=2))
    assert len(watched.groups) == 1
    watched.saw(after=timedelta(days=1))
    assert watched.groups == []
    assert len(watched.saw(hit(first=DAY - timedelta(days=9)))) == 1


def test_groups_are_bounded_and_nothing_is_lost() -> None:
    """Beyond the bound what a caller does is counted together, beyond that what all do, and the mail says so."""
    state = counted(State(vault=VAULT), many(MOST_GROUPS + 50))
    assert len(state.groups) == MOST_GROUPS + 1
    callers = [Caller(app_id=f"app-{number}") for number in range(3 * MOST_TOGETHER)]
    state = counted(state, [hit(caller=caller, name=f"x-{caller.app_id}") for caller in callers])
    assert len(state.groups) == MOST_GROUPS + MOST_TOGETHER + 1
    assert total(state) == MOST_GROUPS + 50 + len(callers)
    (digest,) = decided(state, PLACE, NOON).letters
    assert len(digest.notice.findings) == MOST_FINDINGS + 1
    (together,) = Watched().saw(hit(MANY))
    assert together.notice.secret == ""
    assert "many secrets" in together.notice.remarks[0]


def test_what_a_group_lists_is_bounded() -> None:
    """Addresses are a list for people, not a copy of the log."""
    watched = Watched()
    watched.saw(*(hit(address=f"20.0.0.{number}", owners=(f"o{number}@x.example",)) for number in range(99)))
    (group,) = watched.groups
    assert len(group.addresses) == len(group.owners) == MOST_LISTED
    assert group.times == 99


@pytest.mark.parametrize("rule", [*RULES, LOG_CHANGED])
def test_each_rule_says_what_it_means_and_what_to_do(rule: str) -> None:
    """Every mail has a severity, an explanation and advice, in sentences."""
    means = meaning(rule)
    assert means.severity in set(Severity)
    assert means.explanation.endswith(".")
    assert means.what_to_do.endswith(".")


def test_a_rule_that_is_no_more_is_told_all_the_same() -> None:
    """What an earlier version counted and a new one tells is no error."""
    (letter,) = Watched().saw(hit(rule="gone-rule"))
    assert "gone-rule" in letter.notice.message


SOME = st.builds(
    lambda secret, app, minutes, status, times: hit(
        secret, caller=Caller(app_id=app), first=NOON + minutes * MINUTE, status=status, times=times
    ),
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from(["x", "y"]),
    st.integers(0, 24 * 60),
    st.sampled_from([200, 403]),
    st.integers(1, 30),
)


@given(hits=st.lists(SOME, max_size=20), cuts=st.lists(st.integers(0, 20), max_size=4))
@settings(max_examples=60, deadline=None)
def test_however_it_comes_in_pieces_all_of_it_is_counted(hits: list, cuts: list[int]) -> None:  # type: ignore[type-arg]
    """Turns may end anywhere: the groups are the same, and every group is told at least once."""
    state, watched = State(vault=VAULT), Watched()
    borders = sorted({0, len(hits), *(min(cut, len(hits)) for cut in cuts)})
    for begin, end in pairwise(borders):
        state = counted(state, hits[begin:end])
        watched.saw(*hits[begin:end])
    assert state == counted(State(vault=VAULT), hits)
    assert total(watched.state) == sum(one.access.times for one in hits)
    assert all(group.mails for group in watched.groups)
    assert due(watched.state) == []
    assert len(ids(watched.letters)) == len(watched.letters)
