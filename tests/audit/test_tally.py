"""Lines of the audit log become accesses: who did what to which secret, once for each minute."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey.audit import tally as tallies
from rekey.audit.access import Access, Caller
from rekey.audit.tally import Tally
from tests.audit.lines import APP, DISABLED, HOST, OBJECT, OBJECT_ID, REFUSED, UPN, V1, V2, VAULT, entry, line


def tallied(*lines: bytes) -> list[Access]:
    """Return the accesses of these lines."""
    tally = Tally(VAULT.upper())
    for one in lines:
        tally.add(one)
    return tally.accesses()


def the(*lines: bytes) -> Access:
    """Return the one access of these lines."""
    (access,) = tallied(*lines)
    return access


def test_a_read_says_who_what_when_and_whence() -> None:
    """All that people are told of an access is in it, ids and names in lower case, the caller's name as it is."""
    claim = {OBJECT_ID: OBJECT.upper(), "appid": APP.upper(), UPN: "Erin@contoso.example"}
    when = datetime(2026, 1, 5, 1, 32, 1, 269123, tzinfo=UTC)
    assert the(line(f"/secrets/Deploy/{V1.upper()}", claim=claim)) == Access(
        vault=VAULT,
        operation="SecretGet",
        status=200,
        caller=Caller(app_id=APP, object_id=OBJECT, name="Erin@contoso.example"),
        first=when,
        last=when,
        secret="deploy",
        version=V1,
        address="104.40.82.76",
    )


@pytest.mark.parametrize(
    "claim",
    [
        {"oid": OBJECT, "appid": APP, "upn": "erin@contoso.example"},
        {"oid": OBJECT, "azp": APP, "unique_name": "erin@contoso.example"},
    ],
)
def test_claims_have_short_names_too(claim: dict[str, str]) -> None:
    """Published records spell the claims as the token does, not as the documentation."""
    assert the(line(claim=claim)).caller == Caller(app_id=APP, object_id=OBJECT, name="erin@contoso.example")


@pytest.mark.parametrize("path", ["/secrets/%64eploy", "//secrets/deploy/", "/secrets/DEPLOY", "/secrets/other"])
def test_the_id_that_key_vault_writes_tells_the_secret(path: str) -> None:
    """However a caller writes the name, who asks for it can't hide which secret it got."""
    assert the(line(path, id=f"{HOST}/secrets/deploy/{V1}")).secret == "deploy"
    assert the(line(path, status=403, **REFUSED)).secret == ("other" if path.endswith("other") else "deploy")


def test_only_the_request_tells_which_version_was_named() -> None:
    """The id has the version that was read; a request without one is a read of whatever is current."""
    assert the(line(id=f"{HOST}/secrets/deploy/{V1}")).version == ""
    without_uri = entry(id=f"{HOST}/secrets/deploy/{V1}")
    del without_uri["properties"]["requestUri"]
    assert the(json.dumps(without_uri).encode()).version == V1


@pytest.mark.parametrize(
    ("path", "operation", "secret"),
    [
        ("/deletedsecrets/deploy", "SecretPurge", "deploy"),
        ("/deletedsecrets/deploy/recover", "SecretRecover", "deploy"),
        ("/secrets/deploy/versions", "SecretListVersions", "deploy"),
        ("/secrets/deploy/backup", "SecretBackup", "deploy"),
        ("/secrets/restore", "SecretRestore", ""),
        ("/secrets", "SecretList", ""),
        ("/keys/deploy/backup", "KeyBackup", ""),
        ("/secrets/not%20a%20name", "SecretGet", ""),
        ("/secrets/" + "x" * 128, "SecretGet", ""),
    ],
)
def test_paths_of_all_operations_are_understood(path: str, operation: str, secret: str) -> None:
    """What stands in a version's place and is none, or can't be a secret's name, isn't taken for one."""
    access = the(line(path, operation))
    assert (access.operation, access.secret, access.version) == (operation, secret, "")


def test_the_same_within_a_minute_is_one_access() -> None:
    """Times come in any order and with any precision; the next minute is another access."""
    seconds = ("30Z", "05.1234567Z", "59.9Z")
    lines = [line(time=f"2026-01-05T01:32:{second}") for second in seconds]
    first, second = tallied(*lines, line(time="2026-01-05T01:33:00"), line(time="2026-01-05T02:33:01+01:00"))
    assert (first.times, first.first.second, first.last.second) == (3, 5, 59)
    assert (second.times, second.first, second.last.second) == (2, datetime(2026, 1, 5, 1, 33, tzinfo=UTC), 1)


