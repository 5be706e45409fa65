"""`vend`: have a service connection made that never has a secret."""

import argparse
from typing import Any

from rekey.commands import asking
from rekey.commands.federate import place, started
from rekey.operator_client import OperatorClient
from rekey.terminal import OK, UNUSABLE, complain, harmless, write

_DESCRIPTION = """\
Have a service connection made that never has a secret: a managed identity of its own, which Entra lets sign in for
exactly this connection, and which gets the role for the scope, once somebody else has approved that
(python -m rekey approve). No pipeline may use it without being asked.

Only the function app whose REKEY_DUTY is vending does that, for the roles and scopes that its REKEY_VENDING allows.
Exit code: 0; 1 if the API can't be asked, or refuses; 2 if what was given can't be used."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "have a service connection made that never has a secret"
    parser = asking.add(commands, "vend", _vend, summary=summary, description=_DESCRIPTION)
    parser.add_argument("connection", metavar="ORGANIZATION/PROJECT/NAME", help="the new connection")
    parser.add_argument("--scope", metavar="ARM-ID", required=True, help="what it is for: /subscriptions/<id>/...")
    parser.add_argument("--role", metavar="ROLE", required=True, help="a built-in role's name, or a role's GUID")
    parser.add_argument("--twin", action="store_true", help="make <name>-readonly too, for pull requests")


def _vend(client: OperatorClient, chosen: argparse.Namespace) -> int:
    try:
        body: dict[str, Any] = {**place(chosen.connection, "name")}
    except ValueError as error:
        return complain(str(error), UNUSABLE)
    body |= {"scope": chosen.scope, "role": chosen.role, "twin": chosen.twin}
    answer = client.post("service-connections", "vend", body=body)
    if chosen.json:
        asking.print_json(answer)
    else:
        for line in started(answer, chosen.connection):
            write(harmless(line))
    return OK
