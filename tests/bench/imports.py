"""What loading the app costs, compared with loading only the two libraries that every such app needs.

CPU time of processes that take turns, the best of several each: on a shared machine only ratios mean something.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 11

FLOOR = "import azure.functions, azure.durable_functions"
APP = "import function_app"

_MEASURED = """
import resource, time
before = time.process_time()
{imports}
print(time.process_time() - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of the imports alone, and the most memory the process had (KiB on Linux)."""

    seconds: float
    memory: int


def figures(rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the ratios, app to floor, and what the floor is in milliseconds on this machine."""
    costs: dict[str, list[Cost]] = {FLOOR: [], APP: []}
    for statement in [FLOOR, APP]:
        _cost(statement)  # the first time compiles
    for _ in range(rounds):
        for statement, found in costs.items():
            found.append(_cost(statement))
    floor, app = (Cost(min(c.seconds for c in found), min(c.memory for c in found)) for found in costs.values())
    return {
        "import_ratio": round(app.seconds / floor.seconds, 3),
        "import_memory_ratio": round(app.memory / floor.memory, 3),
        "import_floor_ms": round(1000 * floor.seconds),
    }


def _cost(statement: str) -> Cost:
    settings = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ} | settings
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED.format(imports=statement)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, memory = done.stdout.split()
    return Cost(float(seconds), int(memory))
