"""Who reads the vault: strangers are told of once, whatever dies meanwhile and however late the log is."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from local.onlooker import Onlooker
from local.processes import wait_until
from local.scenario import INTRUDER, JOB, Scenario
from local.watching import watched
from rekey import names
from tests.e2e.company import Company, running
from tests.e2e.managed import Managed

KILLED = (names.READ_AUDIT_LOG, names.PLAN_ALERTS, names.NOTIFY_OWNERS, names.SETTLE_ALERT)


@dataclass(frozen=True)
class Watched:
    """A company whose vaults have an audit log; `hits` is the file that says when the app is to be killed."""

    company: Company
    onlooker: Onlooker
    hits: Path

    def secret(self) -> Managed:
        """Make a secret that the job may read."""
        return self.company.manage(tags={"rekey-readers": self.company.scenario.job})

    def read(self, identity: str, managed: Managed, version: str = "") -> int:
        """Read a secret and return the status."""
        return self.onlooker.read_secret(identity, managed.vault, f"{managed.secret}/{version}").status

    def look(self, *, late: int = 0) -> dict[str, Any]:
        """Have the app look at the logs and return what came of it; nothing may have failed."""
        output: dict[str, Any] = watched(self.company.stack, late=late, timeout=120)["output"]
        assert (output["result"], output["failed"], output["left"]) == ("done", [], []), output
        return output

    def alerts(self, about: str) -> list[dict[str, Any]]:
        """Return the alerts whose subject or text has this."""
        mails = [mail for mail in self.company.stack.control.outbox() if mail["subject"].startswith("[Rekey] alert")]
        return [mail for mail in mails if about in mail["subject"] + mail["text"]]

    def log(self, **setting: Any) -> None:
        """Have the vaults' log written otherwise from now on."""
        target = {"connection_string": self.company.stack.storage.connection_string, **setting}
        self.company.stack.control.seed({"audit": target})

    def client_id(self, identity: str) -> str:
        """Return an identity's client id."""
        found: str = self.company.stack.control.state()["entra"]["identities"][identity]["client_id"]
        return found

    def kill_at(self, *places: tuple[str, str]) -> None:
        """Have the app killed at the next start or end of each activity: at its end it is done, and nobody knows."""
        file = self.hits.with_name(f"{self.hits.name}.counts")
        counts = json.loads(file.read_text()) if file.exists() else {}
        hits = [{"activity": name, "at": at, "occurrence": counts.get(name, 0) + 1} for name, at in places]
        self.hits.write_text(json.dumps(hits))


@contextmanager
def company_in(folder: Path) -> Iterator[Watched]:
    """Run a company whose vaults have an audit log; of one vault ten mails an hour are sent, and more together."""
    hits = folder / "hits.json"
    hits.write_text("[]")
    with running(folder, Scenario(audited=True), LOCAL_HOST_KILL_FILE=str(hits)) as company:
        yield Watched(company, Onlooker(company.stack), hits)


@pytest.fixture(scope="module")
def watching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Run one company for the tests of this file, which cause fewer alerts than ten; each has a secret of its own."""
    with company_in(tmp_path_factory.mktemp("watched")) as found:
        yield found


def test_a_stranger_is_told_of_once_and_nobody_else(watching: Watched) -> None:
    """A read by somebody whom the secret doesn't name is one mail to owner and operators, however often one looks."""
    managed = watching.secret()
    assert [watching.read(who, managed) for who in (JOB, INTRUDER)] == [200, 200]
    assert watching.look()["counts"]["alerts"] == 1
    assert watching.look()["counts"]["alerts"] == 0
    (mail,) = watching.alerts(managed.secret)
    scenario = watching.company.scenario
    assert sorted(mail["to"]) == sorted((scenario.owner, scenario.operator))
    assert "Rule: unexpected-reader" in mail["text"]
    assert f"Application id: {watching.client_id(INTRUDER)}" in mail["text"]
    assert (watching.alerts(watching.client_id(JOB)), watching.alerts(watching.client_id("rekey"))) == ([], [])


