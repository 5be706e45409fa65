"""`federations`: what becomes of service connections that are to need no secret, all of them or one in full."""

import argparse
from collections.abc import Iterator
from typing import Any

from rekey.commands import asking
from rekey.commands.list_rotations import ABANDONED, NEEDS_YOU, state_of, status_of
from rekey.commands.show import entries, needs_somebody, now
from rekey.operator_client import OperatorClient
from rekey.terminal import FINDINGS, OK, harmless, moment, table, write

_DESCRIPTION = """\
List the federations that are open, or those that are closed, the newest first; or show one: its evidence record, what
its instance is doing, and what can be decided about it (python -m rekey approve, python -m rekey revert).

ID is a federation's id, or an instance's: federate.<organization>.<project>.<connection> shows that one's newest.
Exit code: 0; 1 if one needs somebody, failed or is open with nothing that drives it, or the API can't be asked; 2 if
what was given can't be used."""
_HEADINGS = ("FEDERATION", "CONNECTION", "HOW", "STATE", "AT", "OPENED (UTC)", "NEXT (UTC)", "WAITS FOR")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "list what becomes of connections that are to need no secret, or show one"
    parser = asking.add(commands, "federations", _federations, summary=summary, description=_DESCRIPTION)
    parser.add_argument("id", metavar="ID", nargs="?", default="", help="a federation's id, or its instance's")
    parser.add_argument("--state", choices=("open", "closed", "all"), default="open", help="which ones (default: open)")


def _federations(client: OperatorClient, chosen: argparse.Namespace) -> int:
    if chosen.id:
        return _show(client.get("federations", chosen.id), as_json=chosen.json)
    answer = client.get("federations", query={} if chosen.state == "all" else {"state": chosen.state})
    found = answer["federations"]
    if chosen.json:
        asking.print_json(answer)
    elif found:
        for line in table(_HEADINGS, map(_row, found)):
            write(line)
    else:
        write("no federations" if chosen.state == "all" else f"no federation is {chosen.state}")
    return FINDINGS if {state_of(one) for one in found} & {NEEDS_YOU, ABANDONED} else OK


def _row(one: Any) -> tuple[object, ...]:
    status = status_of(one["instance"])
    return (
        one["id"],
        f"{one['organization']}/{one['project']}/{one['connection'] or one['new_name']}",
        one["mode"],
        state_of(one),
        status.get("step"),
        moment(one["opened"]),
        moment(status.get("next")),
        status.get("waiting_for"),
    )


def _show(answer: Any, *, as_json: bool) -> int:
    if as_json:
        asking.print_json(answer)
    else:
        record = answer["record"]
        for line in (*_about(record), *now(answer["instance"]), *_open_to(answer), *entries(record)):
            write(line)
    return FINDINGS if needs_somebody(answer) else OK


def _about(record: Any) -> Iterator[str]:
    if record is None:
        yield "record    none: it ended before it began, or hasn't got that far"
        return
    walk = record["federation"]
    new, granted = walk["new"] or {}, walk["role"] and f"{walk['role']} for {walk['scope']}"
    for name, value in (
        ("id", walk["id"]),
        ("connection", f"{walk['organization']}/{walk['project']}/{walk['connection'] or walk['new_name']}"),
        ("how", f"{walk['mode']}, asked for by {walk['requested_by'] or 'nobody who is known'}"),
        ("new one", walk["new_name"] if walk["connection"] else ""),
        ("role", granted),
        ("opened", f"{moment(record['opened'])} UTC"),
        ("closed", f"{moment(record['closed'])} UTC: {record['result']}" if record["closed"] else "not yet"),
        ("issuer", new.get("issuer")),
        ("subject", new.get("subject")),
        ("way back", f"until {moment(new['revert_until'])} UTC" if new.get("revert_until") else ""),
        *((one["kind"], f"by {one['by']} at {moment(one['at'])} UTC") for one in record["decisions"]),
    ):
        if value:
            yield f"{name:<10} {harmless(value)}"


def _open_to(answer: Any) -> Iterator[str]:
    for kind in answer["open_to"]:
        yield harmless(f"possible   python -m rekey {kind} {answer['record']['federation']['id']}")
