"""The process that runs the measured sweep: the real orchestrator and its steps, with real timers.

What it starts is handed to the workers in turn, as an app that scaled out spreads its instances. `--at-once` leaves
the pace out, so that one can see what the measurement is worth; `--alone` has one worker do it all.
"""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from functools import partial
from typing import IO, Any, cast

import msgspec

from activities.begin_sweep import begin
from activities.end_sweep import end
from activities.find_due import find
from activities.plan_starts import plan
from activities.start_due import start
from activities.step import run_unrecorded
from local.azure import resolve
from local.processes import die_with_parent
from rekey import names, pace
from rekey.clients import clients
from rekey.model.sweep import Batch, Ending, Look, OfSweep, Round
from tests.orchestrators.engine import Activity, Engine, Instance
from tests.orchestrators.night import ROTATE_DUE

WORKERS = 3


class RealTime(Engine):
    """The scripted engine by the machine's clock."""

    def run(self, name: str, instance_id: str, given: Any) -> Instance:
        """Start an orchestration now and return it when it has ended."""
        self.now = datetime.now(UTC)
        return super().run(name, instance_id, given)

    def _reached(self, at: datetime) -> datetime:
        time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))
        return datetime.now(UTC)


class Handing:
    """A durable client that hands what it starts to the workers; nothing is running before."""

    def __init__(self, workers: list[IO[bytes]]) -> None:
        self._workers = itertools.cycle(workers)

    async def get_orchestration_state(self, _instance_id: str, *, fetch_payloads: bool) -> None:
        """Return nothing: no instance of any id is known."""
        del fetch_payloads

    async def schedule_new_orchestration(self, _name: str, *, input: Any, instance_id: str) -> str:  # noqa: A002
        """Hand a request to the worker whose turn it is."""
        worker = next(self._workers)
        worker.write(msgspec.json.encode(input) + b"\n")
        worker.flush()
        return instance_id


def sweep(workers: list[IO[bytes]]) -> Any:
    """Run one sweep to its end and return its output."""
    steps: dict[str, Any] = {
        names.BEGIN_SWEEP: (OfSweep, begin),
        names.FIND_DUE: (Look, find),
        names.PLAN_STARTS: (Round, plan),
        names.START_DUE: (Batch, partial(start, client=cast("Any", Handing(workers)))),
        names.END_SWEEP: (Ending, end),
    }
    with asyncio.Runner() as runner:

        def activity(name: str) -> Activity:
            if name == names.NOTIFY_OWNERS:
                return lambda _payload, _now: {"outcome": "ok"}
            kind, body = steps[name]
            return lambda payload, _now: runner.run(run_unrecorded(name, kind, body, payload))

        engine = RealTime({names.ROTATE_DUE: ROTATE_DUE}, activity)
        instance = engine.run(names.ROTATE_DUE, names.ROTATE_DUE, None)
        runner.run(clients().aclose())
    if instance.failure:
        raise RuntimeError(instance.failure)
    return instance.output


def main(vault: str, secret: str, size: int) -> None:
    """Let the workers get ready by looking at a secret, sweep, then wait until everything that was started is over."""
    command = [sys.executable, "-m", "tests.bench.sweep_worker"]
    pipe = subprocess.PIPE
    workers = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, preexec_fn=die_with_parent)  # noqa: PLW1509 - no threads yet
        for _ in range(size)
    ]
    inputs = [worker.stdin for worker in workers if worker.stdin]
    for given in inputs:
        given.write(json.dumps({"vault": vault, "secret": secret}).encode() + b"\n")
        given.flush()
    for worker in workers:
        if not worker.stdout or worker.stdout.readline() != b"ready\n":
            raise RuntimeError("a worker isn't ready")
    output = sweep(inputs)
    told = [json.loads(worker.communicate()[0].splitlines()[-1]) for worker in workers]
    print(json.dumps({"output": output, "workers": told}), flush=True)  # noqa: T201 - what the measurement reads


if __name__ == "__main__":
    resolve.install()
    if "--at-once" in sys.argv[3:]:
        pace.SHARE = 1e9
    main(sys.argv[1], sys.argv[2], 1 if "--alone" in sys.argv[3:] else WORKERS)
