"""One whole rotation, from Key Vault's event to the last notice, judged by what the services themselves hold."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.company import Company, running
from tests.e2e.managed import Managed

WALKED = [
    *("open_record", "preflight", "notify_owners starting", "generate_credential", "verify_credential"),
    *("set_secret_version", "disable_old_version", "update_consumer", "confirm_consumer", "notify_owners switched"),
    *("check_old_credential_use", "retire_old_credential", "notify_owners done", "close_record"),
]


@dataclass(frozen=True)
class Walked:
    """A secret that an event rotated: what the world was like in its grace period, and what is on record."""

    managed: Managed
    old: str
    new: str
    old_in_grace: int
    new_in_grace: int
    versions_in_grace: list[dict[str, Any]]
    record: dict[str, Any]
    status: dict[str, Any]

    @property
    def newest(self) -> dict[str, Any]:
        """Return the version that was published."""
        return self.managed.versions()[-1]


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    """Run a company in which nothing else happens: what it holds in the end is of this rotation."""
    with running() as found:
        yield found


@pytest.fixture(scope="module")
def walked(company: Company) -> Walked:
    """Return a secret whose rotation Key Vault's event started, and that has ended."""
    managed = company.manage(event=True, grace="PT3S", tags={"team": "payments"})
    old = managed.value()
    managed.reaches("grace")
    new, versions = managed.value(), managed.versions()
    in_grace = managed.signs_in(old)[0], managed.signs_in(new)[0]
    status = managed.finished()
    assert status["runtimeStatus"] == "Completed", status
    return Walked(managed, old, new, *in_grace, versions, managed.records()[0], status)


def test_the_published_password_signs_in(walked: Walked) -> None:
    """Whoever reads the vault gets a new password that Entra takes, and no other password works."""
    status, answer = walked.managed.signs_in(walked.new)
    assert status == 200, answer
    assert walked.new != walked.old
    assert walked.managed.working() == [walked.new]


def test_azure_devops_signs_in_with_it(company: Company, walked: Walked) -> None:
    """The service connection holds the published password, and the portal's Verify button says that it works."""
    assert walked.managed.endpoint()["secrets"] == {"serviceprincipalkey": walked.new}
    assert company.verify_button(walked.managed)["statusCode"] == "ok"


def test_the_old_password_works_in_grace_and_not_after(walked: Walked) -> None:
    """Whoever holds a copy has the grace period to fetch the new one; then Entra refuses the old one."""
    assert (walked.old_in_grace, walked.new_in_grace) == (200, 200)
    status, answer = walked.managed.signs_in(walked.old)
    assert status == 401, answer
    assert answer["error_codes"] == [7000215]


def test_the_old_version_is_disabled_once_the_new_one_is_out(walked: Walked) -> None:
    """There are two versions, the newest of them readable, the old one disabled from the switch on."""
    for versions in (walked.versions_in_grace, walked.managed.versions()):
        assert [v["enabled"] for v in versions] == [False, True]


def test_the_new_version_says_what_it_is(walked: Walked) -> None:
    """All tags people wrote are kept, Rekey's two are added; end, beginning and content type are those of the value."""
    old, new = walked.managed.versions()
    password = walked.managed.passwords()[-1]
    written = {"rekey-rotation-id": walked.record["rotation_id"], "rekey-key-id": password["key_id"]}
    assert new["tags"] == {**old["tags"], **written}
    assert new["tags"]["team"] == "payments"
    assert new["content_type"] == old["content_type"] == "application/x-password"
    assert new["exp"] == datetime.fromisoformat(password["end"]).timestamp()
    assert datetime.fromisoformat(walked.record["opened"]).timestamp() - 1 <= new["nbf"] <= new["created"] + 1


def test_the_password_is_labelled_with_deployment_and_rotation(walked: Walked) -> None:
    """Whoever looks at the application sees who made the password and in which rotation."""
    assert walked.managed.passwords()[-1]["display_name"] == f"rekey/local/{walked.record['rotation_id']}"


def test_the_staged_value_is_gone_for_good(company: Company, walked: Walked) -> None:
    """The staging vault holds nothing any more: the staged value was deleted and purged."""
    staging = company.vault_state(company.scenario.staging)
    assert (staging["secrets"], staging["deleted"]) == ({}, {})
    assert staging["purged"] == [f"staged-{walked.record['rotation_id']}"]


def test_two_copies_of_the_event_cause_one_rotation(company: Company, walked: Walked) -> None:
    """Event Grid delivers at least once: two copies, one password asked for, one record, one instance."""
    company.drained()
    copies = company.stack.control.state()["eventgrid"]["deliveries"]
    near = [c for c in copies if c["type"] == "Microsoft.KeyVault.SecretNearExpiry"]
    assert len(near) == 2
    assert walked.managed.changes() == ["addPassword", "removePassword"]
    assert len(walked.managed.records()) == 1
    assert company.instances() == [walked.managed.instance]


