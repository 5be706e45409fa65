"""What Rekey refuses: it says so to whom it concerns, and changes nothing at all."""

import pytest

from tests.e2e.company import LOCKED, Company
from tests.e2e.managed import Managed


def test_a_bad_tag_is_told_once_and_nothing_is_changed(company: Company) -> None:
    """The instance names tag, value and expectation; owner and operators get one mail however often it is started."""
    managed = company.manage(tags={"rekey-grace": "a week"})
    before, written = managed.everything(), [v["updated"] for v in managed.versions()]
    for _ in range(3):
        status = company.rotate(managed)
        assert status["runtimeStatus"] == "Failed"
        assert all(words in str(status["output"]) for words in ("rekey-grace", "'a week'", "ISO 8601"))
    assert managed.told() == ["bad policy"]
    mail = managed.mails()[0]
    assert mail["to"] == sorted([company.scenario.owner, company.scenario.operator])
    assert all(words in mail["text"] for words in ("rekey-grace", "a week", "ISO 8601"))
    _unchanged(managed, before)
    assert [v["updated"] for v in managed.versions()] == written


def test_a_bad_tag_of_the_next_version_is_told_again(company: Company) -> None:
    """Once per version: whoever stored a new one with the same mistake hears of it again."""
    managed = company.manage(tags={"rekey-grace": "a week", "rekey-lead": "soon"})
    company.rotate(managed)
    company.store(managed, tags=managed.versions()[-1]["tags"])
    company.rotate(managed)
    assert managed.told() == ["bad policy"] * 2
    assert all("rekey-lead" in m["text"] for m in managed.mails())


def test_a_disabled_secret_is_left_alone(company: Company) -> None:
    """Somebody disabled the newest version on purpose; near-expiry events come all the same."""
    managed = company.manage(event=True, secret={"enabled": False})
    before = managed.everything()
    assert "disabled" in managed.ends("not-due")["output"]["reason"]
    _unchanged(managed, before)
    assert managed.mails() == []


def test_a_password_made_by_hand_is_left_alone_without_permission(company: Company) -> None:
    """Without rekey-adopt nothing proves which password the old version holds: it works on, and the notice says so."""
    managed = company.manage(tags={"rekey-adopt": None})
    old = managed.value()
    assert company.rotate(managed)["output"]["result"] == "done"
    assert managed.signs_in(old)[0] == 200
    assert sorted(managed.working()) == sorted([old, managed.value()])
    done = " ".join(managed.mails()[-1]["text"].split())
    assert "left alone" in done
    assert "rekey-adopt=true" in done
    assert "removePassword" not in managed.changes()


def test_a_connection_that_may_not_be_written_stops_it_beforehand(company: Company) -> None:
    """Preflight finds that the identity lacks Administrator: the notice names what is missing and who grants it."""
    managed = company.manage(project=LOCKED)
    before = managed.everything()
    status = company.rotate(managed)
    assert status["runtimeStatus"] == "Failed"
    assert "not-administrator" in str(status["output"])
    assert managed.told() == ["failed"]
    failed = managed.mails()[0]
    text = " ".join(failed["text"].split())
    assert company.scenario.operator in failed["to"]
    assert "may not administer" in text
    assert managed.connection in text
    assert "Administrator" in text
    _unchanged(managed, before)
    assert [(r["state"], r["result"]) for r in managed.records()] == [("closed", "failed")]


def test_an_application_that_the_identity_does_not_own_stops_it_beforehand(company: Company) -> None:
    """Preflight finds that Graph would refuse: the notice holds the command that makes the identity an owner."""
    managed = company.manage(application={"owners": []})
    before = managed.everything()
    assert "not-owner" in str(company.rotate(managed)["output"])
    assert f"az ad app owner add --id {managed.client_id}" in " ".join(managed.mails()[0]["text"].split())
    _unchanged(managed, before)


@pytest.mark.parametrize(("tag", "value"), [("rekey-approval", "required"), ("rekey-window", "Sat 02:00 PT4H")])
def test_a_gate_that_does_not_exist_yet_is_refused(company: Company, tag: str, value: str) -> None:
    """A policy that asks to wait for somebody or some time isn't ignored: nothing happens, and the notice says why."""
    managed = company.manage(tags={tag: value})
    before = managed.everything()
    assert "gate-not-built" in str(company.rotate(managed)["output"])
    assert managed.told()[-1] == "failed"
    assert tag in managed.mails()[-1]["text"]
    _unchanged(managed, before)


def _unchanged(managed: Managed, before: object) -> None:
    assert managed.everything() == before
    assert managed.changes() == []
