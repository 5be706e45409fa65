"""The nightly sweep: order, pace, what fails and what is told, on an engine whose nights pass in no time."""

import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rekey import names
from rekey.model import Finding, Permanent
from rekey.nightly_settings import GRAPH_WRITES, LIMITS, VAULT_CREATES, Limit
from rekey.pace import AT_ONCE, SECOND, SHARE, Cost, Key, Pace
from tests.orchestrators.engine import BEGIN, replay
from tests.orchestrators.night import ROTATE_DUE, Night
from tests.orchestrators.scripts import DIES, LOST, REFUSED

ENTRA: Cost = {(VAULT_CREATES, "kv-one"): 1, (VAULT_CREATES, "staging"): 1, (GRAPH_WRITES, ""): 2}
SMALL = LIMITS | {GRAPH_WRITES: Limit(100, 10)}
"""Ten writes a second: few secrets are a long sweep."""
MOST_EVENTS = 200


def entra(count: int) -> list[tuple[str, Cost]]:
    """Return that many secrets that are due, all of one vault."""
    return [(f"secret-{n:05}", ENTRA) for n in range(count)]


def test_a_night_looks_starts_and_tells() -> None:
    """Every vault is looked at, what is due is started, one mail says how many."""
    night = Night(vaults=("kv-one", "kv-two"), due=entra(3))
    instance = night.run()
    assert night.steps == [
        *(names.BEGIN_SWEEP, names.FIND_DUE, names.FIND_DUE, names.PLAN_STARTS, names.START_DUE, names.END_SWEEP),
        "notify_owners sweep",
    ]
    assert len(night.started) == 3
    assert instance.output["result"] == "done"
    assert instance.output["counts"] == {"started": 3, "secrets": 200, "due": 3, "vaults": 2}
    assert night.mails[0]["counts"] == instance.output["counts"]
    assert night.mails[0]["findings"] == []


def test_a_quiet_night_sends_no_mail() -> None:
    """Nothing due and nothing wrong: the mail of the nightly check shows that the nightly work lives."""
    night = Night()
    assert night.run().output["counts"] == {"started": 0, "secrets": 100, "vaults": 1}
    assert night.mails == []


def test_a_few_are_started_at_once() -> None:
    """What fits into the limits' windows as a whole isn't spread out."""
    night = Night(due=entra(AT_ONCE))
    night.run()
    assert len(set(night.started.values())) == 1


