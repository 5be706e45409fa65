"""`plan`: what a rotation would do and what would stop it, while nothing is changed."""

import argparse
from collections.abc import Iterator
from typing import Any

from rekey.commands import asking, readers
from rekey.model import Reason
from rekey.operator_client import OperatorClient
from rekey.terminal import FINDINGS, OK, UNUSABLE, complain, harmless, moment, table, write

_DESCRIPTION = """\
Say what a rotation would do: every step in order, each object it would touch, whom it would write to, which rights it
needs, and what is missing. Nothing is changed, stored, started or mailed.

Exit code: 0 it would rotate, isn't due yet, or nothing is left to rotate; 1 something would stop it, or the API can't
be asked; 2 if what was given can't be used."""
_SAID = {
    "rotates": "would rotate",
    "nothing-left": "has nothing left to rotate",
    "stops": "would stop",
    "not-due": "would not rotate yet",
    "untagged": "is not managed",
    "bad-policy": "would stop: its tags can't be used",
    "no-version": "can't be read",
}
_DATES = {
    "due_from": "due from",
    "old_expires": "old credential ends",
    "new_expires": "new credential ends",
    "grace_until": "grace ends",
}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = asking.add(commands, "plan", _plan, summary="say what a rotation would do", description=_DESCRIPTION)
    parser.add_argument("secret", metavar="VAULT/SECRET", help="the secret")
    parser.add_argument("--reason", choices=tuple(Reason), default=str(Reason.MANUAL), help="default: manual")


def _plan(client: OperatorClient, chosen: argparse.Namespace) -> int:
    vault, slash, secret = chosen.secret.partition("/")
    if not (vault and slash and secret):
        return complain(f"VAULT/SECRET: got {chosen.secret!r}, expected a vault's and a secret's name", UNUSABLE)
    answer = client.post("rotations", "plan", body={"vault": vault, "secret": secret, "reason": chosen.reason})
    if chosen.json:
        asking.print_json(answer)
    else:
        for line in _lines(answer):
            write(line)
    return OK if answer["verdict"] in {"rotates", "nothing-left", "not-due"} else FINDINGS


def _lines(answer: Any) -> Iterator[str]:
    said = _SAID.get(answer["verdict"], answer["verdict"])
    yield harmless(f"{answer['vault']}/{answer['secret']} {said} ({answer['reason']}): {answer['why']}")
    if answer["running"]:
        yield f"A rotation is on its way already ({harmless(answer['instance'])}): a start would change nothing."
    for name, label in _DATES.items() if answer["dates"] else ():
        yield f"  {label:<20} {moment(answer['dates'][name]) or 'never'}"
    yield from lacking(answer["missing"])
    for tag in answer["bad_tags"]:
        got = "a value that isn't shown" if tag["got"] is None else repr(tag["got"])
        yield harmless(f"BAD TAG {tag['tag']}: got {got}, expected {tag['expected']}")
    yield from runbook(answer["steps"])
    yield from _readers(answer.get("readers"))
    yield from _said("Not proved without writing:", answer["not_proved"])
    yield from _said("Remarks:", answer["remarks"])


def lacking(missing: Any) -> Iterator[str]:
    """Return what stops it, and what to do about each."""
    for one in missing:
        yield ""
        yield harmless(f"MISSING at {one['step']}, {one['subject']}: {one['message']}")
        yield f"  {harmless(one['what_to_do'])}"


def runbook(steps: Any) -> Iterator[str]:
    """Return every step with what it touches, and a table of the rights they need."""
    for number, step in enumerate(steps, start=1):
        if number == 1:
            yield ""
        yield harmless(f"{number:>2}. {step['step']}: {step['does']}")
        for touched in step["touches"]:
            named = f" ({touched['name']})" if touched.get("name") else ""
            yield harmless(f"      {touched['plane']} {touched['id']}{named}: {touched['change']}")
    rights: dict[tuple[str, str, str], list[str]] = {}
    for number, step in enumerate(steps, start=1):
        for right in step["permissions"]:
            rights.setdefault((right["plane"], right["name"], right["needed_for"]), []).append(str(number))
    if rights:
        yield ""
        yield from table(("STEPS", "PLANE", "RIGHT", "FOR"), ((",".join(n), *right) for right, n in rights.items()))


def _readers(versions: Any) -> Iterator[str]:
    """Return whom a new version concerns; an app of an older version doesn't know."""
    if versions:
        yield ""
        yield "Read in the last 30 days by:"
        yield from readers.rows(versions)


def _said(heading: str, sentences: Any) -> Iterator[str]:
    if sentences:
        yield ""
        yield heading
    for sentence in sentences:
        yield f"  {harmless(sentence)}"
