"""`show`: one rotation in full, what each step did and what it is at now."""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from rekey.commands import asking
from rekey.commands.list_rotations import NEEDS_YOU, status_of
from rekey.operator_client import OperatorClient
from rekey.terminal import FINDINGS, OK, harmless, moment, table, write

_DESCRIPTION = """\
Show one rotation: its evidence record, and what its instance is doing.

ID is a rotation's id, or an instance's: rotate.<vault>.<secret> shows the rotation of that secret.
Exit code: 0; 1 if it failed, needs somebody or is not known, or the API can't be asked; 2 if what was given can't be
used."""
_HEADINGS = ("AT (UTC)", "STEP", "OUTCOME", "TIMES", "WHAT")
LONGEST = 300
"""Characters of what a step found out; --json has all of it."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = asking.add(commands, "show", _show, summary="show one rotation in full", description=_DESCRIPTION)
    parser.add_argument("id", metavar="ID", help="a rotation's id, or rotate.<vault>.<secret>")


def _show(client: OperatorClient, chosen: argparse.Namespace) -> int:
    answer = client.get("rotations", chosen.id)
    if chosen.json:
        asking.print_json(answer)
    else:
        for line in (
            *_about(answer["record"]),
            *_people(answer),
            *now(answer["instance"]),
            *entries(answer["record"]),
        ):
            write(line)
    return FINDINGS if needs_somebody(answer) else OK


def needs_somebody(answer: Any) -> bool:
    """Tell whether somebody has to look at what is shown, a rotation or a federation."""
    record, instance = answer["record"], answer["instance"]
    failed = record["result"] == "failed" if record else instance["runtime_status"] in {"Failed", "Terminated"}
    abandoned = record is not None and record["state"] == "open" and instance is None
    return failed or abandoned or status_of(instance).get("state") == NEEDS_YOU


def _about(record: Any) -> Iterator[str]:
    if record is None:
        yield "record    none: the rotation ended before it began, or hasn't got that far"
        return
    issued = record["issued"] or {}
    for name, value in (
        ("rotation", record["rotation_id"]),
        ("secret", f"{record['vault']}/{record['secret']}"),
        ("reason", f"{record['reason']}, asked for by {record['requested_by'] or 'an event'}"),
        ("opened", f"{moment(record['opened'])} UTC"),
        ("closed", f"{moment(record['closed'])} UTC: {record['result']}" if record["closed"] else "not yet"),
        ("old", f"version {record['old_version']}"),
        ("new", f"key {issued['key_id']}, until {moment(issued['expires'])} UTC" if issued else "not made yet"),
    ):
        yield f"{name:<9} {harmless(value)}"


def _people(answer: Any) -> Iterator[str]:
    """Return a line for each of those who act by hand; an app of an older version doesn't name them."""
    for one in answer.get("acknowledgements", ()):
        said = f"acknowledged by {one['by']} at {moment(one['at'])} UTC" if one["by"] else "not acknowledged yet"
        yield harmless(f"by hand   {one['consumer']}: {said}")


def now(instance: Any) -> Iterator[str]:
    """Return what an instance is doing; nothing if there is none."""
    if instance is None:
        return
    status = status_of(instance)
    yield f"instance  {harmless(instance['id'])}: {harmless(instance['runtime_status'])}"
    if status.get("step"):
        since, until = moment(status.get("since")), moment(status.get("next"))
        waits = f", waits for {status['waiting_for']}" if status.get("waiting_for") else ""
        following = f", next {until} UTC" if until else ""
        yield harmless(f"at        {status['step']}: {status.get('state')} since {since} UTC{following}{waits}")


def entries(record: Any) -> Iterator[str]:
    """Return a table of what each step of a record did."""
    if record is None or not record["entries"]:
        return
    yield ""
    yield from table(_HEADINGS, map(_entry, record["entries"]))


def _entry(entry: Any) -> tuple[object, ...]:
    """Return one row; the record leaves out what is empty."""
    said = entry.get("message", "")
    if entry.get("code"):
        said = f"{entry['code']}: {said}"
    elif not said and entry.get("detail") is not None:
        said = _found(entry["detail"])
    cut = said if len(said) <= LONGEST else said[:LONGEST] + "..."
    return moment(entry["at"]), entry["step"], entry["outcome"], entry.get("times", 1), cut


def _found(detail: Any) -> str:
    """Return what a step found out, less what is empty."""
    if not isinstance(detail, dict):
        return str(detail)
    told = ((name, value) for name, value in detail.items() if value not in (None, "", [], {}))
    return ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in told)
