"""Knows the commands that advice about a connection names; a name that could mean something to a shell is left out."""

import re

from rekey.connections.found import Connection

_HARMLESS = re.compile(r"[\w .,()=+@-]+")
PLAN = "python -m rekey federate ORGANIZATION/PROJECT/CONNECTION --plan"
"""What it would take to convert a connection; the same for all, so that a mail says it once."""


def federate(connection: Connection, mode: str = "") -> str:
    """Return the command that starts a walk for that connection."""
    parts = (connection.organization, connection.project, connection.name)
    plain = all(_HARMLESS.fullmatch(part) for part in parts)
    name = f"'{'/'.join(parts)}'" if plain else "ORGANIZATION/PROJECT/CONNECTION"
    return f"python -m rekey federate {name}" + (f" --mode {mode}" if mode else "")
