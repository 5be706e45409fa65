"""Key Vault events in every form that Event Grid is known to give them, and garbage."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey.key_vault_events import EXPIRED, LARGEST, NEAR_EXPIRY, Event, GarbageEventError, parse
from tests.azure.contracts import needs_contracts, validate_definition

DATA: dict[str, Any] = {
    "Id": "https://kv-one.vault.azure.net/secrets/Api-Key/ee059b2bb5bc48398a53b168c6cdcb10",
    "VaultName": "KV-One",
    "ObjectType": "Secret",
    "ObjectName": "Api-Key",
    "Version": "ee059b2bb5bc48398a53b168c6cdcb10",
    "NBF": None,
    "EXP": 1559082102,
}
COMMON = {"id": "00eccf70-95a7-4e7c-8299-2eb17ee9ad64", "subject": "Api-Key", "data": DATA}
EVENT_GRID: dict[str, Any] = {
    **COMMON,
    "topic": "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/kv-one",
    "eventType": NEAR_EXPIRY,
    "eventTime": "2019-07-25T01:08:33.1036736Z",
    "dataVersion": "1",
    "metadataVersion": "1",
}
CLOUD_EVENT: dict[str, Any] = {
    **COMMON,
    "source": EVENT_GRID["topic"],
    "type": NEAR_EXPIRY,
    "time": "2019-07-25T01:08:33.1036736Z",
    "specversion": "1.0",
}
PARSED = Event(
    id="00eccf70-95a7-4e7c-8299-2eb17ee9ad64",
    type=NEAR_EXPIRY,
    vault="kv-one",
    secret="api-key",
    version="ee059b2bb5bc48398a53b168c6cdcb10",
    object_type="secret",
    expires=datetime(2019, 5, 28, 22, 21, 42, tzinfo=UTC),
)
CASES: tuple[Callable[[str], str], ...] = (str, str.lower, str.upper, str.swapcase)
SPACES = st.sampled_from(("", " ", "\t", "\r\n", "  "))

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=10,
)


def message(event: object) -> bytes:
    return json.dumps(event).encode()


def with_data(**changes: Any) -> dict[str, Any]:
    return {**EVENT_GRID, "data": {**DATA, **changes}}


def problem_with(body: bytes | str) -> str:
    with pytest.raises(GarbageEventError) as caught:
        parse(body)
    return str(caught.value)


def outcome(body: bytes | str) -> tuple[Event, ...] | str:
    """Return the events, or what GarbageEventError says; any other exception fails the test."""
    try:
        return parse(body)
    except GarbageEventError as garbage:
        return str(garbage)


@st.composite
def mutated_keys(draw: st.DrawFn, fields: dict[str, Any]) -> dict[str, Any]:
    """Draw the object with its keys in any case, with spaces around them, in any order, among unknown ones."""
    items = [*draw(st.permutations(list(fields.items()))), ("unknown", draw(st.integers(0, 9)))]
    return {draw(SPACES) + draw(st.sampled_from(CASES))(k) + draw(SPACES): mutated(draw, k, v) for k, v in items}


def mutated(draw: st.DrawFn, key: str, value: Any) -> Any:
    if key == "data":
        return draw(mutated_keys(value))
    if key == "EXP":
        return draw(st.sampled_from((value, str(value), f" {value} ", float(value), f"{value}.0")))
    if key == "specversion" or not isinstance(value, str):
        return value
    case = str if key == "id" else draw(st.sampled_from(CASES))
    return draw(SPACES) + case(value) + draw(SPACES)


def padded(draw: st.DrawFn, text: bytes) -> bytes:
    mark = draw(st.sampled_from((b"", b"\xef\xbb\xbf")))
    return draw(SPACES).encode() + mark + draw(SPACES).encode() + text + draw(SPACES).encode()


@st.composite
def mutated_message(draw: st.DrawFn) -> bytes | str:
    """Draw a message that means the same: envelope, number of events, encoding, spaces, byte order mark."""
    event = draw(mutated_keys(draw(st.sampled_from((EVENT_GRID, CLOUD_EVENT)))))
    shape = [event] if draw(st.booleans()) else event
    text = padded(draw, json.dumps(shape, indent=draw(st.sampled_from((None, 2)))).encode())
    if draw(st.booleans()):
        text = padded(draw, draw(st.sampled_from((base64.b64encode, base64.encodebytes)))(text))
    return text.decode() if draw(st.booleans()) else text


@given(mutated_message())
def test_every_form_of_an_event_is_the_same_event(body: bytes | str) -> None:
    """Envelope, encoding, spaces, case of keys and names, dates as text: none of it makes another event."""
    assert parse(body) == (PARSED,)


@given(st.binary() | st.text())
def test_arbitrary_messages_are_events_or_garbage(body: bytes | str) -> None:
    """Whatever lies in the queue, the parser raises nothing but GarbageEventError."""
    assert outcome(body)


@given(st.binary())
def test_arbitrary_base64_is_events_or_garbage(body: bytes) -> None:
    """Base64 of whatever raises nothing but GarbageEventError."""
    assert outcome(base64.b64encode(body))


@given(json_values)
def test_arbitrary_json_is_events_or_garbage(value: Any) -> None:
    """Any JSON raises nothing but GarbageEventError."""
    assert outcome(message([value]))


@given(st.sampled_from((*EVENT_GRID, "type", "specversion")), json_values)
def test_any_value_in_the_envelope_is_an_event_or_garbage(field: str, value: Any) -> None:
    """A field of the envelope may hold anything, and what is said of it is one short line."""
    said = outcome(message({**EVENT_GRID, field: value}))
    assert not isinstance(said, str) or (said.isprintable() and len(said) < 300)


@given(st.sampled_from(tuple(DATA)), json_values)
def test_any_value_in_the_data_is_an_event_or_garbage(field: str, value: Any) -> None:
    """A field of the data may hold anything, and what is said of it is one short line."""
    said = outcome(message(with_data(**{field: value})))
    assert not isinstance(said, str) or (said.isprintable() and len(said) < 300)


def test_the_sample_of_the_documentation_is_read() -> None:
    """The vendor's page shows a key with a trailing space, a version with a leading one, and dates as text."""
    sample = {
        "id": "00eccf70-95a7-4e7c-8299-2eb17ee9ad64",
        "topic": "/subscriptions/s/resourceGroups/sample-rg/providers/Microsoft.KeyVault/vaults/sample-kv",
        "subject": "newsecret",
        "eventType": "Microsoft.KeyVault.SecretNearExpiry",
        "eventTime": "2019-07-25T01:08:33.1036736Z",
        "data": {
            "Id": "https://sample-kv.vault.azure.net/secrets/newsecret/ee059b2bb5bc48398a53b168c6cdcb10",
            "VaultName": "sample-kv",
            "ObjectType": "Secret",
            "ObjectName ": "newsecret",
            "Version": " ee059b2bb5bc48398a53b168c6cdcb10",
            "NBF": "1559081980",
            "EXP": "1559082102",
        },
        "dataVersion": "1",
        "metadataVersion": "1",
    }
    (event,) = parse(message([sample]))
    assert (event.vault, event.secret) == ("sample-kv", "newsecret")
    assert (event.version, event.expires) == (PARSED.version, PARSED.expires)


