"""A report of what several projects share, and of two nights one after the other."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rekey.connections.found import Connection, Way
from rekey.connections.judging import UNUSED
from rekey.connections.report import Known, Report, report
from rekey.connections.turn import Seen, Task
from rekey.model.connections import ProjectName, Reporting, Unseen

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
DAY = timedelta(days=1)
A, B = (ProjectName(organization="contoso", project=name) for name in ("A", "B"))
KNOWN = Known(allowed={"contoso": frozenset({"a", "b"})})
SHARED = Connection(
    organization="contoso",
    project="A",
    id="1",
    name="shared",
    way=Way.FEDERATED,
    projects=("A", "B"),
    history_read=True,
    last_used=NOW - 2 * UNUSED,
)


def night(number: int, read: Mapping[ProjectName, Seen], last: Report | None = None) -> Report:
    """Return the report of a night."""
    run = Reporting(run_id=f"run-{number}", started=NOW + number * DAY, projects=(A, B))
    return report(run, read, replace(KNOWN, last=last))


def both(**in_b: object) -> dict[ProjectName, Seen]:
    """Return what was read of two projects that share a connection."""
    seen = Seen(tasks=(), connections=(SHARED,))
    return {A: seen, B: replace(seen, connections=(replace(SHARED, project="B", **in_b),))}


def test_a_shared_connection_is_used_wherever_it_is_used() -> None:
    """It is one row; its newest run may be in another project, and unless all were looked at nobody calls it unused."""
    (row,) = night(0, both()).rows
    assert (row.shared_with, row.findings) == (("B",), ("unused",))
    (used,) = night(0, both(last_used=NOW - DAY)).rows
    assert (used.last_used, used.findings) == (NOW - DAY, ())
    (unread,) = night(0, both(history_read=False, last_used=None)).rows
    assert unread.findings == ()


def test_why_a_project_could_not_be_read_is_tonights() -> None:
    """What stood in the way last night may be another thing tonight; it is the same finding."""
    last: Report | None = None
    for number, message in enumerate(("no member", "no network")):
        why = Unseen(organization="contoso", project="A", code="x", message=message)
        run = Reporting(run_id=f"run-{number}", started=NOW + number * DAY, projects=(A, B), unseen=(why,))
        last = report(run, {}, replace(KNOWN, last=last))
        assert [(one.message, one.since) for one in last.findings] == [(message, NOW)]


SEEN = st.builds(
    lambda ids, tasks: Seen(
        tasks=tasks,
        connections=tuple(replace(SHARED, id=i, name=f"c{i}", way=Way.SECRET, projects=("A",)) for i in sorted(ids)),
    ),
    st.sets(st.sampled_from("1234")),
    st.sampled_from(((), (Task("pipelines"),))),
)


@given(st.lists(st.none() | SEEN, min_size=2, max_size=4))
def test_what_is_new_and_what_is_gone_follow_from_two_nights(nights: list[Seen | None]) -> None:
    """Whatever was read when: a finding is old, new or gone, and gone only what a whole read lacks."""
    last: Report | None = None
    for number, seen in enumerate(nights):
        found = night(number, {} if seen is None else {A: seen}, last)
        before = {one.key: one.since for one in last.findings} if last else {}
        now = {one.key: one.since for one in found.findings}
        assert set(found.fresh) == now.keys() - before.keys()
        assert set(found.gone) == before.keys() - now.keys()
        assert all(now[key] == before[key] for key in now.keys() & before.keys())
        if seen is None or seen.tasks:
            assert not found.gone
        else:
            assert {row.id for row in found.rows} == {connection.id for connection in seen.connections}
        last = found