@pytest.mark.parametrize(
    "other",
    [
        line("/secrets/other"),
        line(f"/secrets/deploy/{V2}"),
        line(operation="SecretSet"),
        line(callerIpAddress="10.0.0.1"),
        line(claim={"oid": OBJECT, "appid": APP, "upn": "erin@contoso.example"}),
        line(status=403, **REFUSED),
        line(status=403, **DISABLED),
    ],
)
def test_what_differs_is_told_apart(other: bytes) -> None:
    """Secret, version, operation, address, caller, status and reason all matter to somebody."""
    assert len(tallied(line(), other)) == 2


def test_what_callers_can_vary_does_not_make_more_accesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A query of one's own in each request costs neither memory nor another access, however many there are."""
    monkeypatch.setattr(tallies, "MOST_KNOWN", 10)
    tally = Tally(VAULT)
    for number in range(95):
        tally.add(line(f"/secrets/deploy?x={number}&y="))
    assert [access.times for access in tally.accesses()] == [95]
    assert (tally.lines, len(tally._known)) == (95, 5)


@pytest.mark.parametrize(
    "nothing",
    [
        line(claim={}, status=401, resultSignature="Unauthorized"),
        line(status=401, resultSignature="Unauthorized"),
        line(claim={}, operation="SecretNearExpiryEventGridNotification"),
        line("/keys/k", "KeyGet"),
        line("", "VaultGet"),
        line("", "Authentication"),
    ],
)
def test_challenges_and_what_nobody_asks_for_are_dropped(nothing: bytes) -> None:
    """Every SDK's first request is answered 401 without a caller: it is counted as a line, and as nothing else."""
    tally = Tally(VAULT)
    tally.add(nothing)
    assert (tally.lines, tally.accesses()) == (1, [])


def test_a_change_of_access_policies_needs_no_caller() -> None:
    """Key Vault itself publishes that, in records that have neither status nor identity."""
    notice = entry("", "VaultAccessPolicyChangedEventGridNotification", claim={})
    del notice["properties"]
    assert the(json.dumps(notice).encode()).allowed()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"status": 403, **DISABLED}, (403, True)),
        ({"status": 403, **REFUSED, "resultDescription": "Caller is not authorized: ForbiddenByRbac"}, (403, False)),
        ({"status": None, **DISABLED}, (403, True)),
        ({"status": None}, (200, False)),
        ({"status": None, "resultSignature": "Not Found"}, (500, False)),
        ({"status": "404"}, (404, False)),
    ],
)
def test_a_disabled_version_is_told_from_a_missing_right(fields: dict[str, Any], expected: tuple[int, bool]) -> None:
    """Both are 403: only who has the right hears that a version is disabled."""
    access = the(line(**fields))
    assert (access.status, access.disabled) == expected


def test_texts_are_bounded_and_can_be_shown() -> None:
    """Nothing that was logged of a caller can break a line of a mail, or fill it."""
    access = the(line(callerIpAddress="1.2.3.4\r\nBcc: x\u202e", claim={"appid": APP, "upn": "e" * 5000}))
    assert (access.address, len(access.caller.name)) == ("1.2.3.4Bcc: x", 256)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        line()[:-1],
        line(time="yesterday"),
        line(time="0001-01-01T00:00:00+23:59"),
        line(status=99),
        line(status="forty"),
        line(properties=[]),
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_what_is_no_record_is_refused_and_not_counted(bad: bytes) -> None:
    """Whoever calls keeps such a line aside; nothing of it is in the count."""
    tally = Tally(VAULT)
    with pytest.raises(ValueError):  # noqa: PT011 - that it is one is all that is promised
        tally.add(bad)
    assert (tally.lines, tally.accesses()) == (0, [])


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["SecretGet", HOST])
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=6)
FIELDS = sorted(entry())


@given(
    st.dictionaries(st.sampled_from(FIELDS), anything),
    st.dictionaries(st.sampled_from(["id", "requestUri", "httpStatusCode"]), anything),
    st.dictionaries(st.sampled_from(["oid", "appid", "upn", OBJECT_ID]), anything),
)
def test_any_record_gets_an_answer(whole: dict[str, Any], properties: dict[str, Any], claim: dict[str, Any]) -> None:
    """Whatever is in a field, the line is counted or refused with a ValueError, and what comes next is counted."""
    made = entry(claim=claim)
    made["properties"] |= properties
    tally = Tally(VAULT)
    for one in (made, made | whole, whole):
        try:
            tally.add(json.dumps(one).encode())
        except ValueError:
            continue
    before = tally.lines
    tally.add(line())
    assert tally.lines == before + 1
    assert sum(access.times for access in tally.accesses()) <= tally.lines


@given(st.binary() | anything.map(lambda one: json.dumps(one).encode()))
def test_any_bytes_get_an_answer(raw: bytes) -> None:
    """Whatever is in a line, it is counted or refused with a ValueError."""
    tally = Tally(VAULT)
    try:
        tally.add(raw)
    except ValueError:
        assert tally.lines == 0
