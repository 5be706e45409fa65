"""Starts what the demo starts and leaves it running: `python -m local.up [--port N]`, until Ctrl-C.

Prints where everything is and commands to try; `.rekey/up/` gets logs, the simulated CA, the app's settings.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from local.azure.control import RefusedError
from local.demo.folder import RUNS, shown
from local.processes import ProcessError, free_port, wait_until
from local.scenario import INTRUDER, Scenario
from local.stack import Stack
from local.storage import AzuriteMissingError
from local.watching import TIMER
from rekey import names

PORT = 7071
"""Of `func start`; another one if it is taken."""
GRACE = "PT1M"
MARK = "emptied-at-each-start"
_EXPECTED = (ProcessError, TimeoutError, AzuriteMissingError, RefusedError, OSError)


def main(arguments: list[str]) -> int:
    """Start it, say where it is, wait; 0 after Ctrl-C, 1 with a sentence if something ended by itself."""
    options = _parser().parse_args(arguments)
    for ending in (signal.SIGINT, signal.SIGTERM):  # in the background a shell has SIGINT ignored
        signal.signal(ending, _interrupt)
    try:
        with _only_one(options.folder), _stack(options) as stack:
            write_settings(stack.settings, options.folder / "app.env")
            stack.store_secret()
            wait_until(lambda: stack.get(_instance(stack))[0] != 404, "the rotation has begun")
            print(told(stack), flush=True)
            _wait(stack)
    except KeyboardInterrupt:
        print("\nup: everything was stopped", flush=True)
    except _EXPECTED as error:
        print(f"up: {error}", file=sys.stderr)
        return 1
    return 0


def commands(stack: Stack) -> dict[str, str]:
    """Return what can be tried: what it does -> a shell command."""
    scenario, control = stack.scenario, stack.control.description
    which = {"vault": scenario.vault, "secret": scenario.secret}
    instance = names.instance_id(scenario.vault, scenario.secret)
    rotations = f"{stack.host_url}/api/rotations"
    simulated = f"curl -sS --cacert {shlex.quote(shown(Path(control['ca'])))} {control['control']}/_sim"
    another = {"applications": {"another": {"owners": ["rekey"], "passwords": [{"days": 10}]}}}
    slow = {"service": "entra", "propagation": {"seconds": 20}}
    return {
        "watch the rotation: custom status, as the portal shows it": (f"curl -sS '{stack.host_url}{_instance(stack)}'"),
        "its evidence": f"curl -sS {rotations}/{instance}",
        "which rotations are open": f"curl -sS '{rotations}?state=open'",
        "rotate now, due or not": f"curl -sS {rotations} {_json({**which, 'reason': 'manual'})}",
        "raise Key Vault's event again (not due any more: nothing happens)": (
            f"{simulated}/events/raise {_json({**which, 'type': 'SecretNearExpiry'})}"
        ),
        "have the vault's audit log tell of a read by somebody who isn't expected": (
            f"{simulated}/audit/record {_json({**which, 'operation': 'SecretGet', 'by': INTRUDER})}"
        ),
        "have the app look at the log now: there is an alert among the mails": (
            f"curl -sS {stack.host_url}{TIMER} {_json({})}"
        ),
        "who read the secret": f"curl -sS {stack.host_url}/api/secrets/{scenario.vault}/{scenario.secret}/readers",
        "read the mails": f"{simulated}/outbox",
        "what the simulated services hold, secrets included": f"{simulated}/state",
        "every request they got": f"{simulated}/requests",
        "make Entra slow to learn new passwords, then rotate": f"{simulated}/faults {_json(slow)}",
        "seed more: local/azure/README.md says what": f"{simulated}/seed {_json(another)}",
    }


def told(stack: Stack) -> str:
    """Return where everything is, and what to try."""
    scenario, urls = stack.scenario, stack.control.description["urls"]
    lines = [
        f"The function app         {stack.host_url}",
        f"The simulated Azure      {stack.control.description['control']} (control), {urls['entra']}, {urls['graph']},",
        f"                         {urls['azuredevops']}, {urls['vault'].format(name=scenario.vault)}",
        f"Storage (Azurite)        {stack.storage.blob_endpoint}, {stack.storage.queue_endpoint}",
        f"Logs, CA, settings       {shown(stack.folder)}/ (app.env: the app's settings, for a host of your own)",
        "",
        f"Secret {scenario.vault}/{scenario.secret} ends in {scenario.expires_in_days:g} days,",
        f"so Key Vault has raised its event and a rotation is on its way; its grace period is {scenario.grace}.",
        "",
    ]
    for what, command in commands(stack).items():
        lines += [f"# {what}", command, ""]
    return "\n".join([*lines, "Ctrl-C stops everything."])


def write_settings(settings: Mapping[str, str], path: Path) -> None:
    """Write settings for a shell to read (`set -a; . app.env`); for the owner's eyes only."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}={shlex.quote(value)}\n" for name, value in settings.items()))


def _instance(stack: Stack) -> str:
    instance = names.instance_id(stack.scenario.vault, stack.scenario.secret)
    return f"/runtime/webhooks/durabletask/instances/{instance}?showInput=false"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.up", description="Everything, running until Ctrl-C.")
    parser.add_argument("--port", type=int, default=0, help=f"of the function app (default: {PORT} if it is free)")
    parser.add_argument("--folder", type=Path, default=RUNS / "up", help="emptied first (default: .rekey/up)")
    return parser


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _json(document: Mapping[str, object]) -> str:
    return f"-H 'Content-Type: application/json' -d {shlex.quote(json.dumps(document))}"


def _port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return free_port()
    return PORT


def _stack(options: argparse.Namespace) -> Stack:
    return Stack(options.folder, Scenario(grace=GRACE, audited=True), host_port=options.port or _port())


@contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Empty the folder; ProcessError if another one is running in it."""
    pid_file = folder / "pid"
    if pid_file.exists() and _runs(pid := pid_file.read_text().strip()):
        raise ProcessError(f"is running already as process {pid}, in {shown(folder)}")
    _empty(folder)
    pid_file.write_text(str(os.getpid()))
    try:
        yield
    finally:
        pid_file.unlink(missing_ok=True)


def _empty(folder: Path) -> None:
    """Empty a folder that an earlier one made, and no other."""
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise ProcessError(f"{shown(folder)} has files that are not from here: name a new folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()


def _runs(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def _wait(stack: Stack) -> None:
    while True:
        for process in (stack.host, stack.azure, stack.storage.process):
            if process.returncode is not None:
                raise ProcessError(f"{process.command[2]} ended ({process.returncode})\n{process.tail()}")
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
