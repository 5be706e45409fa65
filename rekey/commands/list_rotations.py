"""`list`: the rotations there are, what each is at, and which of them need somebody."""

import argparse
from typing import Any

from rekey.commands import asking
from rekey.operator_client import OperatorClient
from rekey.terminal import FINDINGS, OK, moment, table, write

_DESCRIPTION = """\
List the rotations that are open, or those that are closed, the newest first.

Exit code: 0; 1 if one needs somebody, or is open with nothing that drives it, or the API can't be asked; 2 if what was
given can't be used."""
_HEADINGS = ("ROTATION", "SECRET", "STATE", "AT", "OPENED (UTC)", "NEXT (UTC)", "WAITS FOR")
NEEDS_YOU, ABANDONED = "needs-you", "not running"
"""States that somebody has to do something about."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = asking.add(commands, "list", _list, summary="list rotations", description=_DESCRIPTION)
    parser.add_argument("--state", choices=("open", "closed", "all"), default="open", help="which ones (default: open)")


def _list(client: OperatorClient, chosen: argparse.Namespace) -> int:
    answer = client.get("rotations", query={} if chosen.state == "all" else {"state": chosen.state})
    rotations = answer["rotations"]
    if chosen.json:
        asking.print_json(answer)
    elif rotations:
        for line in table(_HEADINGS, map(_row, rotations)):
            write(line)
    else:
        write("no rotations" if chosen.state == "all" else f"no rotation is {chosen.state}")
    return FINDINGS if {state_of(r) for r in rotations} & {NEEDS_YOU, ABANDONED} else OK


def state_of(rotation: Any) -> str:
    """Return a listed rotation's result if it is closed, else what its instance is doing."""
    if rotation["state"] != "open":
        return str(rotation["result"])
    if rotation["instance"] is None:
        return ABANDONED
    return str(status_of(rotation["instance"]).get("state", "")) or str(rotation["instance"]["runtime_status"])


def status_of(instance: Any) -> dict[str, Any]:
    """Return an instance's custom status, empty if it has none that can be used."""
    status = instance["custom_status"] if instance else None
    return status if isinstance(status, dict) else {}


def _row(rotation: Any) -> tuple[object, ...]:
    status = status_of(rotation["instance"])
    return (
        rotation["rotation_id"],
        f"{rotation['vault']}/{rotation['secret']}",
        state_of(rotation),
        status.get("step"),
        moment(rotation["opened"]),
        moment(status.get("next")),
        status.get("waiting_for"),
    )