@needs_contracts
def test_what_the_tests_call_an_event_is_one() -> None:
    """The events used here fit the specification of Event Grid and of Key Vault's data."""
    base = "eventgrid/specification/eventgrid/data-plane/Microsoft."
    envelope = {**EVENT_GRID, "data": {**DATA, "NBF": 1559081980}}
    validate_definition(f"{base}EventGrid/stable/2018-01-01/EventGrid.json", "EventGridEvent", envelope)
    definition = "KeyVaultSecretNearExpiryEventData"
    validate_definition(f"{base}KeyVault/stable/2018-01-01/KeyVault.json", definition, envelope["data"])


@pytest.mark.parametrize("expiry", [None, "", " "])
def test_an_event_may_have_no_end_date(expiry: str | None) -> None:
    """Null and nothing both mean that the version has no end date."""
    (event,) = parse(message(with_data(EXP=expiry)))
    assert event.expires is None


@pytest.mark.parametrize(
    ("kind", "object_type", "hints"),
    [
        (NEAR_EXPIRY, "Secret", True),
        (EXPIRED, "Secret", True),
        (NEAR_EXPIRY, "Key", False),
        ("Microsoft.KeyVault.SecretNewVersionCreated", "Secret", False),
        ("Microsoft.KeyVault.KeyNearExpiry", "Key", False),
        ("Microsoft.KeyVault.CertificateExpired", "Certificate", False),
    ],
)
def test_only_the_end_of_a_secret_is_a_hint(kind: str, object_type: str, *, hints: bool) -> None:
    """Keys, certificates and new versions are events that nobody needs to act on."""
    (event,) = parse(message({**with_data(ObjectType=object_type), "eventType": kind}))
    assert event.hints_at_end is hints


