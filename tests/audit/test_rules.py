"""The rules: what each of them hits, and what comes near it and isn't hit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rekey import audit_settings
from rekey.audit import first_party, operations
from rekey.audit.access import Access, Caller
from rekey.audit.judging import judge
from rekey.audit.ports import Hit, Known, Watched
from rekey.audit.tally import Tally
from rekey.registry import AUDIT_RULES, audit_rule
from tests.audit.lines import APP, OBJECT, V1, V2, VAULT, line

RULES = [audit_rule(name)() for name in AUDIT_RULES]
NOON = datetime(2030, 1, 5, 12, tzinfo=UTC)
STRANGER = Caller(app_id="eeeeeeee-0000-4000-8000-000000000001", object_id="eeeeeeee-0000-4000-8000-000000000002")
REKEY = Caller(app_id="aaaaaaaa-0000-4000-8000-000000000001", object_id="aaaaaaaa-0000-4000-8000-000000000002")
JOB = Caller(app_id=APP, object_id=OBJECT)
APP_SERVICE = Caller(app_id="abfa0a7c-a6b6-4736-8310-5855508787cd", object_id=OBJECT)
NOBODY_ELSE: frozenset[str] = frozenset()
OWNER = "dana@contoso.example"
ROTATED = Watched(managed=True, current=V2, previous=V1, switched=NOON, owners=(OWNER,))


def access(operation: str = "SecretGet", caller: Caller = STRANGER, status: int = 200, **fields: Any) -> Access:
    """Return what somebody did with the secret `deploy` just after noon."""
    secret = "deploy" if operation.startswith("Secret") else ""
    base = Access(vault=VAULT, operation=operation, status=status, caller=caller, first=NOON, last=NOON, secret=secret)
    return replace(base, **{"last": NOON + timedelta(seconds=30)} | fields)


def known(watched: Watched | None = None, readers: frozenset[str] | None = None, **fields: Any) -> Known:
    """Return what is known of a vault that has that one secret."""
    secrets = {"deploy": watched} if watched else {}
    return Known(own=REKEY.known_as(), readers=readers, secrets=secrets, **fields)


def hits(one: Access, of: Known) -> list[str]:
    """Return the ids of the rules that an access hits."""
    return [hit.rule for hit in judge([one], of, RULES)]


def readers(*ids: str) -> Watched:
    """Return a secret that these ids may read."""
    return Watched(readers=frozenset(ids))


def test_every_rule_can_be_switched_off_and_explains_itself() -> None:
    """What settings know, what can be loaded, and what the rules call themselves are the same names."""
    assert tuple(AUDIT_RULES) == audit_settings.RULES == tuple(rule.id for rule in RULES)
    assert all(rule.explanation.endswith(".") and rule.what_to_do.endswith(".") for rule in RULES)


def test_a_rule_that_is_off_hits_nothing() -> None:
    """Only the rules that are given judge."""
    one, of = access(version=V1), known(replace(ROTATED, readers=NOBODY_ELSE))
    assert [hit.rule for hit in judge([one], of, RULES)] == ["unexpected-reader", "old-version-read"]
    assert [hit.rule for hit in judge([one], of, RULES[1:])] == ["old-version-read"]


def test_a_hit_names_the_secrets_owners() -> None:
    """Who is told of it is who owns the secret; what is about the vault has no owners."""
    of = known(replace(ROTATED, readers=NOBODY_ELSE))
    about_secret, about_vault = access(version=V2), access("VaultPatch")
    assert judge([about_secret, about_vault], of, RULES) == [
        Hit(rule="unexpected-reader", access=about_secret, owners=(OWNER,)),
        Hit(rule="sensitive-operation", access=about_vault),
    ]


@pytest.mark.parametrize(
    ("one", "of"),
    [
        (access(), known(readers(APP))),
        (access(), known(readers=frozenset({APP}))),
        (access(), known(readers=NOBODY_ELSE)),
        (access(caller=JOB), known(readers(STRANGER.app_id), readers=frozenset({APP}))),
        (access(status=403), known(readers(APP))),
        (access(status=403, disabled=True), known(readers(APP))),
        (access(caller=replace(APP_SERVICE, app_id=REKEY.app_id[:-1] + "9")), known(readers(APP))),
        (access(caller=APP_SERVICE, status=403), known(readers(APP))),
        (access(), known(closed=True)),
        (access("SecretList", secret=""), known(closed=True)),
        (access(caller=APP_SERVICE, status=403), known(closed=True)),
    ],
)
def test_unexpected_readers_are_hit(one: Access, of: Known) -> None:
    """By the secret's own list, else by the vault's; refused or not; whatever is done in the staging vault."""
    assert hits(one, of) == ["unexpected-reader"]


@pytest.mark.parametrize(
    ("one", "of"),
    [
        (access(), known()),
        (access(caller=JOB), known(readers(APP))),
        (access(caller=JOB), known(readers(OBJECT))),
        (access(caller=JOB), known(readers=frozenset({OBJECT}))),
        (access(), known(readers(STRANGER.app_id), readers=frozenset({APP}))),
        (access(caller=REKEY), known(readers(APP))),
        (access(caller=Caller(object_id=REKEY.object_id)), known(readers=NOBODY_ELSE)),
        (access(caller=APP_SERVICE), known(readers(APP))),
        (access("SecretList", secret=""), known(readers=NOBODY_ELSE)),
        (access("SecretListVersions"), known(readers(APP))),
        (access("KeyGet"), known(readers=NOBODY_ELSE)),
        (access(status=404), known(readers=NOBODY_ELSE)),
        (access(status=429), known(readers=NOBODY_ELSE)),
        (access(caller=REKEY), known(closed=True)),
    ],
)
def test_expected_readers_are_not_hit(one: Access, of: Known) -> None:
    """Nor is who reads where no list is, Rekey, one of Azure's own that is let in, or who gets no value."""
    assert hits(one, of) == []


