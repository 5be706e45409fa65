"""The operator's commands: `python -m rekey <command>`."""

import argparse
import sys
from collections.abc import Sequence

from rekey.commands import (
    acknowledge,
    check_tags,
    connections,
    decide,
    federate,
    federations,
    list_rotations,
    plan,
    readers,
    report,
    show,
    vend,
)

COMMANDS = (
    *(list_rotations, show, plan, report, readers, acknowledge, check_tags),
    *(connections, federate, vend, federations, decide),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m rekey", description="Look after credentials that Rekey rotates.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    chosen = parser.parse_args(arguments)
    return int(chosen.run(chosen))


if __name__ == "__main__":
    sys.exit(main())
