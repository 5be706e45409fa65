"""A company with many managed secrets, each with an application and a service connection of its own."""

import http.client
import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self
from uuid import uuid4

import msgspec
from azure.storage.blob import ContainerClient

from local.company import Company
from local.judge import Check, checks
from local.leaks import descendants
from local.onlooker import Onlooker
from local.processes import wait_until
from local.scenario import Scenario
from local.seen import Seen, tried
from local.stack import Stack
from rekey import names
from rekey.nightly_settings import MAIL_HOUR, MAIL_MINUTE
from rekey.records import Record
from tests.faults.invariants import BENT
from tests.faults.rotating import DURABLE, ENDED


@dataclass(frozen=True)
class Batch(Scenario):
    """`size` secrets in one vault; each member is a scenario that differs in secret, application and connection."""

    size: int = 40
    client_ids: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, size: int, *, grace: str = "PT0S") -> Self:
        """Make the scenario of a company with that many."""
        return cls(grace=grace, size=size, client_ids=tuple(str(uuid4()) for _ in range(size)))

    @cached_property
    def members(self) -> tuple[Scenario, ...]:
        """One scenario for each secret."""
        plain = {name: getattr(self, name) for name in Scenario.__dataclass_fields__}
        return tuple(
            replace(
                Scenario(**plain),
                secret=f"{self.secret}-{number:03}",
                application=f"{self.application}-{number:03}",
                connection=f"{self.connection}-{number:03}",
            )
            for number in range(self.size)
        )

    def people_and_machines(self) -> dict[str, Any]:
        """Return the seed document of everything but the secrets."""
        document = super().people_and_machines()
        endpoints = document["organizations"][self.organization]["projects"][self.project]["endpoints"]
        for member, client_id in zip(self.members, self.client_ids, strict=True):
            password = {"display_name": "made by hand", "days": self.expires_in_days}
            document["applications"][member.application] = {
                "client_id": client_id,
                "owners": ["rekey"],
                "passwords": [password],
            }
            endpoints[member.connection] = {"application": member.application}
        return document

    def managed_secret(self, client_id: str, azure_devops: str) -> dict[str, Any]:
        """Return the seed document of all the secrets; the one application of a plain scenario has none."""
        del client_id
        secrets: dict[str, Any] = {}
        for member, its_id in zip(self.members, self.client_ids, strict=True):
            secrets |= member.managed_secret(its_id, azure_devops)["vaults"][self.vault]["secrets"]
        return {"vaults": {self.vault: {"secrets": secrets}}}

    def settings(self, description: dict[str, Any], identity: str, client_id: str, storage: str) -> dict[str, str]:
        """Return the app's settings, which allow every application, and as many mails as there are."""
        given = super().settings(description, identity, client_id, storage)
        every = ",".join(f'"{client_id}"' for client_id in self.client_ids)
        plenty = {limit: {"count": 10_000, "seconds": 60} for limit in (MAIL_MINUTE, MAIL_HOUR)}
        return given | {
            "REKEY_SCOPES": given["REKEY_SCOPES"].replace(f'"{client_id}"', every),
            "REKEY_LIMITS": json.dumps(plenty),
        }


class BatchStack(Stack):
    """A running company with a batch, whose host, worker and storage may be killed and started again."""

    scenario: Batch

    def __enter__(self) -> Self:
        super().__enter__()
        self.control.propagation("entra", seconds=0)
        self.control.propagation("graph", seconds=0, conflict_seconds=0)
        self.control.limits("email", 1000)
        self.store_secret(raise_event=False)
        self.before = self.control.state()
        return self

    def start_all(self) -> None:
        """Start every rotation over the operator API; each start is repeated until it is acknowledged."""
        for member in self.scenario.members:
            wait_until(lambda member=member: self._started(member), f"{member.secret} is started")  # type: ignore[misc]

    def _started(self, member: Scenario) -> bool:
        try:
            status, _ = self.call("POST", "/api/rotations", {"vault": member.vault, "secret": member.secret})
        except (OSError, http.client.HTTPException):
            return False
        return status == http.client.ACCEPTED

    def rotations(self) -> dict[str, dict[str, Any]]:
        """Return the rotations that the engine knows, by instance id."""
        _, found = self.get(f"{DURABLE}/instances?showInput=false&top=1000")
        return {i["instanceId"]: i for i in found if i["name"] == names.ROTATE_SECRET}

    def all_ended(self) -> bool:
        """Tell whether every rotation of the batch has ended somehow."""
        found = self.rotations()
        return len(found) == self.scenario.size and all(i["runtimeStatus"] in ENDED for i in found.values())

    def kill(self) -> None:
        """SIGKILL the host and the app; stop the storage, which as Azure's own keeps what it acknowledged."""
        for pid in (self.host.pid, *descendants({self.host.pid})):
            os.kill(pid, signal.SIGKILL)
        self.host.wait()
        self.storage.stop()

    def start_again(self) -> None:
        """Start what was killed, and wait until the host answers."""
        self.storage.start_again()
        self.host.start().wait_ready(f"{self.host_url}/admin/host/ping")

    def wait_all(self, *, timeout: float = 240) -> None:
        """Wait until every rotation has ended."""
        self.host.wait_for(self.all_ended, "every rotation has ended", timeout=timeout)

    def check(self) -> None:
        """Every rotation is done: nothing is lost, and nothing there twice."""
        wrong = {name: i for name, i in self.rotations().items() if (i["output"] or {}).get("result") != "done"}
        assert wrong == {}
        after = self.control.state()
        found = [problem for seen in self._seen(after) for problem in _problems(seen)]
        assert found == []
        outbox = Company.of(after).email.outbox
        told = Counter((mail.kind(), mail.subject, to) for mail in outbox for to in mail.recipients())
        assert set(told.values()) == {1}, [mail for mail, times in told.items() if times > 1]
        kinds, size = Counter(kind for kind, _, _ in told), self.scenario.size
        assert dict(kinds) == {"starting": size, "switched": 2 * size, "done": size}

    def _seen(self, after: dict[str, Any]) -> Iterator[Seen]:
        onlooker, records = Onlooker(self), self._records()
        for member in self.scenario.members:
            mine = tuple(r for r in records if r.secret == member.secret)
            yield tried(onlooker, member, self.before, after).but(records=mine)

    def _records(self) -> list[Record]:
        connection = self.storage.connection_string
        with ContainerClient.from_connection_string(connection, names.CONTAINER) as container:
            blobs = [blob.name for blob in container.list_blobs(name_starts_with=names.RECORDS)]
            return [msgspec.json.decode(container.download_blob(name).readall(), type=Record) for name in blobs]


def _problems(seen: Seen) -> list[tuple[str, Check | str]]:
    """Return what isn't as it should be with one secret, whatever was killed meanwhile."""
    found: list[tuple[str, Check | str]] = [
        (seen.scenario.secret, check) for check in checks(seen) if not check.ok and check.name not in BENT
    ]
    counted = {"versions": len(seen.versions) == 2, "records": len(seen.records) == 1}
    return found + [(seen.scenario.secret, f"not one of its {what}") for what, ok in counted.items() if not ok]