def test_azures_own_readers_are_exempt_of_that_rule_alone() -> None:
    """They load certificates: who else does things in their name isn't them."""
    of = known(replace(ROTATED, readers=NOBODY_ELSE))
    assert hits(access(caller=APP_SERVICE, version=V1), of) == ["old-version-read"]
    assert hits(access("SecretDelete", caller=APP_SERVICE), of) == ["sensitive-operation"]
    assert all(one == one.lower() for one in first_party.READERS)


@pytest.mark.parametrize("status", [200, 403])
def test_reads_of_an_old_version_are_hit(status: int) -> None:
    """Whether the old version still answers or is disabled: its reader will break at the latest when it is retired."""
    assert hits(access(version=V1, status=status, caller=JOB), known(ROTATED)) == ["old-version-read"]
    assert hits(access(version="0" * 32, status=status, caller=JOB), known(ROTATED)) == ["old-version-read"]


@pytest.mark.parametrize(
    ("one", "watched"),
    [
        (access(version=V2), ROTATED),
        (access(version=""), ROTATED),
        (access(version=V1, last=NOON), ROTATED),
        (access(version=V1, caller=REKEY), ROTATED),
        (access(version=V1, status=404), ROTATED),
        (access("SecretListVersions", version=V1), ROTATED),
        (access(version=V1), replace(ROTATED, current="", switched=None)),
        (access(version=V1), Watched(managed=True)),
    ],
)
def test_other_reads_are_no_reads_of_an_old_version(one: Access, watched: Watched) -> None:
    """The current version, none named, before the switch, Rekey itself, a version nobody has, or nothing known."""
    assert hits(one, known(watched)) == []


@pytest.mark.parametrize("operation", ["SecretSet", "SecretUpdate", "SecretRestore", "SecretRecover"])
def test_changes_of_managed_secrets_by_others_are_hit(operation: str) -> None:
    """A version, a tag, a restored copy: none of it is Rekey's doing."""
    assert hits(access(operation, caller=JOB), known(ROTATED)) == ["outside-rekey-change"]


@pytest.mark.parametrize(
    ("one", "watched"),
    [
        (access("SecretSet", caller=REKEY), ROTATED),
        (access("SecretSet", status=403), ROTATED),
        (access("SecretSet", status=409), ROTATED),
        (access("SecretSet"), Watched(readers=frozenset({APP}))),
        (access("SecretGet"), ROTATED),
        (access("SecretListVersions"), ROTATED),
    ],
)
def test_other_changes_are_not_hit(one: Access, watched: Watched) -> None:
    """Rekey's own, those that Key Vault refused, those of secrets that nobody rotates, and what changes nothing."""
    assert hits(one, known(watched)) == []


@pytest.mark.parametrize("operation", sorted(operations.SENSITIVE))
@pytest.mark.parametrize("status", [200, 403])
def test_sensitive_operations_are_hit_whoever_tries(operation: str, status: int) -> None:
    """Rekey deletes nothing where secrets are used, and never changes a vault: if it does, it isn't Rekey."""
    callers = (STRANGER, REKEY, APP_SERVICE, Caller())
    of = known(replace(ROTATED, readers=frozenset({STRANGER.app_id})))
    assert [hits(access(operation, caller=one, status=status), of) for one in callers] == [["sensitive-operation"]] * 4


def test_rekey_may_destroy_what_it_staged() -> None:
    """In its own vault, and nothing else there; somebody else may not even look."""
    of = known(closed=True)
    assert hits(access("SecretDelete", caller=REKEY), of) == hits(access("SecretPurge", caller=REKEY), of) == []
    assert hits(access("SecretBackup", caller=REKEY), of) == ["sensitive-operation"]
    assert hits(access("SecretPurge"), of) == ["unexpected-reader", "sensitive-operation"]


@pytest.mark.parametrize(
    "one",
    [access("SecretDelete", status=404), access("SecretPurge", status=409), access("VaultGet"), access("SecretGet")],
)
def test_what_did_not_happen_or_is_daily_work_is_not_sensitive(one: Access) -> None:
    """A deletion that is running, a secret that isn't there, a look at the vault."""
    assert hits(one, known(ROTATED)) == []


ids = st.sampled_from([APP, OBJECT, REKEY.app_id, STRANGER.app_id, ""])


@given(st.text(), st.sampled_from(sorted(operations.SENSITIVE | operations.CHANGES | operations.READS)), ids, ids)
def test_rekey_and_expected_readers_alert_nobody_whatever_they_ask_for(
    path: str, operation: str, app_id: str, object_id: str
) -> None:
    """Through the whole of it, line to hit: only who isn't listed is an unexpected reader, however the path looks."""
    tally = Tally(VAULT)
    tally.add(line(f"/secrets/{path}", operation, claim={"appid": app_id, "oid": object_id}))
    of = known(readers=frozenset({APP, OBJECT}))
    found = {hit.rule for hit in judge(tally.accesses(), of, RULES)}
    expected = {app_id, object_id} & {APP, OBJECT, REKEY.app_id} or {app_id, object_id} == {""}
    assert ("unexpected-reader" in found) == (operation == "SecretGet" and not expected)
    assert ("sensitive-operation" in found) == (operation in operations.SENSITIVE)