@pytest.mark.parametrize("data", [None, "text", {}, {"VaultName": "kv-one", "ObjectName": None, "Version": ""}])
def test_an_event_of_another_sort_needs_no_data(data: object) -> None:
    """Of an event that starts nothing no field is asked for: it must not end in the poison queue."""
    (event,) = parse(message({**EVENT_GRID, "eventType": "Microsoft.KeyVault.VaultAccessPolicyChanged", "data": data}))
    assert not event.hints_at_end
    assert event.secret == ""


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ([], "message: an empty list"),
        (["text"], "event 1 of 1: event: got 'text', expected an object"),
        ({**EVENT_GRID, "id": ""}, "id: got '', expected 1 to 256 printable characters"),
        ({"data": DATA, "id": "1"}, "eventType: missing, expected an event type"),
        ({**CLOUD_EVENT, "specversion": "0.3"}, "specversion: got '0.3', expected 1.0"),
        ({**EVENT_GRID, "data": None}, "data: missing, expected an object"),
        (with_data(VaultName=None), "data.VaultName: missing, expected a Key Vault name"),
        (with_data(VaultName="evil.example/kv"), "data.VaultName: got 'evil.example/kv'"),
        (with_data(VaultName="\N{KELVIN SIGN}v-one"), "data.VaultName: got '\\u212av-one'"),
        (with_data(ObjectName=7), "data.ObjectName: got 7, expected a secret's name"),
        (with_data(ObjectName="a\nlevel=error"), "data.ObjectName: got 'a\\nlevel=error'"),
        (with_data(ObjectName="a\u2028b"), "data.ObjectName: got 'a\\u2028b'"),
        (with_data(Version={"a": 1}), "data.Version: got an object, expected a version id"),
        (with_data(ObjectType=None), "data.ObjectType: missing, expected Secret"),
        (with_data(EXP="soon"), "data.EXP: got 'soon', expected seconds since 1970"),
        (with_data(EXP=True), "data.EXP: got True, expected seconds since 1970"),
        (with_data(EXP=1e300), "data.EXP: got 1e+300, expected seconds since 1970"),
        (with_data(objectname="another"), "data.ObjectName: given twice with different values"),
    ],
)
def test_garbage_is_named(event: object, said: str) -> None:
    """What is wrong is said with its field, what it holds and what was expected, in printable characters."""
    problem = problem_with(message(event))
    assert said in problem
    assert problem.isprintable()


@pytest.mark.parametrize(
    "body", ["", "   ", "hello", "aGVsbG8=", "{", '"text"', "7", "\udc00", b"\xff{", b'{"a":"\xff"}']
)
def test_what_is_no_message_at_all_is_garbage(body: bytes | str) -> None:
    """Text that is neither JSON nor base64 of it, and JSON that is no event, are never quoted."""
    problem = problem_with(body)
    assert problem.startswith("message: ")
    assert "hello" not in problem


def test_no_more_than_a_hundred_characters_are_quoted() -> None:
    """A log doesn't become what a message wants it to be."""
    assert len(problem_with(message(with_data(ObjectName="\x00" * 5000)))) < 200


@pytest.mark.parametrize("body", ["[" * 60000, '{"a":' * 10000, '{"data":' + "9" * 5000 + "}"])
def test_nesting_and_numbers_without_end_are_garbage(body: str) -> None:
    """What exhausts a decoder is garbage like any other."""
    assert problem_with(body).startswith("message: ")


def test_what_no_queue_message_can_hold_is_garbage() -> None:
    """A message beyond a storage queue's 64 KiB isn't even decoded."""
    padded = message(EVENT_GRID).ljust(LARGEST)
    assert parse(padded) == (PARSED,)
    assert problem_with(padded + b" ") == f"message: {LARGEST + 1} bytes, expected at most {LARGEST}"


def test_readable_events_survive_their_neighbours() -> None:
    """The events of an array that could be read are kept, in order, and the first problem is told with its place."""
    with pytest.raises(GarbageEventError, match=r"^event 2 of 4: data\.VaultName: .*\(and 1 more\)$") as caught:
        parse(message([EVENT_GRID, with_data(VaultName="?"), {**CLOUD_EVENT, "id": "second"}, 7]))
    assert [event.id for event in caught.value.readable] == [PARSED.id, "second"]
