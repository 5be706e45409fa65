"""`python -m tests.bench [--json]`: what a rotation asks for, what importing costs, how fast sweep and watch are.

Every figure is counted or compared in this run; with --json the last line of the output is one object with all of them.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.bench import audit, imports, rotations, sweep  # noqa: E402 - the project is no installed package

AIMS = {
    "requests_warm": 26,
    "requests_cold": 32,
    "tls_handshakes_warm": 0,
    "import_ratio": 1.10,
    "sweep_429": 0,
    "sweep_limit_ratio": 1.08,
}
"""At most; DESIGN and docs/decisions.md say why."""

AT_LEAST = {"audit_parse_ratio": 1.0}
"""Reading what somebody did in a vault, and judging it, takes no longer than decoding it with the standard library."""

PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "rotations": rotations.figures,
    "imports": imports.figures,
    "sweep": sweep.figures,
    "audit": audit.figures,
}


def main(arguments: list[str]) -> int:
    """Measure and print; the exit code says nothing about the aims."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object, last on stdout")
    parser.add_argument("--only", choices=sorted(PARTS), help="measure only that part")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {}
    for name, measure in PARTS.items():
        if options.only in {None, name}:
            figures |= measure()
    print(json.dumps(figures) if options.json else table(figures))  # noqa: T201 - it is what a command prints
    return 0


def table(figures: dict[str, Any]) -> str:
    """Return the figures for people, with the aim where there is one."""
    lines = []
    for name, figure in figures.items():
        aims = {"at most": AIMS, "at least": AT_LEAST}
        aim = "".join(f"   aim: {which} {of[name]}" for which, of in aims.items() if name in of)
        shown = ", ".join(f"{k} {v}" for k, v in figure.items()) if isinstance(figure, dict) else str(figure)
        lines.append(f"{name:26} {shown}{aim}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
