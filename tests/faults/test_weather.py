"""Rotations in bad weather: any request may be refused, torn, garbled, lost or late, and the end is as if none were."""

import random
import sys

import pytest

from local.scenario import QUEUE
from tests.faults.conftest import Begin
from tests.faults.invariants import check_done
from tests.faults.rotating import IN_TIME
from tests.faults.weather import (
    GROUPS,
    SIGN_IN_PAGE,
    STRIKES,
    TIMEOUTS,
    Strike,
    strike_each,
    strike_one,
    struck,
    worsen,
)

EVERY_KIND = {**STRIKES, "sign-in page": SIGN_IN_PAGE, **TIMEOUTS}
LAGGING = ("graph", "keyvault", "azuredevops")


def _rotated_in_weather(company: Begin, share: float, chance: random.Random, *, but: str = "") -> None:
    rotating = company(storage_by_azure=True)
    strike_one(rotating, chance)
    worsen(rotating, share, chance, but=but)
    rotating.begin()
    rotating.wait_end(timeout=900)
    happened = struck(rotating)
    rotating.control.clear_faults()
    sys.stdout.write(f"{happened}\n")
    check_done(rotating)
    assert happened


def test_changeable_weather(company: Begin, chance: random.Random) -> None:
    """A rotation of which one request to a service in twenty meets some fault ends as one that met none."""
    # Without storage: a lease whose release is lost holds the rotation up for a minute.
    _rotated_in_weather(company, 0.05, chance, but="storage")


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("share", [0.05, 0.1])
def test_weather(company: Begin, chance: random.Random, share: float, number: int) -> None:  # noqa: ARG001 - chance differs
    """A rotation of which many requests meet some fault ends as one that met none."""
    _rotated_in_weather(company, share, chance)


def _each_struck_once(company: Begin, strike: Strike, group: int) -> None:
    rotating = company(storage_by_azure=True)
    faults = strike_each(rotating, strike, group)
    rotating.begin()
    rotating.wait_end(timeout=1200)
    hits = {fault["id"]: fault for fault in rotating.control.faults()}
    # What comes late isn't asked for again: a fault behind another one of the same path then has nothing to strike.
    expected = {0, 1} if "delay" in strike else {1}
    assert [hits[fault] for fault in faults if hits[fault]["hits"] not in expected] == []
    check_done(rotating)


@pytest.mark.exhaustive
@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.parametrize("strike", EVERY_KIND.values(), ids=EVERY_KIND)
def test_each_request_is_struck_once(company: Begin, strike: Strike, group: int) -> None:
    """Every request of a rotation, to every service, meets this fault once, and the end is as if none had."""
    _each_struck_once(company, strike, group)


def _rotated_with_stale_reads(company: Begin, seconds: float, share: float, chance: random.Random) -> None:
    rotating = company(environment=IN_TIME)
    control, scenario, stack = rotating.control, rotating.scenario, rotating.stack
    # The secret is older than the lag, as one near its expiry is.
    stack.store_secret(raise_event=False)
    for service in LAGGING:
        control.fault(service, stale=seconds, count=None, chance=share, seed=chance.randrange(10**6))
    control.seed({"events": {"connection_string": stack.storage.connection_string, "queue": QUEUE}})
    rotating.before = control.state()
    rotating.watch.start()
    control.raise_event(scenario.vault, scenario.secret)
    rotating.wait_end(timeout=1800)
    check_done(rotating)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("seconds", "share"), [(4, 0.5), (10, 1), (30, 0.5), (120, 0.5), (120, 1)])
def test_stale_reads(company: Begin, chance: random.Random, seconds: float, share: float) -> None:
    """A rotation that reads from replicas behind by seconds or minutes ends late, and as one whose reads are fresh."""
    _rotated_with_stale_reads(company, seconds, share, chance)
