"""What rotations ask of each service: the first one of a process, and the next.

Both replace a password that Rekey made, as all rotations but a secret's first one do, so that both are whole. Nothing
takes time to get around in this run, so that nothing has to be asked twice; the grace period is none.
"""

import time
from collections import Counter as Tally
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from local.processes import wait_until
from local.scenario import Scenario
from local.stack import Stack

IDENTITY = "managed-identity"
STORAGE = "storage"
ENDED = frozenset({"Completed", "Failed", "Terminated"})


def figures() -> dict[str, Any]:
    """Return the counts of both rotations, and how long the second one took."""
    scenario = Scenario(grace="PT0S", adopt=False)
    with TemporaryDirectory() as folder, Stack(Path(folder), scenario, storage_by_azure=True) as stack:
        stack.control.propagation("entra", seconds=0)
        stack.control.propagation("graph", seconds=0, conflict_seconds=0)
        _store_rotated_before(stack)
        cold, _, _ = _rotation(stack)
        warm, blobs, seconds = _rotation(stack)
    known = {r["connection"] for r in cold if r["service"] != IDENTITY}
    used = {r["connection"] for r in warm if r["service"] != IDENTITY}
    return {
        "requests_cold": len(cold),
        "requests_warm": len(warm),
        "requests_cold_by_service": _by_service(cold),
        "requests_warm_by_service": _by_service(warm),
        "requests_storage_warm": len(blobs),
        "tokens": {"cold": _by_service(cold).get(IDENTITY, 0), "warm": _by_service(warm).get(IDENTITY, 0)},
        "tls_handshakes_warm": len(used - known),
        "rotation_seconds_warm": round(seconds, 1),
    }


def _store_rotated_before(stack: Stack) -> None:
    """Store the secret as an earlier rotation would have left it: label and tags name the same rotation and key."""
    scenario, rotation = stack.scenario, str(uuid4())
    password = {"display_name": f"rekey/{stack.settings['REKEY_DEPLOYMENT']}/{rotation}", "days": 20}
    stack.control.seed({"applications": {scenario.application: {"passwords": [password]}}})
    made = stack.control.state()["entra"]["applications"][scenario.application]["passwords"][-1]
    document = scenario.managed_secret(stack.client_id, stack.control.description["urls"]["azuredevops"])
    version = document["vaults"][scenario.vault]["secrets"][scenario.secret]
    version["value"] = {"password_of": scenario.application, "index": 1}
    version["tags"] |= {"rekey-rotation-id": rotation, "rekey-key-id": made["key_id"]}
    stack.control.seed(document)


def _rotation(stack: Stack) -> tuple[list[dict[str, Any]], list[dict[str, Any]], float]:
    """Rotate the secret; return the requests meanwhile to services, those to blobs, and the seconds that it took."""
    last = max((r["n"] for r in stack.control.requests()), default=0)
    started = time.monotonic()
    status, told = stack.call(
        "POST", "/api/rotations", {"vault": stack.scenario.vault, "secret": stack.scenario.secret}
    )
    if status != 202:
        raise RuntimeError(f"the rotation did not start: {status} {told}")
    path = f"/runtime/webhooks/durabletask/instances/{told['instance']}"
    wait_until(lambda: stack.get(path)[1]["runtimeStatus"] in ENDED, "the rotation has ended")
    seconds = time.monotonic() - started
    output = stack.get(path)[1]["output"]
    if not isinstance(output, dict) or output["result"] != "done":
        raise RuntimeError(f"the rotation failed: {output}")
    made = stack.control.requests(last)
    services = [r for r in made if r["service"] != STORAGE]
    return services, [r for r in made if (r["service"], r["host"]) == (STORAGE, "blob")], seconds


def _by_service(requests: list[dict[str, Any]]) -> dict[str, int]:
    return dict(sorted(Tally(r["service"] for r in requests).items()))
