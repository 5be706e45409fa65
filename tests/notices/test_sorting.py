"""Who gets one mail about what waits: exactly those who would have got the notices, each about their own secrets."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from local.preview_notices import by_hand, samples
from rekey.model import Finding, Notice, NoticeKind
from rekey.notices.folding import folded
from rekey.notices.identity import notice_id
from rekey.notices.render import render
from rekey.notices.sorting import sorted_out
from tests.notices.waiting import ANN, BOB, CEM, notice, waiting


def test_a_notice_alone_goes_as_it_is() -> None:
    """Those for whom nothing else waits get the notice itself, together, so that it keeps its own id."""
    one = waiting(notice("a", to=(ANN, BOB)))
    plan = sorted_out([one])
    assert [(p.id, p.to) for p in plan.singles] == [(one.id, (ANN, BOB))]
    assert plan.folds == ()


def test_several_are_folded_for_each_person() -> None:
    """Whoever has several waiting gets one mail; whoever has only one of them gets that one as it is."""
    first, second = waiting(notice("a", to=(ANN, BOB))), waiting(notice("b", to=(ANN,)))
    plan = sorted_out([first, second])
    assert [(p.id, p.to) for p in plan.singles] == [(first.id, (BOB,))]
    assert [(to, [w.id for w in news]) for to, news in plan.folds] == [(ANN, [first.id, second.id])]


def test_case_makes_no_second_person() -> None:
    """One address in two spellings is one person, who gets one mail."""
    plan = sorted_out([waiting(notice("a", to=(ANN,))), waiting(notice("b", to=(ANN.upper(),)))])
    assert [to for to, _ in plan.folds] == [ANN]


def test_a_digest_that_was_made_stays_as_it_is() -> None:
    """It may have got out: what it tells its reader isn't told again, and what came meanwhile doesn't change it."""
    first, second, later = (waiting(notice(name, to=(ANN,))) for name in "abc")
    made = replace(waiting(folded(ANN, [first, second])), folds=(first.id, second.id))
    plan = sorted_out([first, second, later], [made])
    assert [(p.id, p.to) for p in plan.made] == [(made.id, (ANN,))]
    assert [p.id for p in plan.singles] == [later.id]
    assert plan.folds == ()


def test_the_nightly_mails_stay_as_they_are() -> None:
    """What is a digest already isn't squeezed into another one."""
    nightly = [waiting(replace(samples()[kind], to=(ANN,))) for kind in (NoticeKind.SWEEP, NoticeKind.RECONCILE)]
    plan = sorted_out([*nightly, waiting(notice("a", to=(ANN,)))])
    assert len(plan.singles) == 3
    assert plan.folds == ()


def test_the_urgent_goes_first() -> None:
    """If the limit ends the run, what waits for somebody is out."""
    planned, urgent = waiting(notice("a", to=(ANN,))), waiting(notice("b", NoticeKind.NEEDS_YOU, to=(BOB,)))
    assert [p.id for p in sorted_out([planned, urgent]).singles] == [urgent.id, planned.id]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sets(st.sampled_from([ANN, BOB, CEM]), min_size=1),
            st.sets(st.sampled_from([ANN, BOB, CEM])),
            st.sampled_from([NoticeKind.STARTING, NoticeKind.DONE, NoticeKind.FAILED, NoticeKind.SWEEP]),
        )
    )
)
def test_everybody_is_told_everything_once(entries: list[tuple[set[str], set[str], NoticeKind]]) -> None:
    """Whatever waits for whom: each person is in one mail for each notice not told yet, and in no other."""
    all_that_waits = [
        replace(waiting(notice(f"s{number}", kind, to=tuple(sorted(to)))), told=tuple(sorted(told)))
        for number, (to, told, kind) in enumerate(entries)
    ]
    plan = sorted_out(all_that_waits)
    mails = [(address, parcel.id) for parcel in plan.singles for address in parcel.to]
    mails += [(address, one.id) for address, news in plan.folds for one in news]
    assert sorted(mails) == sorted((a, w.id) for w in all_that_waits for a in w.notice.to if a not in w.told)


def test_the_same_notices_make_the_same_digest() -> None:
    """A digest's id follows from what it tells to whom, in whatever order that is listed."""
    first, second, other = (waiting(notice(name, to=(ANN,))) for name in "abc")
    made = folded(ANN, [first, second])
    assert folded(ANN.upper(), [second, first]).rotation_id == made.rotation_id
    assert folded(BOB, [first, second]).rotation_id != made.rotation_id
    assert folded(ANN, [first, other]).rotation_id != made.rotation_id


def _lines(*notices: Notice) -> tuple[Finding, ...]:
    return folded(ANN, [waiting(one) for one in notices]).findings


def test_a_rotation_is_one_line_with_its_latest() -> None:
    """A rotation that started, switched and ended since the last mail is said to have ended, with how it got there."""
    starting, switched, done = (
        notice("a", NoticeKind.STARTING),
        notice("a", NoticeKind.SWITCHED, new_version="v2", old_valid_until=datetime(2026, 11, 28, 9, tzinfo=UTC)),
        notice("a", NoticeKind.DONE, new_version="v2"),
    )
    (line,) = _lines(starting, switched, done)
    (same,) = _lines(done, starting, switched)
    assert same.message == line.message
    assert (line.code, line.vault, line.secret) == ("done", "kv-shop", "a")
    assert line.message == "New version v2. The old password was retired. Before that: starting, switched."
    assert [found.code for found in _lines(starting, switched, notice("b", NoticeKind.DONE))] == ["switched", "done"]