def test_kills_neither_lose_nor_repeat_an_alert(watching: Watched) -> None:
    """The app dies when it has read, decided, sent and settled: the mail goes once, and nothing is told again."""
    managed = watching.secret()
    watching.look()
    assert watching.read(INTRUDER, managed) == 200
    watching.kill_at(*((activity, "end") for activity in KILLED))
    watching.look()
    assert json.loads(watching.hits.read_text()) == []
    watching.look()
    (mail,) = watching.alerts(managed.secret)
    assert "Times: once" in mail["text"]
    assert mail["duplicates"] == 1, "who died when it had sent the mail sends it again, under the same id"


@pytest.mark.exhaustive
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("activity", [names.LIST_AUDIT_LOGS, *KILLED])
def test_a_kill_anywhere_leaves_one_mail(tmp_path: Path, activity: str, at: str) -> None:
    """Wherever the app dies once in a pass that has something to tell, it is told once."""
    with company_in(tmp_path) as watching:
        managed = watching.secret()
        assert watching.read(INTRUDER, managed) == 200
        watching.kill_at((activity, at))
        watching.look()
        assert json.loads(watching.hits.read_text()) == []
        assert watching.look()["counts"]["alerts"] == 0
        assert [mail["text"].count("Times: once") for mail in watching.alerts(managed.secret)] == [1]


def test_what_comes_late_is_told_when_it_comes(watching: Watched) -> None:
    """Records that reach the log after others, in this hour's blob and in one of two hours ago, are told once each."""
    slow, earlier = watching.secret(), watching.secret()
    watching.log(delay=3600)
    assert watching.read(INTRUDER, slow) == 200
    long_ago = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    watching.company.stack.control.record_access(
        earlier.vault, "SecretGet", by=INTRUDER, secret=earlier.secret, address="198.51.100.9", at=long_ago
    )
    watching.log()
    assert watching.read(JOB, slow) == 200
    assert watching.look(late=3)["counts"]["alerts"] == 0, "a challenge, a read, and the one of two hours ago are late"
    watching.company.stack.control.flush_audit()
    assert watching.look()["counts"]["alerts"] == 2
    assert watching.look()["counts"]["alerts"] == 0
    assert [len(watching.alerts(managed.secret)) for managed in (slow, earlier)] == [1, 1]
    assert "Addresses: 198.51.100.9" in watching.alerts(earlier.secret)[0]["text"]


def test_a_change_of_the_vault_is_the_operators_business(watching: Watched) -> None:
    """Somebody changes the vault itself: the operators are told who, and no owner of a secret is."""
    control, scenario = watching.company.stack.control, watching.company.scenario
    control.seed({"users": {"mallory@contoso.example": {}}})
    control.record_access(scenario.vault, "VaultPatch", by="mallory@contoso.example")
    assert watching.look()["counts"]["alerts"] == 1
    (mail,) = watching.alerts("mallory@contoso.example")
    assert (mail["to"], "Rule: sensitive-operation" in mail["text"]) == ([scenario.operator], True)


def test_a_refused_reader_gets_the_old_version_back(watching: Watched) -> None:
    """The old version that a rotation disabled is enabled for an expected reader who pins it, and for nobody else."""
    managed = watching.company.manage(grace="PT1H", tags={"rekey-readers": watching.company.scenario.job})
    watching.company.start({**managed.request, "reason": "manual"}, managed.instance)
    managed.reaches(names.GRACE)
    old, new = managed.versions()
    wait_until(lambda: time.time() > new["created"] + 1, "the second of the switch is over")
    until = managed.status()["customStatus"]["next"]
    assert watching.read(INTRUDER, managed, old["id"]) == 403
    watching.look()
    assert not managed.versions()[0]["enabled"]
    assert watching.read(JOB, managed, old["id"]) == 403
    watching.look()
    wait_until(lambda: bool(managed.versions()[0]["enabled"]), "the old version is enabled")
    assert watching.read(JOB, managed, old["id"]) == 200
    wait_until(lambda: "still used" in managed.told(), "the owner is told")
    (mail,) = [mail for mail in managed.mails() if "] still used" in mail["subject"]]
    assert (watching.company.scenario.job in mail["text"], watching.client_id(INTRUDER) in mail["text"]) == (
        True,
        False,
    )
    wait_until(lambda: (managed.status()["customStatus"]["next"] or "") > until, "the grace period ends later")
