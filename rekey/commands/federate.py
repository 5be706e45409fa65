"""`federate`: let service connections sign in without a secret, one by name or many by a filter, or plan that."""

import argparse
from collections.abc import Iterator
from typing import Any

from rekey.commands import asking, federation_plan
from rekey.operator_client import OperatorClient
from rekey.terminal import FINDINGS, OK, UNUSABLE, complain, harmless, write

_DESCRIPTION = """\
Let a service connection of Azure DevOps sign in to Azure without a secret: converted in place, replaced by a new one
(side-by-side), or, if it is federated and Entra doesn't know it any more, repaired. Which of them the function app may
do is up to its settings (docs/federation.md). --plan changes nothing: it says what would be done, and what stops it.

  python -m rekey federate contoso/Shop/deploy --plan
  python -m rekey federate --project Shop --finding secret-by-hand --limit 5 --dry-run

Without CONNECTION, those of the last audit report that the filter means, at most --limit, what ends soonest first.
Exit code: 0; 1 if something would stop it or one could not be started, or the API can't be asked; 2 if what was given
can't be used."""
FILTER = ("organization", "project", "finding", "way", "managed")
_OF_ONE = ("target", "identity", "name")
_MODES = ("in-place", "side-by-side", "repair")
_SAID = {
    "started": "started",
    "running": "is on its way already",
    "not-started": "could not be started",
    "would-start": "would be started",
}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "let service connections sign in without a secret"
    parser = asking.add(commands, "federate", _federate, summary=summary, description=_DESCRIPTION)
    parser.add_argument("connection", metavar="ORGANIZATION/PROJECT/CONNECTION", nargs="?", default="")
    parser.add_argument("--mode", choices=_MODES, default="", help="default: in-place")
    parser.add_argument(
        "--soak", metavar="DURATION", default="", help="how long the way back stays open (default: P7D)"
    )
    parser.add_argument("--plan", action="store_true", help="only say what would be done")
    one = parser.add_argument_group("side by side")
    one.add_argument("--target", choices=("application", "managed-identity"), default="", help="default: application")
    one.add_argument(
        "--identity", metavar="ARM-ID", default="", help="the managed identity that the new one signs in as"
    )
    one.add_argument("--name", metavar="NAME", default="", help="the new connection's (default: <old>-federated)")
    many = parser.add_argument_group("those of the last audit report")
    many.add_argument("--limit", metavar="NUMBER", type=int, help="at most so many")
    many.add_argument("--dry-run", action="store_true", help="only say which")
    many.add_argument("--organization", metavar="NAME", default="")
    many.add_argument("--project", metavar="NAME", default="")
    many.add_argument("--finding", metavar="CODE", default="", help="only what has that finding")
    many.add_argument("--way", metavar="WAY", default="", help="only what signs in that way")
    many.add_argument("--managed", choices=("true", "false"), default="", help="only what Rekey looks after, or not")


def place(text: str, what: str) -> dict[str, str]:
    """Return organization, project and the last part, which may hold slashes, by name; ValueError."""
    organization, _, rest = text.partition("/")
    project, _, last = rest.partition("/")
    if not (organization and project and last):
        expected = f"ORGANIZATION/PROJECT/{what.upper()}"
        raise ValueError(f"{expected}: got {text!r}, expected the names of an organization, a project and a {what}")
    return {"organization": organization, "project": project, what: last}


def _federate(client: OperatorClient, chosen: argparse.Namespace) -> int:
    try:
        body = _body(chosen)
    except ValueError as error:
        return complain(str(error), UNUSABLE)
    if chosen.plan:
        return federation_plan.show(client.post("service-connections", "plan", body=body), as_json=chosen.json)
    answer = client.post("service-connections", "federate", body=body)
    if chosen.json:
        asking.print_json(answer)
    else:
        for line in _many(answer) if "filter" in body else started(answer, chosen.connection):
            write(harmless(line))
    return FINDINGS if any(one["outcome"] == "not-started" for one in answer.get("federations", ())) else OK


def _body(chosen: argparse.Namespace) -> dict[str, Any]:
    same = _given(chosen, ("mode", "soak"))
    filtered = _given(chosen, FILTER)
    if chosen.connection:
        if filtered or chosen.limit is not None or chosen.dry_run:
            raise ValueError("CONNECTION and a filter: expected one of them")
        return {**place(chosen.connection, "connection"), **same, **_given(chosen, _OF_ONE)}
    if not filtered or chosen.limit is None:
        raise ValueError("expected ORGANIZATION/PROJECT/CONNECTION, or a filter and --limit")
    if single := _given(chosen, _OF_ONE):
        raise ValueError(f"--{next(iter(single))}: expected with ORGANIZATION/PROJECT/CONNECTION alone")
    if "managed" in filtered:
        filtered["managed"] = filtered["managed"] == "true"
    return {"filter": filtered, "limit": chosen.limit, "dry_run": chosen.dry_run, **same}


def _given(chosen: argparse.Namespace, fields: tuple[str, ...]) -> dict[str, Any]:
    return {field: getattr(chosen, field) for field in fields if getattr(chosen, field)}


def started(answer: Any, what: str) -> Iterator[str]:
    """Return the lines about one start."""
    yield f"{what} {_SAID['started' if answer['started'] else 'running']} as {answer['instance']}"
    yield f"how it goes: python -m rekey federations {answer['instance']}"


def _many(answer: Any) -> Iterator[str]:
    for one in answer["federations"]:
        where = f"{one['organization']}/{one['project']}/{one['connection']}"
        yield f"{where} {_SAID.get(one['outcome'], one['outcome'])} as {one['instance']}"
    yield f"{answer['matching']} match, {answer['left_out']} of them beyond the limit"
