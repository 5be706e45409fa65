"""How many mails go out: never more than the service's own windows allow, and no fewer than needed."""

import asyncio
from datetime import UTC, datetime

import pytest
from azure.storage.blob.aio import ContainerClient
from hypothesis import given, settings
from hypothesis import strategies as st

from local.azure.throttle import Windows
from rekey.errors import NotYetError
from rekey.nightly_settings import LIMITS, MAIL_HOUR, MAIL_MINUTE, Limit, nightly
from rekey.notices.allowance import BLOB, SLACK, Allowance

DOCUMENTED = (LIMITS[MAIL_MINUTE], LIMITS[MAIL_HOUR])
NOON = 1_800_000_000.0


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def now() -> Now:
    """Return a clock that stands."""
    return Now()


async def _taken(allowance: Allowance, tries: int) -> int:
    taken = 0
    for _ in range(tries):
        try:
            await allowance.take(1)
        except NotYetError:
            break
        taken += 1
    return taken


async def test_a_minute_and_an_hour_are_never_overdrawn(container: ContainerClient, now: Now) -> None:
    """After as many mails as a minute takes, the wait for the next is said; the hour ends it for longer."""
    allowance = Allowance(container, DOCUMENTED, clock=now)
    assert await _taken(allowance, 40) == 30
    with pytest.raises(NotYetError) as caught:
        await allowance.take(1)
    assert (caught.value.code, caught.value.seconds) == ("mail-limit", 60 + SLACK)
    for _ in range(3):
        now.at += 61 + SLACK
        await _taken(allowance, 30)
    with pytest.raises(NotYetError) as caught:
        await allowance.take(1)
    assert caught.value.seconds == pytest.approx(3600 + SLACK - 3 * (61 + SLACK))
    now.at += caught.value.seconds or 0
    assert await _taken(allowance, 40) == 30


async def test_what_waited_leaves_room_for_what_cannot_wait(container: ContainerClient, now: Now) -> None:
    """Digests use four fifths of the limits; a notice that somebody has to act on still goes out."""
    assert await _taken(Allowance(container, DOCUMENTED, 0.8, now), 40) == 24
    assert await _taken(Allowance(container, DOCUMENTED, 1.0, now), 40) == 6


async def test_the_count_is_the_whole_apps(container: ContainerClient) -> None:
    """Of many at the same moment exactly as many get a place as there are."""
    ones = [Allowance(container, [Limit(8, 3600)]) for _ in range(12)]
    answers = await asyncio.gather(*(one.take(1) for one in ones), return_exceptions=True)
    assert sum(isinstance(answer, float) for answer in answers) == 8
    refused = [answer for answer in answers if isinstance(answer, NotYetError)]
    assert [error.code for error in refused] == ["mail-limit"] * 4


async def test_what_was_not_sent_is_given_back(container: ContainerClient, now: Now) -> None:
    """After an outage nobody waits for mails that didn't go out."""
    allowance = Allowance(container, [Limit(2, 60)], clock=now)
    stamp = await allowance.take(2)
    assert await _taken(allowance, 1) == 0
    await allowance.give_back(1, stamp)
    assert await _taken(allowance, 5) == 1


async def test_more_than_a_limit_goes_when_nothing_else_does(container: ContainerClient, now: Now) -> None:
    """A notice to hundreds isn't held for ever by a limit it can never fit."""
    allowance = Allowance(container, [Limit(2, 60)], clock=now)
    await allowance.take(5)
    with pytest.raises(NotYetError):
        await allowance.take(1)


async def test_a_count_that_cannot_be_read_starts_anew(container: ContainerClient) -> None:
    """A broken blob costs the count, not the mails."""
    await container.upload_blob(BLOB, b"\xff not json")
    await Allowance(container, DOCUMENTED).take(1)
    assert (await (await container.download_blob(BLOB)).readall()).startswith(b"[")


@settings(deadline=None, max_examples=200)
@given(
    limits=st.lists(
        st.builds(Limit, st.integers(1, 12), st.sampled_from([60.0, 600.0])), min_size=1, max_size=2, unique=True
    ),
    pauses=st.lists(st.floats(0, 90), min_size=1, max_size=60),
    delays=st.lists(st.floats(0, SLACK - 0.01), min_size=60, max_size=60),
)
def test_the_services_own_windows_never_refuse(limits: list[Limit], pauses: list[float], delays: list[float]) -> None:
    """Whenever mails are wanted, and however long each is on its way, the service has room for each that goes."""
    allowance, service, at = Allowance(None, limits), Windows(), NOON  # type: ignore[arg-type]
    sent: list[float] = []
    arrivals = []
    for pause, delay in zip(pauses, delays, strict=False):
        at += pause
        if allowance._wait(sent, 1, at) == 0:
            sent.append(at)
            arrivals.append(at + delay)
    for arrival in sorted(arrivals):
        moment = datetime.fromtimestamp(arrival, UTC)
        for limit in limits:
            assert service.take(f"{limit}", limit.count, int(limit.seconds), moment) is None


def test_a_managed_domains_limits_are_a_setting() -> None:
    """REKEY_LIMITS says what the mail service allows; without it those of a custom domain hold."""
    assert nightly({}).mail_limits() == (Limit(30, 60), Limit(100, 3600))
    managed = '{"mail-minute": {"count": 5, "seconds": 60}, "mail-hour": {"count": 10, "seconds": 3600}}'
    assert nightly({"REKEY_LIMITS": managed}).mail_limits() == (Limit(5, 60), Limit(10, 3600))
