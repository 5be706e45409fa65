"""Services answer as services under load do: they did it and say they didn't, they are busy, they are gone."""

import random
from datetime import datetime
from typing import Any

import pytest

from rekey import names
from tests.faults.conftest import Begin
from tests.faults.invariants import check_done, kept_notices, record
from tests.faults.rotating import Rotating
from tests.faults.walking import REPEATABLE

ANSWERS: tuple[dict[str, int], ...] = (
    {"status": 429},
    {"status": 429, "retry_after": 1},
    {"status": 500},
    {"status": 503},
)


def _of_the_application(rotating: Rotating) -> list[str]:
    """Return what was asked of Graph about the application, in order."""
    asked = [r for r in rotating.control.requests() if r["service"] == "graph" and "/applications" in r["path"]]
    return [f"{r['method']} {r['path'].rpartition('/')[2].partition('(')[0]}" for r in asked]


def _check_looked_first(rotating: Rotating, *, after: int = 0) -> None:
    """One addPassword, then a look and a removal, and only then another one; `after` so many requests of generating."""
    asked = _of_the_application(rotating)[1 + after : 5 + after]
    assert asked == ["POST addPassword", "GET applications", "POST removePassword", "POST addPassword"]


@pytest.mark.exhaustive
def test_add_password_that_is_throttled_and_then_applied_without_saying_so(company: Begin) -> None:
    """After a 429 addPassword waits as long as it is told; after a 503 that hid a success it looks and cleans up."""
    rotating = company()
    rotating.control.fault("graph", path="addPassword", status=429, retry_after=2)
    rotating.control.fault("graph", path="addPassword", status=503, when="after")
    rotating.begin()
    seen = check_done(rotating)
    throttled, hidden, *_ = (datetime.fromisoformat(r["at"]) for r in rotating.requests("graph", "POST", "addPassword"))
    assert (hidden - throttled).total_seconds() >= 2  # without being told: at most 1.5
    assert _of_the_application(rotating)[1:4] == ["POST addPassword", "GET applications", "POST addPassword"]
    _check_looked_first(rotating, after=2)
    assert seen.scenario.credential.made(seen.company) == 3


@pytest.mark.exhaustive
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_add_password_that_was_applied_and_answered_by_an_error(company: Begin, status: int) -> None:
    """An addPassword that made a password and says it failed is not repeated before a look, and leaves nothing."""
    rotating = company()
    rotating.control.fault("graph", path="addPassword", status=status, when="after")
    rotating.begin()
    check_done(rotating)
    _check_looked_first(rotating)


@pytest.mark.exhaustive
def test_add_password_whose_answer_never_comes(company: Begin) -> None:
    """An addPassword that made a password and never answers is given up, looked for and removed."""
    rotating = company()
    rotating.hold("graph", path="addPassword", when="after")
    rotating.begin()
    check_done(rotating)
    _check_looked_first(rotating)


def _each_once(rotating: Rotating, answers: list[dict[str, int]]) -> list[str]:
    """Have each idempotent request answered once by the error of its place; returns the faults' ids."""
    wanted = zip(REPEATABLE, answers, strict=True)
    return [rotating.control.fault(r.service, method=r.method, path=r.path, **a) for r, a in wanted]


def _check_all_struck(rotating: Rotating, faults: list[str]) -> None:
    told: dict[str, dict[str, Any]] = {fault["id"]: fault for fault in rotating.control.faults()}
    assert [told[f] for f in faults if told[f]["hits"] != 1] == []


@pytest.mark.exhaustive
def test_each_idempotent_request_is_refused_once(company: Begin, chance: random.Random) -> None:
    """Each request that may be repeated meets an error chosen by chance, and the rotation is as if none had been."""
    rotating = company()
    faults = _each_once(rotating, [chance.choice(ANSWERS) for _ in REPEATABLE])
    rotating.begin()
    check_done(rotating)
    _check_all_struck(rotating, faults)


@pytest.mark.exhaustive
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda a: "-".join(map(str, a.values())))
def test_each_idempotent_request_is_refused_once_alike(company: Begin, answer: dict[str, int]) -> None:
    """Each request that may be repeated meets this error once, and the rotation is as if none had been."""
    rotating = company()
    faults = _each_once(rotating, [answer for _ in REPEATABLE])
    rotating.begin()
    check_done(rotating)
    _check_all_struck(rotating, faults)


@pytest.mark.exhaustive
def test_replicas_that_disagree_about_the_new_password(company: Begin) -> None:
    """A password that one replica knows and the next doesn't isn't handed out before it works again and again."""
    # With this seed the first two attempts succeed once each, and fail right after.
    rotating = company()
    rotating.control.propagation("entra", seconds=5, mode="successes_before_failure", seed=55)
    rotating.begin()
    check_done(rotating)
    tried = [e for e in record(rotating).entries if e.step == names.VERIFY_CREDENTIAL]
    assert [(e.outcome, e.code) for e in tried] == [("retry-after", "not-known-yet"), ("ok", "")]
    sign_ins = [r["status"] for r in rotating.requests("entra", "POST", rotating.control.description["tenant"])]
    assert len(sign_ins) > 4
    assert sign_ins[:4] == [200, 401, 200, 401]
    assert all(status == 200 for status in sign_ins[-2:])


@pytest.mark.exhaustive
def test_answers_that_lag(company: Begin) -> None:
    """With reads of passwords lagging behind and removals that conflict at first, nothing else changes."""
    rotating = company(quick=False)
    rotating.control.propagation("graph", seconds=5, conflict_seconds=3)
    rotating.control.fault("keyvault", method="PUT", path="/secrets/staged-", status=503, when="after", skip=1)
    rotating.begin()
    check_done(rotating)


@pytest.mark.exhaustive
def test_mail_that_is_down_the_whole_time(company: Begin) -> None:
    """A rotation completes without its mails: they wait in the outbox, and the record calls them undelivered."""
    rotating = company()
    rotating.control.fault("email", status=503, count=None)
    rotating.begin()
    ended = rotating.wait_end(timeout=900)
    assert ended["output"]["result"] == "done"
    assert rotating.control.outbox() == []
    assert {kept["notice"]["kind"] for kept in kept_notices(rotating)} == {"starting", "switched", "done"}
    told = [e for e in record(rotating).entries if e.step == names.NOTIFY_OWNERS and e.outcome == "ok"]
    assert all(e.detail["undelivered"] for e in told)
    assert len(told) == 3
