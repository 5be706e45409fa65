"""What is judged of each kind is computed, too: one thing spoiled where it issues or holds credentials is named."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from local.answer import Answer
from local.judge import checks
from local.seen import Seen
from tests.demo import finished_kinds as kinds
from tests.demo.finished import NEW, OLD, connection, record, staging, versions
from tests.demo.finished_kinds import (
    GROUP,
    PIPELINE,
    PLACES,
    REFERENCE,
    SETTING,
    WORKFLOW,
    State,
    acknowledged,
    by_hand,
    keys,
)

ACKNOWLEDGED = "it was acknowledged that they have it"
NOTHING_ELSE = "nothing else in the company changed"


def failed(judged: Seen) -> set[str]:
    """Return the names of the checks that don't hold."""
    return {check.name for check in checks(judged) if not check.ok}


@pytest.mark.parametrize("kind", PLACES)
def test_place_that_got_the_value_is_approved(kind: str) -> None:
    """Every check holds where a consumer has the new value and nothing beside it changed."""
    assert failed(PLACES[kind].seen()) == set()


SPOILED_PLACES: list[tuple[str, Callable[[State], None], str]] = [
    (
        "app-setting",
        lambda s: kinds.site(s, SETTING.site_id)["environment"].update({SETTING.setting: OLD}),
        "the app setting holds exactly that value",
    ),
    (
        "app-setting",
        lambda s: kinds.site(s, SETTING.site_id)["environment"].pop(SETTING.setting),
        "the app setting holds exactly that value",
    ),
    ("app-setting", lambda s: s["arm"]["Microsoft.Web"].clear(), "the app setting holds exactly that value"),
    ("app-setting", lambda s: kinds.site(s, SETTING.site_id)["settings"].pop("Other__Secret"), NOTHING_ELSE),
    (
        "app-setting",
        lambda s: kinds.site(s, SETTING.site_id)["slots"]["staging"]["settings"].update({SETTING.setting: NEW}),
        NOTHING_ELSE,
    ),
    (
        "key-vault-reference",
        lambda s: kinds.site(s, REFERENCE.site_id)["environment"].update({REFERENCE.setting: OLD}),
        "the reference gives the app that value",
    ),
    (
        "key-vault-reference",
        lambda s: kinds.site(s, REFERENCE.site_id)["settings"].update({REFERENCE.setting: NEW}),
        NOTHING_ELSE,
    ),
    ("key-vault-reference", lambda s: kinds.site(s, REFERENCE.site_id).update(restarts=1), NOTHING_ELSE),
    (
        "logic-app",
        lambda s: kinds.workflow(s)[WORKFLOW.parameter].update(value=OLD),
        "the workflow has exactly that value",
    ),
    ("logic-app", lambda s: kinds.workflow(s).pop(WORKFLOW.parameter), "the workflow has exactly that value"),
    ("logic-app", lambda s: kinds.workflow(s)["region"].update(value="northeurope"), NOTHING_ELSE),
    (
        "azdo-variable-group",
        lambda s: kinds.project(s)["variable_groups"][GROUP.group]["secrets"].update({GROUP.variable: OLD}),
        "the variable holds exactly that value",
    ),
    (
        "azdo-variable-group",
        lambda s: kinds.project(s)["variable_groups"][GROUP.group]["secrets"].pop("OtherSecret"),
        NOTHING_ELSE,
    ),
    (
        "azdo-variable-group",
        lambda s: kinds.project(s)["variable_groups"][GROUP.group]["document"]["variables"].clear(),
        NOTHING_ELSE,
    ),
    (
        "azdo-pipeline",
        lambda s: kinds.project(s)["pipelines"][PIPELINE.pipeline]["runs"].clear(),
        "its pipeline ran once and succeeded",
    ),
    (
        "azdo-pipeline",
        lambda s: kinds.project(s)["pipelines"][PIPELINE.pipeline]["runs"].append({"id": 8, "result": "succeeded"}),
        "its pipeline ran once and succeeded",
    ),
    (
        "azdo-pipeline",
        lambda s: kinds.project(s)["pipelines"][PIPELINE.pipeline]["runs"][0].update(result="failed"),
        "its pipeline ran once and succeeded",
    ),
    (
        "azdo-pipeline",
        lambda s: kinds.project(s)["pipelines"]["neighbour"]["runs"].append({"id": 8, "result": "succeeded"}),
        NOTHING_ELSE,
    ),
]


@pytest.mark.parametrize(("kind", "spoil", "check"), SPOILED_PLACES)
def test_spoiled_place_is_named(kind: str, spoil: Callable[[State], None], check: str) -> None:
    """Another value, a lost one, or a neighbour that changed fails the check that is about it."""
    assert check in failed(PLACES[kind].seen(spoil))


@pytest.mark.parametrize("kind", [kind for kind in PLACES if kind != "azdo-pipeline"])
def test_copy_that_does_not_work_is_named(kind: str) -> None:
    """A copy that was tried and refused fails a check, and so does one that nobody tried."""
    place = PLACES[kind]
    uses = list(place.consumer.judgements())[-1]
    whole = place.seen()
    refused = {**whole.tried, place.consumer.uri(): Answer(401, "AADSTS7000215")}
    assert failed(whole.but(tried=refused)) == {uses}
    assert uses in failed(whole.but(tried={}))


