"""Drives one federation of a running company, whose process is killed for good: as Rotating does one rotation."""

from collections.abc import Iterable
from pathlib import Path
from typing import Self, override

import msgspec
from azure.storage.blob import ContainerClient

from rekey import names
from rekey.federation.records import FederationRecord
from rekey.model.federation import Mode
from tests.faults.federation_looks import Look
from tests.faults.federation_scenario import APPROVED_BY, ASKED_BY, FederationScenario
from tests.faults.rotating import Hit, Rotating
from tests.faults.watching import Watch


class FederationWatch(Watch):
    """A thread that writes down each moment in which a pipeline's connection could not sign in."""

    @override
    def _look(self) -> list[str]:
        assert isinstance(self._stack.scenario, FederationScenario)
        return Look(self._stack.scenario, self._stack.control.state()).out()


class Federating(Rotating):
    """A running company whose connection is about to leave its secret behind, watched from the first moment."""

    def __init__(self, folder: Path, scenario: FederationScenario, hits: Iterable[Hit] = ()) -> None:
        super().__init__(folder, scenario=scenario, hits=hits)
        self.asked = scenario

    @override
    def __enter__(self) -> Self:
        super().__enter__()
        self.instance = self.asked.instance
        self.watch = FederationWatch(self.stack)
        return self

    @override
    def begin(self, *, watched: bool = True) -> Self:
        """Ask for it; its managed secret is there, and nobody tells that it expires."""
        self.stack.store_secret(raise_event=False)
        self.before = self.control.state()
        if watched:
            self.watch.start()
        what = "vend" if self.asked.mode is Mode.VEND else "federate"
        status, answer = self.stack.call(
            "POST", f"/api/service-connections/{what}", self.asked.request, caller=ASKED_BY
        )
        assert status == 202, answer
        return self

    def decide(self, decision: str, step: str) -> None:
        """Take a decision once it waits there, in the name of somebody else than who asked."""

        def there() -> bool:
            return (self.status().get("customStatus") or {}).get("step") == step

        self.stack.host.wait_for(there, f"it waits at {step}: {self.status()}", timeout=120)
        record = self.record().federation.id
        path = f"/api/federations/{record}/{decision}"
        self.stack.host.wait_for(lambda: self._taken(path), f"{decision} is taken", timeout=60)

    def look(self) -> Look:
        """Look at the company now."""
        return Look(self.asked, self.control.state())

    def record(self) -> FederationRecord:
        """Return the evidence of the only federation there was."""
        connection = self.stack.storage.connection_string
        with ContainerClient.from_connection_string(connection, names.CONTAINER) as container:
            (found,) = [blob.name for blob in container.list_blobs(name_starts_with=names.FEDERATIONS)]
            return msgspec.json.decode(container.download_blob(found).readall(), type=FederationRecord)

    def told(self) -> list[str]:
        """Return which notices were mailed, in order."""
        subjects = [mail["subject"] for mail in self.control.outbox()]
        return [subject.removeprefix("[Rekey] ").partition(":")[0] for subject in subjects]

    def _taken(self, path: str) -> bool:
        """Tell whether it is; a killed app answers again in a moment."""
        try:
            status, answer = self.stack.call("POST", path, {}, caller=APPROVED_BY)
        except OSError:
            return False
        assert status in {200, 503}, answer
        return status == 200
