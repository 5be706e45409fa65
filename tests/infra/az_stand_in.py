# ruff: noqa: T201 - a command line tool prints
"""Stands in for the Azure CLI: a few commands that show things, and `rest`, with --query and --output as az has them.

The file named by AZ_STAND_IN says who is signed in (`account`, null: nobody), the `cloud`, the `token`, the `ca` and
the `functionapp`.
As az does, it sends the token only to an address that is the cloud's own Graph, prints a refusal as
`ERROR: <reason>(<body>)` on standard error, and exits 1, or 3 for a 404.
"""

import argparse
import json
import os
import ssl
import sys
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import jmespath  # type: ignore[import-untyped]

from local.azure import resolve
from tests.infra import devops_stand_in

NOT_FOUND = 3
USAGE = 2


def main(arguments: list[str]) -> int:
    """Run one command; exit code 2 for what the stand-in doesn't know."""
    world = json.loads(Path(os.environ["AZ_STAND_IN"]).read_text())
    match arguments:
        case ["account", "show", *rest]:
            return _show(world["account"], rest)
        case ["account", "get-access-token", *rest]:
            return _show(world["account"] and {"accessToken": world["token"]}, rest)
        case ["functionapp", "show", *rest]:
            return _show(world["account"] and world["functionapp"], rest)
        case ["cloud", "show", *rest]:
            return _show(world["cloud"], rest)
        case ["rest", *rest]:
            return _rest(world, rest)
    print(f"az: '{' '.join(arguments)}' is not what this stand-in knows", file=sys.stderr)
    return USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="az", allow_abbrev=False)
    parser.add_argument("--query", default="@")
    parser.add_argument("--resource-group")
    parser.add_argument("--name")
    parser.add_argument("--output", "-o", choices=("tsv", "json", "none"), default="json")
    return parser


def _show(found: Any, arguments: list[str]) -> int:
    chosen = _parser().parse_args(arguments)
    if found is None:
        print("ERROR: Please run 'az login' to setup account.", file=sys.stderr)
        return 1
    _print(found, chosen)
    return 0


def _rest(world: dict[str, Any], arguments: list[str]) -> int:
    parser = _parser()
    parser.add_argument("--method", "-m", default="get")
    parser.add_argument("--url", "--uri", required=True)
    parser.add_argument("--body", "-b")
    parser.add_argument("--resource")
    chosen = parser.parse_args(arguments)
    status, reason, text = _send(world, chosen)
    if status >= 400:
        print(f"ERROR: {reason}({text})", file=sys.stderr)
        return NOT_FOUND if status == 404 else 1
    if text:
        _print(json.loads(text), chosen)
    return 0


def _send(world: dict[str, Any], chosen: argparse.Namespace) -> tuple[int, str, str]:
    parts = urlsplit(chosen.url)
    if parts.scheme != "https" or parts.hostname is None:
        raise SystemExit(f"az: --url: got {chosen.url!r}, expected https://<host>/<path>")
    if parts.hostname in devops_stand_in.HOSTS:
        if chosen.resource != devops_stand_in.RESOURCE:
            return 401, "Unauthorized", "a token of Azure DevOps is needed: --resource"
        return devops_stand_in.answer(Path(world["devops"]), chosen.method.upper(), chosen.url, chosen.body)
    headers = {"User-Agent": "AZURECLI/stand-in"}
    if chosen.url.startswith(world["cloud"]["endpoints"]["microsoftGraphResourceId"]):
        headers["Authorization"] = f"Bearer {world['token']}"
    if chosen.body:
        json.loads(chosen.body)
        headers["Content-Type"] = "application/json"
    resolve.install()
    connection = HTTPSConnection(parts.hostname, parts.port, context=ssl.create_default_context(cafile=world["ca"]))
    # As az does, and only that: what a URL may not contain is encoded, the rest stays as it is.
    target = quote(f"{parts.path}?{parts.query}", safe="%/?&=$,:;'()@+~")
    connection.request(chosen.method.upper(), target, chosen.body, headers)
    answer = connection.getresponse()
    return answer.status, answer.reason, answer.read().decode()


def _print(found: Any, chosen: argparse.Namespace) -> None:
    result = jmespath.search(chosen.query, found)
    if result is None or chosen.output == "none":
        return
    if chosen.output == "json":
        print(json.dumps(result, indent=2))
        return
    for row in result if isinstance(result, list) else [result]:
        print("\t".join(map(_cell, row)) if isinstance(row, list) else _cell(row))


def _cell(value: Any) -> str:
    """Return one cell of a table as az writes it: the length of a list, nothing for an object."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return str(len(value))
        case dict():
            return ""
        case _:
            return str(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