def test_acknowledged_rotation_is_approved() -> None:
    """Every check holds where a third party was told and it was put down, in time, that they have the new one."""
    assert failed(by_hand(acknowledged())) == set()


@pytest.mark.parametrize(
    ("judged", "check"),
    [
        (by_hand(record()), ACKNOWLEDGED),
        (by_hand(acknowledged(subject="manual:somebody@else.example")), ACKNOWLEDGED),
        (by_hand(acknowledged("04:46:36")), ACKNOWLEDGED),
        (by_hand(msgspec.structs.replace(acknowledged(), entries=())), ACKNOWLEDGED),
        (by_hand(acknowledged(), to=()), "each mail went once, to the right people"),
        (by_hand(acknowledged(), to=(kinds.PERSON.mail,) * 2), "each mail went once, to the right people"),
    ],
)
def test_third_party_left_out_is_named(judged: Seen, check: str) -> None:
    """Nobody said so, or of somebody else, or too late; or the third party was never told, or twice."""
    assert check in failed(judged)


def test_keys_in_turn_are_approved() -> None:
    """Every check holds where the key not in use was made anew, published, and then the other one."""
    assert failed(keys()) == set()


SPOILED_KEYS: dict[str, tuple[Callable[[State], None], str]] = {
    "the key in use was published again": (
        lambda s: kinds.account(s)["keys"].update(
            key1=kinds.account(s)["keys"]["key2"], key2=kinds.account(s)["keys"]["key1"]
        ),
        "it is key2, which was not in use",
    ),
    "another value was published": (
        lambda s: versions(s)[1].update(value=kinds.KEYS.dressed("c29tZXRoaW5nLWVsc2U=")),
        "it is key2, which was not in use",
    ),
    "the old key was left": (
        lambda s: kinds.account(s)["keys"]["key1"].update(value=kinds.KEYS.key),
        "each key was made anew once, key1 last",
    ),
    "a key was made anew twice": (
        lambda s: kinds.account(s).update(regenerations=3),
        "each key was made anew once, key1 last",
    ),
    "the old key went before the new one came": (
        lambda s: kinds.account(s)["keys"]["key1"].update(creation_time="2026-11-21T04:46:20.0000000Z"),
        "each key was made anew once, key1 last",
    ),
    "another generation is in the tag": (
        lambda s: versions(s)[1]["tags"].update({"rekey-key-id": "key2@2026-11-21T04:46:28.0000000Z"}),
        "the version names its rotation and key",
    ),
    "the version never ends": (lambda s: versions(s)[1].update(exp=None), "the version ends when the policy says"),
    "the version ends early": (
        lambda s: versions(s)[1].update(exp=versions(s)[1]["exp"] - 7200),
        "the version ends when the policy says",
    ),
    "a key was staged": (
        lambda s: staging(s)["purged"].append("staged-1"),
        "nothing is left in the staging vault",
    ),
    "more was regenerated than one rotation does": (
        lambda s: kinds.account(s).update(regenerations=1),
        "however often the event came: one rotation",
    ),
    "the company's connection was changed": (
        lambda s: connection(s)["secrets"].update(serviceprincipalkey=NEW),
        NOTHING_ELSE,
    ),
    "another account's key was made anew": (
        lambda s: s["arm"]["Microsoft.Storage"].update(another={"keys": {}, "regenerations": 1}),
        NOTHING_ELSE,
    ),
}


@pytest.mark.parametrize("what", sorted(SPOILED_KEYS))
def test_spoiled_key_is_named(what: str) -> None:
    """One thing that is wrong with keys made in turn makes the check fail that is about it."""
    spoil, check = SPOILED_KEYS[what]
    assert check in failed(keys(spoil))


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"tried_new": Answer(403, "AuthenticationFailed: no")}, "its key opens the storage account"),
        ({"tried_old": Answer(200, "the blob service's properties")}, "the old key is refused"),
        ({"tried_old": Answer(403, "AuthorizationFailure: a network rule")}, "the old key is refused"),
        ({"records": ()}, "the version ends when the policy says"),
    ],
)
def test_key_that_is_answered_wrongly_is_named(changes: dict[str, Any], check: str) -> None:
    """What the storage account answers to old and new key is judged."""
    assert check in failed(keys(**changes))


def test_checks_of_kinds_never_tell_a_value() -> None:
    """What is printed of a check has no key, password or canary in it, whether it holds or not."""
    judged = [place.seen() for place in PLACES.values()] + [keys()]
    judged += [PLACES[kind].seen(spoil) for kind, spoil, _ in SPOILED_PLACES]
    judged += [keys(spoil) for spoil, _ in SPOILED_KEYS.values()]
    told = " ".join(check.seen for seen in judged for check in checks(seen))
    values = {value for seen in judged for value in (seen.new.value, seen.old.value, kinds.KEYS.key, OLD, NEW)}
    assert not [value for value in values if value in told]
