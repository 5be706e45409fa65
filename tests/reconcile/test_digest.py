"""One night in one notice: the order, the days, and what is too much for a mail."""

from datetime import UTC, datetime, timedelta

from rekey.model import Finding
from rekey.model.night import Summing
from rekey.model.notice import MOST_FINDINGS
from rekey.reconcile import digest

NOW = datetime(2030, 1, 5, 3, tzinfo=UTC)
NIGHT = Summing(run_id="run", started=NOW, counts={"secrets": 7})


def finding(code: str, number: int = 0) -> Finding:
    return Finding(code=code, message="m", vault="kv", secret=f"s{number}", what_to_do="do")


def test_what_breaks_first_is_read_first() -> None:
    """A credential that is gone comes before a missing expiry, and what has no place of its own comes last."""
    found = [finding("leftover-seen"), finding("no-expiry"), finding("credential-gone"), finding("policy-lost")]
    assert [f.code for f in digest.ordered(found)] == ["credential-gone", "policy-lost", "no-expiry", "leftover-seen"]


def test_a_finding_that_stays_says_since_when() -> None:
    """Told every night, with the day of the first; what went away in between begins anew."""
    first = digest.since([finding("no-expiry"), finding("policy-lost")], {}, NOW - timedelta(days=2))
    second = digest.since([finding("no-expiry")], first, NOW - timedelta(days=1))
    third = digest.since([finding("no-expiry"), finding("policy-lost")], second, NOW)
    told = digest.dated([finding("no-expiry"), finding("policy-lost")], third, NOW)
    assert [f.message for f in told] == ["m (since 2030-01-03)", "m"]


def test_summing_up_twice_says_the_same() -> None:
    """A repeated step knows its own first attempt's days."""
    once = digest.since([finding("no-expiry")], {}, NOW)
    assert digest.since([finding("no-expiry")], once, NOW) == once


def test_too_many_findings_are_counted() -> None:
    """A notice holds the most urgent ones and the number of the rest."""
    many = [finding("leftover-seen", n) for n in range(MOST_FINDINGS + 5)]
    notice = digest.notice(NIGHT, many)
    assert len(notice.findings) == MOST_FINDINGS + 1
    assert notice.findings[-1].subject == "5 more"
    assert notice.counts == {"secrets": 7, "findings": MOST_FINDINGS + 5}
