"""`acknowledge`: put down that somebody who changes a copy by hand has the new credential."""

import argparse
from collections.abc import Iterator
from typing import Any

from rekey.commands import asking
from rekey.operator_client import OperatorClient
from rekey.terminal import OK, harmless, moment, write

_DESCRIPTION = """\
Put down that somebody who changes a copy by hand uses the new credential. The rotation keeps the old one until that is
said of all of them, at most until the old one's own end. Saying it twice is no error: the first one who did stays.

ID is a rotation's id, as the mail has it, or an instance's: rotate.<vault>.<secret>.
Exit code: 0; 1 if the rotation isn't known, is closed or hasn't published yet, or the API can't be asked; 2 if what was
given can't be used, such as a consumer that this rotation doesn't wait for."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "put down that somebody who acts by hand has done so"
    parser = asking.add(commands, "acknowledge", _acknowledge, summary=summary, description=_DESCRIPTION)
    parser.add_argument("id", metavar="ID", help="a rotation's id, or rotate.<vault>.<secret>")
    parser.add_argument("consumer", metavar="CONSUMER", help="who has it, as the policy says: manual:<mail address>")


def _acknowledge(client: OperatorClient, chosen: argparse.Namespace) -> int:
    answer = client.post("rotations", chosen.id, "acknowledge", body={"consumer": chosen.consumer})
    if chosen.json:
        asking.print_json(answer)
    else:
        for line in _lines(answer):
            write(harmless(line))
    return OK


def _lines(answer: Any) -> Iterator[str]:
    said = f"acknowledged by {answer['by']} at {moment(answer['at'])} UTC"
    yield f"{answer['vault']}/{answer['secret']}: {answer['consumer']} {said}"
    if answer["waiting_for"]:
        yield f"still waited for: {', '.join(answer['waiting_for'])}"
    if not answer["heard"]:
        yield "the rotation could not be told now: if it runs, it reads this within a day"