def test_a_switch_says_until_when_the_old_one_works() -> None:
    """The facts somebody with a copy needs are in the line."""
    until, end = datetime(2026, 11, 28, 9, tzinfo=UTC), datetime(2027, 5, 19, tzinfo=UTC)
    (line,) = _lines(notice("a", NoticeKind.SWITCHED, new_version="v2", new_expires=end, old_valid_until=until))
    assert "New version v2, expires Wednesday, 19 May 2027, 00:00 UTC." in line.message
    assert "The old password works until Saturday, 28 November 2026, 09:00 UTC." in line.message


def test_trouble_is_never_folded_into_success() -> None:
    """Each failure keeps its line with step, code, the consumer that failed and what to do."""
    stuck = replace(samples()[NoticeKind.NEEDS_YOU], rotation_id="r-a")
    planned = replace(samples()[NoticeKind.SWITCHED], rotation_id="r-a")
    trouble, switched = _lines(stuck, planned)
    assert switched.code == "switched"
    assert trouble.code == "needs-you"
    assert "Step update_consumer." in trouble.message
    assert "(consumer-forbidden)" in trouble.message
    assert "azdo-service-connection://contoso/Warehouse/deploy failed" in trouble.message
    assert trouble.what_to_do == stuck.what_to_do
    (bare,) = _lines(notice("b", NoticeKind.FAILED))
    assert bare.what_to_do == "Ask the operators of Rekey to look at this rotation."
    (bad,) = _lines(notice("c", NoticeKind.BAD_POLICY, remarks=("rekey-grace: got 'x'",)))
    assert "rekey-grace: got 'x'" in bad.message


def test_nobody_is_asked_to_act_on_what_is_done() -> None:
    """A rotation that needed somebody and is done since is one line, which says what it needed."""
    stuck = replace(samples()[NoticeKind.NEEDS_YOU], rotation_id="r-a")
    (line,) = _lines(stuck, replace(samples()[NoticeKind.DONE], rotation_id="r-a"))
    assert line.code == "done"
    assert line.message.endswith("Before that: needs-you (update_consumer: consumer-forbidden).")


def test_who_has_to_act_reads_so_in_a_digest_too() -> None:
    """What an owner has to do by hand is a line of its own, with what and by when, whatever else happened since."""
    ask = by_hand()["switched-to-act"]
    asked, switched = replace(ask, rotation_id="r-a"), replace(samples()[NoticeKind.SWITCHED], rotation_id="r-a")
    assert notice_id(replace(asked, key=asked.consumers[0].uri), (ANN,)) != notice_id(switched, (ANN,))
    planned, line = _lines(asked, switched)
    assert planned.what_to_do == ""
    assert "nobody but you can change" in line.what_to_do
    assert "before Saturday, 28 November 2026, 09:30 UTC, then say so to dana@contoso.example" in line.what_to_do
    reminder = replace(by_hand()["needs-you-to-act"], rotation_id="r-a")
    (last,) = _lines(asked, reminder)
    assert (last.code, last.message.endswith("Before that: switched.")) == ("needs-you", True)


def test_alerts_keep_what_they_say_when_folded() -> None:
    """An alert is a line that names the caller, the most urgent one; of a storm every line is there."""
    alert = samples()[NoticeKind.ALERT]
    lines = tuple(Finding(code="unexpected-reader", secret=name, message="seen.") for name in "ab")
    storm = replace(alert, secret="", sighting=None, findings=lines)
    first, *others = _lines(alert, replace(storm, rotation_id="storm"))
    assert (first.code, first.secret) == (NoticeKind.ALERT, alert.secret)
    assert alert.sighting is not None
    for fact in (alert.sighting.app_id, "12 times, 3 of them refused", "104.40.82.76"):
        assert fact in first.message
    assert tuple(others) == lines
    waits = [waiting(notice("a", NoticeKind.NEEDS_YOU, to=(ANN,))), waiting(replace(alert, to=(BOB,)))]
    assert [p.to for p in sorted_out(waits).singles] == [(BOB,), (ANN,)]


def test_what_others_wrote_stays_text_when_folded() -> None:
    """A link or markup in a notice's fields is as harmless in a digest as in the notice."""
    hostile = "<b>https://evil.example/reset</b>\r\nWHAT TO DO"
    made = folded(ANN, [waiting(notice(n, NoticeKind.FAILED, message=hostile, application_name=hostile)) for n in "ab"])
    mail = render(made)
    assert "https://evil" not in mail.text + mail.html
    assert "<b>" not in mail.html
    assert mail.text.count("\nWHAT TO DO\n") == 1


def test_who_was_told_is_told_in_any_spelling() -> None:
    """Somebody who was told isn't told again because the address is written otherwise."""
    one = replace(waiting(notice("a", to=(ANN, BOB))), told=(ANN.upper(),), since=datetime.now(UTC) - timedelta(1))
    assert one.left() == (BOB,)
    assert one.left((ANN,)) == ()
