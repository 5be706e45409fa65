"""Looks for secrets everywhere something may be kept: engine, logs, storage, mails, answers, process lists.

`sinks` says where, `local.secret_forms` in which forms; `scan` does it. Where a secret belongs (the simulated vaults,
directory and organisations themselves) is no sink.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local.azure.arm_storage_state import start_of_keys
from local.company import Company
from local.secret_forms import TOKEN, find, forms, hits
from local.stack import Stack

__all__ = ["Leak", "find", "forms", "scan", "secrets_of", "sinks"]

DURABLE = "/runtime/webhooks/durabletask/instances"
_HISTORY = "showInput=true&showHistory=true&showHistoryOutput=true"
_MOST_PEEKED = 32
"""Messages: the most the service shows at once. The files on disk have all there ever were."""


@dataclass(frozen=True, order=True)
class Leak:
    """A secret where none may be; `form` is how it was written. Never the value itself."""

    place: str
    secret: str
    form: str

    def __str__(self) -> str:
        return f"{self.place}: {self.secret} ({self.form})"


def scan(sinks: Mapping[str, bytes], secrets: Iterable[str]) -> list[Leak]:
    """Return where any of the secrets, or any access token, is found; sinks are place -> content."""
    needles = sorted(set(secrets))
    found = [(place, *hit) for place, content in sinks.items() for hit in hits(content, needles)]
    return sorted({Leak(place, _masked(secret), form) for place, secret, form in found})


def secrets_of(stack: Stack) -> set[str]:
    """Return every secret value that the simulated Azure holds, and what all those it made begin with, keys included.

    Values that are gone, such as a storage account's replaced key, are only found by their beginning.
    """
    canary = stack.scenario.canary
    return {canary, start_of_keys(canary), *Company.of(stack.control.state()).secret_values()}


def sinks(stack: Stack) -> dict[str, bytes]:
    """Return what is kept or answered anywhere a secret doesn't belong: place -> content."""
    return dict(
        [
            *_engine(stack),
            *_operator_api(stack),
            *_blobs(stack),
            *_queues(stack),
            *_files(stack.folder),
            *_processes(stack),
            ("mails", _json(stack.control.outbox())),
            ("requests of the simulated Azure", _json(stack.control.requests())),
            ("events of Event Grid", _json(stack.control.state()["eventgrid"])),
        ]
    )


def _engine(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """The durable store, and what the durable HTTP API shows of each instance, custom status included."""
    _, store = stack.get("/admin/local/durable-store")
    yield "durable store", _json(store)
    for instance in store["instances"]:
        name = instance["id"]
        yield f"status of {name}", _json(stack.get(f"{DURABLE}/{quote(name)}?{_HISTORY}"))


def _operator_api(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """What it lists, and each of that in full; the app that vends knows of no rotations, and answers with a 404."""
    for path, id_ in (("rotations", "rotation_id"), ("federations", "id")):
        _, listed = stack.get(f"/api/{path}")
        yield f"operator API, {path}", _json(listed)
        for one in listed[path] if isinstance(listed, dict) and path in listed else ():
            yield f"operator API, {one[id_]}", _json(stack.get(f"/api/{path}/{one[id_]}"))
    yield "operator API, report on connections", _json(stack.get("/api/service-connections?top=1000"))


def _blobs(stack: Stack) -> Iterator[tuple[str, bytes]]:
    with BlobServiceClient.from_connection_string(stack.storage.connection_string) as service:
        for container in service.list_containers():
            client = service.get_container_client(container.name)
            for blob in client.list_blobs(include=["metadata"]):
                place = f"blob {container.name}/{blob.name}"
                yield place, client.download_blob(blob.name).readall() + _json([blob.name, blob.metadata])


def _queues(stack: Stack) -> Iterator[tuple[str, bytes]]:
    with QueueServiceClient.from_connection_string(stack.storage.connection_string) as service:
        for queue in service.list_queues():
            with service.get_queue_client(queue.name) as client:
                messages = [message.content for message in client.peek_messages(_MOST_PEEKED)]
            yield f"queue {queue.name}", "\n".join(messages).encode()


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Logs, and everything Azurite keeps on disk, which has deleted messages and replaced blobs too."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        yield f"file {path.relative_to(folder)}", _content(path)


def _content(path: Path) -> bytes:
    """Return what a file holds; Azurite writes one anew under its name with a tilde, and then renames it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return path.with_name(path.name.removesuffix("~")).read_bytes()


def _processes(stack: Stack) -> Iterator[tuple[str, bytes]]:
    """Command lines and environments of everything started here (Linux; elsewhere nothing)."""
    started = {stack.host.pid, stack.azure.pid, stack.storage.process.pid}
    for pid in sorted(started | descendants(started)):
        for what in ("cmdline", "environ"):
            try:
                yield f"process {pid}, {what}", Path(f"/proc/{pid}/{what}").read_bytes()
            except OSError:
                continue


def descendants(pids: set[int]) -> set[int]:
    """Return the processes started by those, by those they started, and so on (Linux; elsewhere none)."""
    parents = dict(_parents())
    found: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in pids | found} - found:
        found |= more
    return found


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            status = path.read_text()
        except OSError:
            continue
        # The second field, a name in brackets, may hold anything; state and parent follow it.
        yield int(path.parent.name), int(status.rpartition(")")[2].split()[1])


def _json(document: Any) -> bytes:
    return json.dumps(document).encode()


def _masked(secret: str) -> str:
    return secret if secret == TOKEN else f"{secret[:3]}... ({len(secret)} characters)"
