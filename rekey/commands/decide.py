"""`approve` and `revert`: what somebody decides about a connection that is to need no secret."""

import argparse
from collections.abc import Iterator
from functools import partial
from typing import Any

from rekey.commands import asking
from rekey.operator_client import OperatorClient
from rekey.terminal import OK, harmless, moment, write

_APPROVE = """\
Agree that a role is granted to the identity of a new service connection. Whoever asked for it can't, and a caller
without a name can't: both take Entra authentication in front of the function app (--audience). It is one request that
is approved, by its own id: `python -m rekey federations ID` shows what it grants."""
_REVERT = """\
Have everything as it was before: the connection signs in with its secret again, or what was made is deleted, and Entra
no longer trusts what it trusted for that alone. Possible until the old way in is taken away, and for a connection that
was converted in place, for as long as Azure DevOps can convert it back (seven days)."""
_BOTH = """\
The first one who says it stays; saying it twice is no error.

ID is a federation's id, as the mail has it; to revert, an instance's will do, which stands for the newest one of its
connection: federate.<organization>.<project>.<connection>.
Exit code: 0; 1 if it isn't known, or can't be decided by you or any more, or the API can't be asked; 2 if what was
given can't be used."""
_COMMANDS = {
    "approve": ("agree that a new connection's identity gets its role", _APPROVE),
    "revert": ("have a connection's change undone", _REVERT),
}
_SAID = {"approve": "approved", "revert": "to be reverted, as said"}


def add(commands: Any) -> None:
    """Add both commands to the parser."""
    for name, (summary, description) in _COMMANDS.items():
        said = f"{description}\n\n{_BOTH}"
        parser = asking.add(commands, name, partial(_decide, name), summary=summary, description=said)
        parser.add_argument("id", metavar="ID", help="a federation's id, or its instance's")


def _decide(decision: str, client: OperatorClient, chosen: argparse.Namespace) -> int:
    answer = client.post("federations", chosen.id, decision, body={})
    if chosen.json:
        asking.print_json(answer)
    else:
        for line in _lines(answer):
            write(harmless(line))
    return OK


def _lines(answer: Any) -> Iterator[str]:
    where = f"{answer['organization']}/{answer['project']}/{answer['connection']}"
    yield f"{where}: {_SAID[answer['decision']]} by {answer['by']} at {moment(answer['at'])} UTC"
    if answer["decision"] == "approve" and answer["role"]:
        yield f"it gets {answer['role']} for {answer['scope']}"
    if not answer["heard"]:
        yield "it could not be told now: if it runs, it reads this within a day"
