"""The scan finds what is there: a canary planted in each place, in each way of writing it."""

import base64
import gzip
import json
import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import uuid4

import msgspec
import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from local import leaks
from local.azure.arm_storage_state import new_key
from rekey.model import Reason
from rekey.records import Entry, Record
from tests.e2e.company import UNREAD, Company, running

MAIL = "https://communication.azure.com"


def _canary(more: str = "") -> str:
    """Return a value as Entra makes them, never used before; `more` is what escaping changes."""
    return f"cnry~{secrets.token_hex(8)}.Q-{more}"


ENVIRONMENT = _canary()


@pytest.fixture(scope="module")
def company() -> Iterator[Company]:
    """Run a company whose app was started with a canary in its environment."""
    with running(PLANTED=ENVIRONMENT, LOCAL_HOST_LOG_LEVEL="Debug") as found:
        _container(found).close()
        yield found


def into_the_engine(company: Company, canary: str) -> None:
    """Start an instance whose input holds it; its output quotes what was wrong with that."""
    company.finished(company.start({"vault": "kv", "secret": canary}, "planted"))


def into_a_queue(company: Company, canary: str) -> None:
    """Put a message as Event Grid does, in base64, where nobody takes it."""
    with company.queue(UNREAD) as queue:
        queue.create_queue()
        queue.send_message(base64.b64encode(canary.encode()).decode())


def into_a_blob(company: Company, canary: str) -> None:
    """Upload it, packed."""
    with _container(company) as container:
        container.upload_blob("planted.gz", gzip.compress(canary.encode()))


def into_metadata(company: Company, canary: str) -> None:
    """Name a blob's metadata after it."""
    with _container(company) as container:
        container.upload_blob("named", b"", metadata={"note": canary.encode().hex()})


def into_a_record(company: Company, canary: str) -> None:
    """Write a rotation's evidence with it, which the operator API shows."""
    rotation = str(uuid4())
    record = Record(
        rotation_id=rotation,
        instance_id="rotate.kv.s",
        deployment="local",
        vault="kv",
        secret="s",
        reason=Reason.MANUAL,
        opened=datetime.now(UTC),
        policy_digest="",
        old_version="",
        entries=(Entry(step="preflight", outcome="permanent", at=datetime.now(UTC), message=canary),),
    )
    metadata = dict.fromkeys(("vault", "secret", "state", "result"), "x") | {"opened": record.opened.isoformat()}
    with _container(company) as container:
        container.upload_blob(f"records/{rotation}.json", msgspec.json.encode(record), metadata=metadata)


def into_the_log(company: Company, canary: str) -> None:
    """Have the app warn about a message that it can't read, which it quotes."""
    before = company.log().count('"garbage"')
    company.put(json.dumps([{"id": "1", "eventType": canary, "data": {}}]))
    company.stack.host.wait_for(lambda: company.log().count('"garbage"') > before, "the app warned")


def into_a_mail(company: Company, canary: str) -> None:
    """Send a mail as the app does."""
    scenario, token = company.scenario, company.outside.token(company.stack.identity, MAIL)
    url = f"{company.stack.settings['REKEY_MAIL_ENDPOINT']}/emails:send?api-version=2025-09-01"
    mail = {
        "senderAddress": scenario.sender,
        "recipients": {"to": [{"address": scenario.owner}]},
        "content": {"subject": "planted", "plainText": canary, "html": "<p>nothing</p>"},
    }
    status, answer = company.outside.send("POST", url, json.dumps(mail), token)
    assert status == 202, answer


def into_an_address(company: Company, canary: str) -> None:
    """Ask a service with it in the address."""
    graph = company.stack.control.description["urls"]["graph"]
    company.outside.send("GET", f"{graph}/v1.0/applications?$filter={quote(canary)}", None, "")


PLACES: dict[str, tuple[Callable[[Company, str], None], tuple[str, ...]]] = {
    "the engine": (into_the_engine, ("durable store", "status of planted")),
    "a queue": (into_a_queue, (f"queue {UNREAD}", "file azurite/")),
    "a blob": (into_a_blob, ("blob rekey/planted.gz", "file azurite/")),
    "a blob's metadata": (into_metadata, ("blob rekey/named",)),
    "a record": (into_a_record, ("operator API, ", "blob rekey/records/")),
    "the log": (into_the_log, ("file host.log",)),
    "a mail": (into_a_mail, ("mails",)),
    "an address": (into_an_address, ("requests of the simulated Azure",)),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_planted_is_found(company: Company, place: str) -> None:
    """A canary is found in each sink that it got to, and nowhere before it was planted."""
    plant, expected = PLACES[place]
    canary = _canary()
    assert leaks.scan(leaks.sinks(company.stack), [canary]) == []
    plant(company, canary)
    found = {leak.place for leak in leaks.scan(leaks.sinks(company.stack), [canary])}
    assert [e for e in expected if not any(p.startswith(e) for p in found)] == [], found


@pytest.mark.parametrize("place", ["a record", "a mail", "an address"])
def test_a_key_that_no_service_holds_any_more_is_found(company: Company, place: str) -> None:
    """A storage account's key is found in a connection string, by what the keys of this company begin with."""
    plant, expected = PLACES[place]
    plant(company, f"DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={new_key(company.scenario.canary)}")
    found = leaks.scan(leaks.sinks(company.stack), leaks.secrets_of(company.stack))
    assert [e for e in expected if not any(leak.place.startswith(e) for leak in found)] == [], found


def test_what_the_app_was_started_with_is_found(company: Company) -> None:
    """The environment of the app's processes is looked at too."""
    found = {leak.place.rpartition(" ")[2] for leak in leaks.scan(leaks.sinks(company.stack), [ENVIRONMENT])}
    assert found == {"environ"}


@pytest.mark.parametrize("encoded", ["raw", "base64+0", "url", "json", "gzip"])
def test_a_canary_is_found_however_it_is_written(encoded: str) -> None:
    """Raw, base64, URL-escaped, JSON-escaped, packed; the finding names the place, never the value."""
    canary = _canary('"\\&+/é')
    forms = {**leaks.forms(canary), "gzip": gzip.compress(canary.encode())}
    found = leaks.scan({"somewhere": b"before " + forms[encoded] + b" after"}, [canary])
    assert {leak.place for leak in found} == {"somewhere"}
    assert canary not in str(found)


def _container(company: Company) -> ContainerClient:
    service = BlobServiceClient.from_connection_string(company.stack.storage.connection_string)
    container = service.get_container_client("rekey")
    if not container.exists():
        container.create_container()
    return container
