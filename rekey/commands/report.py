"""`report`: the inventory of all allowed vaults, for people, for spreadsheets and for auditors."""

import argparse
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rekey import spans
from rekey.commands import asking
from rekey.errors import InputError
from rekey.model import Span
from rekey.operator_client import ApiError, OperatorClient
from rekey.spreadsheet import rows
from rekey.terminal import FINDINGS, OK, UNUSABLE, complain, harmless, moment, table, write

_DESCRIPTION = """\
Report every secret of the allowed vaults: whether it is managed, its age, when it is due, how its last rotation ended,
and what is untagged or never expires. Values are never read.

--since leaves out the results of rotations that were opened earlier; the secrets are shown all the same.
Exit code: 0; 1 if tags can't be used, a last rotation failed, something couldn't be looked at, or the API can't be
asked; 2 if what was given can't be used."""
_HEADINGS = ("SECRET", "CARE", "KIND", "AGE", "EXPIRES (UTC)", "DUE FROM (UTC)", "LAST", "OPENED (UTC)")
_COLUMNS = (
    *("vault", "secret", "care", "enabled", "kind", "target", "created", "age_days", "expires", "due", "due_from"),
    *("why", "bad_tags", "consumers", "owners", "last_result", "last_state", "last_opened", "last_rotation_id"),
)
_PAGE = "1000"


def add(commands: Any) -> None:
    """Add the command to the parser."""
    parser = asking.add(commands, "report", _report, summary="report every secret", description=_DESCRIPTION)
    parser.add_argument("--since", metavar="WHEN", default="", help="a date (2026-11-01) or how long ago (P30D)")
    parser.add_argument("--csv", action="store_true", help="print comma-separated values")
    parser.add_argument("--vault", metavar="NAME", action="append", default=[], help="only that vault; may be repeated")
    parser.add_argument("--care", choices=("managed", "untagged", "bad-policy"), default="")
    parser.add_argument("--kind", metavar="KIND", default="", help="only that kind of credential")
    parser.add_argument("--tag", metavar="NAME[:VALUE]", default="", help="only secrets with that tag")
    parser.add_argument("--due", action="store_true", help="only what is due")
    parser.add_argument("--never-expires", action="store_true", help="only what has no expiry date")


def _report(client: OperatorClient, chosen: argparse.Namespace) -> int:
    try:
        since = _moment(chosen.since)
    except ValueError:
        return complain(f"--since: got {chosen.since!r}, expected a date (2026-11-01) or a duration (P30D)", UNUSABLE)
    secrets, problems = _inventory(client, chosen)
    for secret in secrets:
        if since and secret["last"] and datetime.fromisoformat(secret["last"]["opened"]) < since:
            secret["last"] = None
    if chosen.json:
        asking.print_json({"secrets": secrets, "problems": problems})
    else:
        for line in rows(_COLUMNS, map(_cells, secrets)) if chosen.csv else _text(secrets):
            write(line)
    for problem in problems:
        where = f"vault {problem['vault']}" if problem["vault"] else "records"
        complain(f"{where} couldn't be looked at: {problem['message']}. {problem['what_to_do']}")
    return FINDINGS if problems or any(map(_needs_somebody, secrets)) else OK


def _moment(text: str) -> datetime | None:
    """Return the moment that a date or a duration means; ValueError."""
    if not text:
        return None
    try:
        span = spans.parse(text)
    except InputError:
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return Span(months=-span.months, seconds=-span.seconds).after(datetime.now(UTC))


def _inventory(client: OperatorClient, chosen: argparse.Namespace) -> tuple[list[Any], list[Any]]:
    """Return all secrets asked for, vault by vault and page by page, and each problem once."""
    narrowed = {"care": chosen.care, "kind": chosen.kind, "tag": chosen.tag, "top": _PAGE}
    narrowed |= {"due": "true" if chosen.due else "", "never-expires": "true" if chosen.never_expires else ""}
    secrets: list[Any] = []
    problems: dict[str, Any] = {}
    for vault in dict.fromkeys(chosen.vault) or [""]:
        query = {name: text for name, text in {**narrowed, "vault": vault}.items() if text}
        for answer in _pages(client, query):
            secrets += answer["secrets"]
            problems |= {str(problem): problem for problem in answer["problems"]}
    return secrets, list(problems.values())


def _pages(client: OperatorClient, query: dict[str, str]) -> Iterator[Any]:
    while True:
        answer = client.get("secrets", query=query)
        yield answer
        if not answer["continuation"]:
            return
        if answer["continuation"] == query.get("continuation"):
            raise ApiError("the API gave the same page twice")
        query = {**query, "continuation": answer["continuation"]}


def _needs_somebody(secret: Any) -> bool:
    return secret["care"] == "bad-policy" or bool(secret["last"] and secret["last"]["result"] == "failed")


def _text(secrets: list[Any]) -> Iterator[str]:
    if secrets:
        yield from table(_HEADINGS, map(_row, secrets))
        yield ""
    yield from _summary(secrets)


def _row(secret: Any) -> tuple[object, ...]:
    last = secret["last"] or {}
    due = f"{moment(secret['due_from'])}{' (due)' if secret['due'] else ''}"
    return (
        f"{secret['vault']}/{secret['secret']}",
        secret["care"],
        secret["kind"],
        f"{secret['age_days']} d",
        moment(secret["expires"]) or "never",
        due,
        last.get("result") or last.get("state"),
        moment(last.get("opened")),
    )


def _summary(secrets: list[Any]) -> Iterator[str]:
    care = Counter(str(secret["care"]) for secret in secrets)
    never = sum(1 for secret in secrets if secret["expires"] is None)
    due = sum(1 for secret in secrets if secret["due"])
    yield harmless(
        f"{len(secrets)} secret{'' if len(secrets) == 1 else 's'}: "
        + ", ".join(f"{care[name]} {name}" for name in ("managed", "untagged", "bad-policy"))
        + f"; {due} due, {never} without expiry"
    )
    results = Counter(str(s["last"]["result"] or s["last"]["state"]) for s in secrets if s["last"])
    if results:
        yield harmless("last rotations: " + ", ".join(f"{number} {result}" for result, number in results.most_common()))


def _cells(secret: Any) -> tuple[object, ...]:
    last = {f"last_{name}": value for name, value in (secret["last"] or {}).items()}
    return tuple({**secret, **last}.get(column) for column in _COLUMNS)
