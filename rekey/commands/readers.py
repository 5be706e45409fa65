"""`readers`: who read which version of a secret, by the vault's audit log."""

import argparse
from collections.abc import Iterator
from typing import Any

from rekey.commands import asking
from rekey.operator_client import OperatorClient
from rekey.terminal import FINDINGS, OK, UNUSABLE, complain, harmless, moment, table, write

_DESCRIPTION = """\
Show who read which version of a secret, first and last, as the vault's audit log has it. Rekey itself is left out.

`read`: got it. `disabled`: would have, were that version not disabled. `refused`: has no right to.
Exit code: 0; 1 if others may have read it unseen, or the API can't be asked; 2 if what was given can't be used."""
_HEADINGS = ("VERSION", "HOW", "APPLICATION", "OBJECT ID", "NAME", "FIRST (UTC)", "LAST (UTC)", "FROM")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = asking.add(commands, "readers", _readers, summary="say who reads a secret", description=_DESCRIPTION)
    parser.add_argument("secret", metavar="VAULT/SECRET", help="the secret")


def rows(versions: Any) -> Iterator[str]:
    """Return a table of the readers of each version."""
    lines = [(version["version"], reader) for version in versions for reader in version["readers"]]
    return table(_HEADINGS, (_row(version, reader) for version, reader in lines))


def _readers(client: OperatorClient, chosen: argparse.Namespace) -> int:
    vault, slash, secret = chosen.secret.partition("/")
    if not (vault and slash and secret):
        return complain(f"VAULT/SECRET: got {chosen.secret!r}, expected a vault's and a secret's name", UNUSABLE)
    answer = client.get("secrets", vault, secret, "readers")
    if chosen.json:
        asking.print_json(answer)
    else:
        for line in _lines(answer):
            write(line)
    return FINDINGS if answer["unseen"] else OK


def _lines(answer: Any) -> Iterator[str]:
    if answer["versions"]:
        yield from rows(answer["versions"])
    else:
        yield harmless(f"no reader of {answer['vault']}/{answer['secret']} is known")
    if answer["passed"]:
        yield f"The audit log was read up to {moment(answer['passed'])} UTC."
    if answer["unseen"]:
        yield harmless(f"Others may have read it: {answer['unseen']}.")


def _row(version: str, reader: Any) -> tuple[object, ...]:
    seen = (moment(reader["first"]), moment(reader["last"]), ", ".join(reader["addresses"]))
    return version or "(newest)", reader["how"], reader["app_id"], reader["object_id"], reader["name"], *seen