def test_each_notice_reaches_whom_it_concerns(company: Company, walked: Walked) -> None:
    """The owner is told at the start, at the switch and at the end; the third party at the switch only."""
    owner, third_party = company.scenario.owner, company.scenario.third_party
    assert [(kind, mail["to"]) for kind, mail in zip(walked.managed.told(), walked.managed.mails(), strict=True)] == [
        ("starting", [owner]),
        ("switched", [owner, third_party]),
        ("done", [owner]),
    ]
    assert [m["duplicates"] for m in walked.managed.mails()] == [0, 0, 0]


def test_notices_name_secret_application_and_dates(walked: Walked) -> None:
    """Every mail, as text and as HTML, names secret and application; the switch says until when the old one works."""
    managed = walked.managed
    ends = f"{datetime.fromtimestamp(walked.newest['exp'], UTC):%-d %B %Y}"
    for mail in managed.mails():
        for body in (mail["text"], mail["html"]):
            assert f"{managed.vault}/{managed.secret}" in body
            assert managed.client_id in body
    _, switched, done = managed.mails()
    assert re.search(r"old password works until \w+, \d+ \w+ \d{4}, \d\d:\d\d UTC", switched["text"])
    assert walked.newest["id"] in switched["text"]
    assert ends in switched["text"]
    assert managed.connection in switched["text"]
    assert "not checked" in " ".join(done["text"].split())


def test_the_record_has_every_step_in_order(walked: Walked) -> None:
    """The evidence names every step that was taken, and is closed."""
    steps = [
        f"{e['step']} {e['detail']['kind']}" if e["step"] == "notify_owners" else e["step"] for e in _entries(walked)
    ]
    assert steps == WALKED
    assert {e["outcome"] for e in _entries(walked)} == {"ok"}
    assert (walked.record["state"], walked.record["result"]) == ("closed", "done")
    assert walked.record["requested_by"] == "Event Grid"


def test_the_record_says_what_was_done(walked: Walked) -> None:
    """The evidence names versions and key ids, and how the consumer was confirmed."""
    detail: dict[str, Any] = {e["step"]: e["detail"] for e in _entries(walked) if e.get("detail")}
    old, new = walked.managed.versions()
    by_hand, made = walked.managed.passwords()
    assert walked.record["old_version"] == old["id"]
    assert detail["set_secret_version"]["version"] == new["id"]
    assert detail["generate_credential"]["key_id"] == made["key_id"]
    assert detail["retire_old_credential"]["removed"] == [by_hand["key_id"]]
    assert "TestConnection" in detail["confirm_consumer"]["confirmed_by"]


def test_the_record_is_opened_before_the_first_side_effect(company: Company, walked: Walked) -> None:
    """Whatever is changed or mailed, there was evidence of the rotation before."""
    opened = datetime.fromisoformat(_entries(walked)[0]["at"])
    effects = [r for r in company.stack.control.requests() if r["method"] != "GET" and r["service"] != "entra"]
    assert effects
    assert all(datetime.fromisoformat(r["at"]) > opened for r in effects)


def test_the_record_holds_no_password(walked: Walked) -> None:
    """The evidence may be read by many: neither password is in it, nor their first characters in a row."""
    text = json.dumps(walked.record)
    for value in (walked.old, walked.new):
        assert value not in text
        assert value[:12] not in text


def test_progress_ends_with_the_consumer_confirmed(walked: Walked) -> None:
    """What the portal shows at the end: done, one consumer of one confirmed."""
    shown = walked.status["customStatus"]
    assert (shown["step"], shown["state"]) == ("close_record", "done")
    assert shown["consumers"] == {"total": 1, "confirmed": 1, "failed": 0}
    assert walked.status["output"] == {"result": "done", "rotation_id": walked.record["rotation_id"]}


def test_a_version_can_stay_enabled_until_its_password_is_retired(company: Company) -> None:
    """With rekey-disable-old=at-retire, readers that pin a version can read it through the grace period."""
    managed = company.manage(grace="PT2S", tags={"rekey-disable-old": "at-retire"})
    company.start({**managed.request, "reason": "manual"}, managed.instance)
    managed.reaches("grace")
    assert [v["enabled"] for v in managed.versions()] == [True, True]
    assert managed.finished()["output"]["result"] == "done"
    assert [v["enabled"] for v in managed.versions()] == [False, True]
    assert managed.working() == [managed.value()]


def _entries(walked: Walked) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = walked.record["entries"]
    return entries
