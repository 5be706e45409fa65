"""`connections`: how the service connections of Azure DevOps sign in to Azure, and what is wrong with that."""

import argparse
from collections.abc import Iterator
from typing import Any

from rekey.commands import asking
from rekey.operator_client import ApiError, OperatorClient
from rekey.spreadsheet import rows
from rekey.terminal import FINDINGS, OK, harmless, moment, table, write

_DESCRIPTION = """\
Show the last report on the Azure service connections of the allowed Azure DevOps projects: how each signs in (by
federation, a secret, a certificate, a managed identity, a publish profile), when its secret ends, whether Rekey looks
after that, when a pipeline used it last, and what is wrong or could be better (docs/federation.md explains each code).

The report is made every night by audit_service_connections. Secrets are never in it.
Exit code: 0; 1 if something is wrong, or the API can't be asked; 2 if what was given can't be used."""
_HEADINGS = ("CONNECTION", "SIGNS IN BY", "ENDS (UTC)", "MANAGED AS", "LAST USED (UTC)", "FINDINGS")
_COLUMNS = (
    *("organization", "project", "connection", "id", "way", "application", "application_name", "issuer", "subject"),
    *("created", "changed", "last_used", "expires", "revert_until", "disabled", "shared_with", "managed_by", "seen"),
    "findings",
)
_PAGE = "1000"
_WAYS = ("federated", "secret", "certificate", "managed-identity", "publish-profile", "other")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = asking.add(
        commands, "connections", _connections, summary="report on service connections", description=_DESCRIPTION
    )
    parser.add_argument("--csv", action="store_true", help="print the connections as comma-separated values")
    parser.add_argument("--organization", metavar="NAME", default="", help="only that Azure DevOps organization")
    parser.add_argument("--project", metavar="NAME", default="", help="only what that project has")
    parser.add_argument("--way", choices=_WAYS, default="", help="only what signs in that way")
    parser.add_argument("--finding", metavar="CODE", default="", help="only what has that finding")
    parser.add_argument("--managed", choices=("true", "false"), default="", help="only what Rekey looks after, or not")


def _connections(client: OperatorClient, chosen: argparse.Namespace) -> int:
    first, connections = _report(client, chosen)
    if chosen.json:
        asking.print_json({**first, "connections": connections, "continuation": None})
    else:
        lines = rows(_COLUMNS, map(_cells, connections)) if chosen.csv else _text(first, connections)
        for line in lines:
            write(line)
    return FINDINGS if any(said["severity"] == "wrong" for said in first["findings"]) else OK


def _report(client: OperatorClient, chosen: argparse.Namespace) -> tuple[Any, list[Any]]:
    """Return the first page, which has all findings, and the connections of all pages."""
    narrowed = {name: getattr(chosen, name) for name in ("organization", "project", "way", "finding", "managed")}
    query = {name: text for name, text in {**narrowed, "top": _PAGE}.items() if text}
    answer = first = client.get("service-connections", query=query)
    connections = list(first["connections"])
    while following := answer["continuation"]:
        answer = client.get("service-connections", query={**query, "continuation": following})
        if answer["continuation"] == following:
            raise ApiError("the API gave the same page twice")
        connections += answer["connections"]
    return first, connections


def _text(report: Any, connections: list[Any]) -> Iterator[str]:
    if connections:
        yield from table(_HEADINGS, map(_row, connections))
        yield ""
    for said in report["findings"]:
        where = "/".join(filter(None, (said["organization"], said["project"], said["subject"])))
        yield harmless(f"{said['severity']}: {said['code']}: {where}: {said['message']} (since {said['since'][:10]})")
        yield harmless(f"  {said['what_to_do']}")
    many = len(connections)
    yield f"{many} connection{'' if many == 1 else 's'}, as of {moment(report['at'])} UTC"


def _row(one: Any) -> tuple[object, ...]:
    where = f"{one['organization']}/{one['project']}/{one['connection']}"
    ends, used = moment(one["expires"]), moment(one["last_used"])
    return where, one["way"], ends, one["managed_by"], used, ", ".join(one["findings"])


def _cells(one: Any) -> tuple[object, ...]:
    return tuple(one[column] for column in _COLUMNS)