def test_many_are_started_evenly_and_in_order() -> None:
    """900 writes at 95 % of 300 in 15 s take 47.4 s, and none of its seconds sees a burst."""
    night = Night(due=entra(450), limits=LIMITS | {GRAPH_WRITES: Limit(300, 15)})
    night.run()
    at = list(night.started.values())
    assert at == sorted(at)
    assert list(night.started) == sorted(night.started)
    assert timedelta(seconds=46.4) < at[-1] - at[0] < timedelta(seconds=48.4)
    each_second = Counter((moment - at[0]) // timedelta(seconds=1) for moment in at)
    assert set(each_second.values()) <= {*range(5, 12)}


def test_the_history_of_each_execution_stays_short() -> None:
    """A sweep of any length goes on in new executions before a replay gets expensive."""
    night = Night(vaults=tuple(f"kv-{n}" for n in range(50)), due=entra(900), limits=SMALL)
    instance = night.run()
    lengths = [len(history) for history in [*instance.before, instance.history]]
    assert len(lengths) > 10
    assert max(lengths) <= MOST_EVENTS
    assert len(night.started) == 900
    assert instance.output["counts"]["secrets"] == 5_000


def test_every_episode_decides_the_same_again() -> None:
    """Run again from its history, each answer is the same byte for byte."""
    night = Night(due=entra(200), limits=SMALL, refuses=Counter({"secret-00100": 9})).says(names.FIND_DUE, LOST, DIES)
    for request, response in night.run().episodes:
        assert replay(ROTATE_DUE, request).SerializeToString() == response


def test_an_unreadable_vault_stops_no_other() -> None:
    """It becomes a line of the mail that says what to do."""
    night = Night(vaults=("kv-one", "kv-two", "kv-three"), due=entra(1)).says(names.FIND_DUE, None, REFUSED)
    instance = night.run()
    assert instance.output["counts"]["vaults that can't be read"] == 1
    assert night.steps.count(names.FIND_DUE) == 3
    assert len(night.started) == 1
    (found,) = night.mails[0]["findings"]
    assert (found["code"], found["vault"], found["what_to_do"]) == ("vault-unreadable", "kv-two", "Grant it.")


def test_findings_alone_are_told() -> None:
    """Nothing is due, but tags that can't be used are worth a mail."""
    night = Night(bad=(Finding(code="bad-policy", vault="kv-one", secret="a", message="rekey-lead"),))
    night.run()
    assert [m["findings"][0]["code"] for m in night.mails] == ["bad-policy"]


def test_a_start_that_fails_is_tried_again_after_all_others() -> None:
    """The rest isn't held up; later rounds try what failed, and it is started once."""
    night = Night(due=entra(70), limits=SMALL, refuses=Counter({"secret-00003": 1, "secret-00005": 2}))
    instance = night.run()
    assert list(night.started)[-2:] == ["secret-00003", "secret-00005"]
    assert instance.output["counts"]["started"] == 70
    assert night.mails[0]["findings"] == []


def test_a_start_that_always_fails_is_listed() -> None:
    """After three rounds it is a line of the mail."""
    night = Night(due=entra(5), refuses=Counter({"secret-00003": 99}))
    instance = night.run()
    assert instance.output["counts"] == {"started": 4, "not started": 1, "secrets": 100, "due": 5, "vaults": 1}
    assert [f["secret"] for f in night.mails[0]["findings"]] == ["secret-00003"]
    assert sorted(night.plans) == [0, 1, 2]


def test_a_batch_that_fails_as_a_whole_stops_no_other() -> None:
    """The next batch follows, and the mail says so."""
    night = Night(due=entra(150), limits=SMALL).says(names.START_DUE, None, REFUSED)
    night.run()
    assert 140 < len(night.started) < 150
    assert [f["code"] for f in night.mails[0]["findings"]] == ["batch-failed"]


@pytest.mark.parametrize("step", [names.BEGIN_SWEEP, names.PLAN_STARTS, names.END_SWEEP])
def test_a_sweep_that_cannot_go_on_says_so(step: str) -> None:
    """The instance fails, and somebody is told what to do."""
    night = Night(due=entra(1)).says(step, REFUSED)
    instance = night.run()
    assert "SweepFailed" in instance.failure
    assert [(f["code"], f["what_to_do"]) for f in night.mails[0]["findings"]] == [("sweep-stopped", "Grant it.")]


def test_under_another_id_the_right_one_is_started() -> None:
    """Started by hand without an id, it hands over and ends."""
    night = Night(due=entra(1))
    instance = night.run("by-hand")
    assert instance.output == {"result": "forwarded", "instance": names.ROTATE_DUE}
    assert night.steps == [names.START_ALONE]


@pytest.mark.parametrize("rubbish", [{}, "", [], {"run_id": 5}, "now"])
def test_whatever_it_is_started_with_it_begins(rubbish: Any) -> None:
    """People start it by hand with any body."""
    night = Night(due=entra(1))
    assert night.run(given=rubbish).output["counts"]["started"] == 1


def test_restarted_with_the_cursor_of_an_earlier_night_it_begins_anew() -> None:
    """The engine's restart repeats the last execution's input, whose plan is gone."""
    first = Night(due=entra(300), limits=SMALL)
    cursor = _input(first.run())
    night = Night(due=entra(2)).says(names.START_DUE, Permanent("plan-gone", "gone"))
    instance = night.run(given=cursor)
    assert instance.output["counts"]["started"] == 2
    assert instance.output["run_id"] != cursor["run_id"]


def test_progress_is_readable_and_names_nobody() -> None:
    """The custom status says where the sweep is, with counts and the next batch's time."""
    night = Night(vaults=("kv-one", "kv-two"), due=entra(300), limits=SMALL)
    shown = night.run().statuses
    waiting = next(s for s in shown if s["state"] == "waiting")
    assert waiting["vaults"] == {"total": 2, "waiting": 0, "unreadable": 0}
    assert waiting["found"] == 300
    assert datetime.fromisoformat(waiting["next"]) > datetime.fromisoformat(waiting["since"]) >= BEGIN
    assert [s["step"] for s in shown if s["state"] == "running"][:3] == [
        *(names.BEGIN_SWEEP, names.FIND_DUE, names.FIND_DUE)
    ]
    assert (shown[-1]["state"], shown[-1]["started"]) == ("done", 300)
    assert "secret-" not in str(shown)


LIMIT = st.builds(Limit, st.integers(1, 60), st.sampled_from([0.5, 2.0, 10.0, 7.3, 150.0]))
KEYS: list[Key] = [(VAULT_CREATES, "kv-one"), (VAULT_CREATES, "kv-two"), (VAULT_CREATES, "staging"), (GRAPH_WRITES, "")]
COSTS = st.lists(st.dictionaries(st.sampled_from(KEYS), st.integers(1, 3), min_size=1), min_size=1, max_size=4)


@pytest.mark.parametrize("slow", [False, True], ids=["punctual", "late"])
@settings(deadline=None, max_examples=12)  # the machines are shared: how long an example takes says nothing
@given(vault=LIMIT, graph=LIMIT, costs=COSTS, count=st.integers(1, 50))
def test_no_window_of_any_limit_is_ever_used_beyond_its_share(
    *, slow: bool, vault: Limit, graph: Limit, costs: list[Cost], count: int
) -> None:
    """Whatever is due, the real starts never use above 95 %, of windows shorter by a tick where batches come late."""
    limits = {VAULT_CREATES: vault, GRAPH_WRITES: graph}
    due = [(f"s{n}", costs[n % len(costs)]) for n in range(count)]
    night = Night(due=due, limits=limits)
    if slow:
        night.says(names.START_DUE, None, LOST, None, LOST, LOST)
    night.run()
    assert len(night.started) == count
    uses: defaultdict[Key, list[tuple[datetime, int]]] = defaultdict(list)
    for name, at in night.started.items():
        for key, units in night.costs[name].items():
            uses[key].append((at, units))
    for key, used in uses.items():
        limit, most = limits[key[0]], max(units for _, units in used)
        seconds = limit.seconds - (Pace(limits).tick / SECOND if slow else 0.0)
        assert _fullest(used, seconds) <= max(SHARE * limit.count, most, 1)


def _fullest(used: list[tuple[datetime, int]], seconds: float) -> int:
    window = timedelta(seconds=seconds)
    return max(sum(units for at, units in used if first <= at < first + window) for first, _ in used)


def test_what_is_late_is_not_caught_up() -> None:
    """After an hour in which nothing ran, the batches go on at their distance: catching up would be a burst."""
    night = Night(due=entra(150), limits=SMALL).says(names.START_DUE, *[None] * 5, LOST, LOST, LOST, LOST, LOST)
    night.run()
    at = sorted(set(night.started.values()))
    assert max(later - earlier for earlier, later in pairwise(at)) > timedelta(seconds=5)
    assert min(later - earlier for earlier, later in zip(at, at[2:], strict=False)) >= timedelta(seconds=0.5)


def _input(instance: Any) -> Any:
    event = next(e for e in instance.history if e.HasField("executionStarted"))
    return json.loads(event.executionStarted.input.value)
