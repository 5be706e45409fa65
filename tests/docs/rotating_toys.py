"""Takes the page's toys through one whole rotation of the real app, started by an event: in the copy that has them."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from local.processes import wait_until
from local.stack import Stack

SHELF: dict[str, Any] = {"paint": "green", "hooks": {"left": "seen before", "right": "somebody else's"}}


def rotated(folder: Path) -> dict[str, Any]:
    """Return what became of the rotation, the box, the shelf and the secret."""
    key = importlib.import_module("tests.credentials.test_toy_key")
    shelf = importlib.import_module("tests.consumers.test_toy_shelf")
    scenario = key.ToyScenario(tags={"rekey-consumer-1": shelf.URI, "rekey-grace": "PT1S"})
    scopes = [{"vaults": [scenario.vault], "resources": [key.BOX, shelf.SHELF]}]
    with Stack(folder, scenario, {"REKEY_SCOPES": json.dumps(scopes)}) as stack:
        role = {"identity": "rekey", "role": shelf.ROLE, "scope": shelf.SHELF}
        stack.control.seed({"toys": {"shelves": {shelf.SHELF: SHELF}}, "role_assignments": [role]})
        stack.store_secret()
        record = _ended(stack)
        toys, vaults = (stack.control.state()[name] for name in ("arm", "keyvault"))
    versions = vaults["vaults"][scenario.vault]["secrets"][scenario.secret]["versions"]
    return {
        "result": record["result"],
        "keys": [one["value"] for one in toys["Contoso.Toys"]["boxes"][key.BOX].values()],
        "shelf": toys["Contoso.Toys"]["shelves"][shelf.SHELF],
        "newest": versions[-1]["value"],
        "old": scenario.key,
    }


def _ended(stack: Stack) -> dict[str, Any]:
    """Return the rotation's record once it is closed."""
    path = f"/api/rotations/rotate.{stack.scenario.vault}.{stack.scenario.secret}"
    records: list[dict[str, Any]] = []

    def closed() -> bool:
        status, body = stack.get(path)
        if status == 200 and body["record"] and body["record"]["state"] == "closed":
            records.append(body["record"])
        return bool(records)

    wait_until(closed, "the rotation's record is closed")
    return records[0]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(rotated(Path(sys.argv[1]))))
