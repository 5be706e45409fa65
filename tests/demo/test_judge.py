"""The judgement is computed: a company in which all is well is approved, and one broken thing is named."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from local.answer import Answer
from local.judge import Check, checks
from local.leaks import Leak
from local.seen import Seen
from tests.demo import finished
from tests.demo.finished import NEW, OLD, SCENARIO, application, connection, seen, staging, versions


def failed(judged: Seen) -> set[str]:
    """Return the names of the checks that don't hold."""
    return {check.name for check in checks(judged) if not check.ok}


def after(change: Callable[[dict[str, Any]], Any]) -> Seen:
    """Return what is seen of a company in which one more thing was changed."""
    state = finished.after()
    change(state)
    return seen(after=state)


def test_good_rotation_is_approved() -> None:
    """Every check holds after a rotation that went well."""
    assert failed(seen()) == set()


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "newest disabled": (
        lambda s: versions(s)[1].update(enabled=False),
        "the newest version is new, and enabled",
    ),
    "never published": (lambda s: versions(s).pop(), "the newest version is new, and enabled"),
    "connection holds the old key": (
        lambda s: connection(s)["secrets"].update(serviceprincipalkey=OLD),
        "Azure DevOps stores exactly that value",
    ),
    "connection is gone": (
        lambda s: s["azuredevops"]["organizations"].clear(),
        "Azure DevOps stores exactly that value",
    ),
    "old version enabled": (lambda s: versions(s)[0].update(enabled=True), "the old version is disabled"),
    "old version gone": (lambda s: versions(s)[0].update(id="v0"), "the old version is disabled"),
    "staged value left": (
        lambda s: staging(s)["secrets"].update(staged={"phase": "active", "versions": []}),
        "the staged value is deleted and purged",
    ),
    "staged value deleted, not purged": (
        lambda s: staging(s)["deleted"].update(staged={}),
        "the staged value is deleted and purged",
    ),
    "nothing was ever staged": (
        lambda s: staging(s)["purged"].clear(),
        "the staged value is deleted and purged",
    ),
    "second password": (
        lambda s: application(s)["passwords"].append({**application(s)["passwords"][1], "value": "another"}),
        "one password is left, the published one",
    ),
    "old password not removed": (
        lambda s: application(s)["passwords"][0].update(removed=None),
        "one password is left, the published one",
    ),
    "another password published": (
        lambda s: versions(s)[1].update(value=f"{NEW}x"),
        "one password is left, the published one",
    ),
    "policy tag lost": (lambda s: versions(s)[1]["tags"].pop("rekey-grace"), "policy tags are kept"),
    "policy tag changed": (
        lambda s: versions(s)[1]["tags"].update({"rekey-owners": "eve@evil.example"}),
        "policy tags are kept",
    ),
    "unknown tag": (lambda s: versions(s)[1]["tags"].update(other="1"), "policy tags are kept"),
    "key id of another password": (
        lambda s: versions(s)[1]["tags"].update({"rekey-key-id": finished.OLD_KEY}),
        "the version names its rotation and key",
    ),
    "unknown rotation": (
        lambda s: versions(s)[1]["tags"].update({"rekey-rotation-id": "0"}),
        "the version names its rotation and key",
    ),
    "version outlives the password": (
        lambda s: versions(s)[1].update(exp=versions(s)[1]["exp"] + 1),
        "version and password expire together",
    ),
    "version never expires": (
        lambda s: versions(s)[1].update(exp=None),
        "version and password expire together",
    ),
    "mail missing": (lambda s: s["email"]["outbox"].pop(), "each mail went once, to the right people"),
    "mail twice": (
        lambda s: s["email"]["outbox"].append(s["email"]["outbox"][0]),
        "each mail went once, to the right people",
    ),
    "mail sent again": (
        lambda s: s["email"]["outbox"][0].update(duplicates=1),
        "each mail went once, to the right people",
    ),
    "mail to a stranger": (
        lambda s: s["email"]["outbox"][2].update(bcc=["eve@evil.example"]),
        "each mail went once, to the right people",
    ),
    "third party told nothing": (
        lambda s: s["email"]["outbox"][1].update(to=[SCENARIO.owner]),
        "each mail went once, to the right people",
    ),
    "neighbour's password removed": (
        lambda s: s["entra"]["applications"]["neighbour"]["passwords"][0].update(removed="2026-11-21T04:46:35+00:00"),
        "nothing else in the company changed",
    ),
    "field of the connection changed": (
        lambda s: connection(s)["document"].update(isShared=True),
        "nothing else in the company changed",
    ),
    "two versions written": (
        lambda s: versions(s).insert(1, deepcopy(versions(s)[1])),
        "however often the event came: one rotation",
    ),
    "event never delivered": (
        lambda s: s["eventgrid"]["deliveries"].clear(),
        "however often the event came: one rotation",
    ),
}


@pytest.mark.parametrize("what", sorted(BROKEN))
def test_broken_thing_is_named(what: str) -> None:
    """One thing that is wrong makes the check fail that is about it."""
    change, check = BROKEN[what]
    assert check in failed(after(change))


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"tried_new": Answer(401, finished.REFUSAL)}, "its value signs in at Entra"),
        ({"tried": {SCENARIO.connected.uri(): Answer(400, finished.REFUSAL)}}, "Azure DevOps signs in with it"),
        ({"tried_old": Answer(200, "a token for 3599 s")}, "the old password is refused"),
        ({"tried_old": Answer(503, "AADSTS90033: A transient error.")}, "the old password is refused"),
        ({"records": ()}, "the evidence is stored, closed as done"),
        ({"records": (finished.record(state="open", result=""),)}, "the evidence is stored, closed as done"),
        ({"records": (finished.record(result="failed"),)}, "the evidence is stored, closed as done"),
        (
            {"records": (finished.record(), finished.record(rotation_id="0"))},
            "however often the event came: one rotation",
        ),
        ({"leaks": (Leak("host.log", "Zq8...", "base64"),)}, "no secret leaked anywhere"),
    ],
)
def test_answer_or_evidence_that_is_wrong_is_named(changes: dict[str, Any], check: str) -> None:
    """What the services answered, what was stored and what leaked is judged."""
    assert check in failed(seen(**changes))


def test_checks_never_tell_a_value() -> None:
    """What is printed of a check never has a secret value in it, whether it holds or not."""
    broken: list[Check] = []
    for change, _ in BROKEN.values():
        broken += checks(after(change))
    told = " ".join(check.seen for check in [*checks(seen()), *broken])
    assert SCENARIO.canary not in told
