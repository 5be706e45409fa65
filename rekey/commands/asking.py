"""What every command that asks the operator API has in common: how it is told where that is, and who asks."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from rekey.api_access import ADDRESS, KEY, key
from rekey.errors import SettingError
from rekey.operator_client import ApiError, OperatorClient
from rekey.secret_value import SecretValue
from rekey.settings import operator_access
from rekey.terminal import FINDINGS, UNUSABLE, complain, write

type Run = Callable[[OperatorClient, argparse.Namespace], int]

ACCESS = f"""\
The operator API is asked at --api or {ADDRESS}: the function app's address, https unless it is on this machine.
Its function key is taken from {KEY} or from --key-file, never from the command line, which others can see;
--audience adds a token of whoever is signed in to the Azure CLI, where Entra authentication is in front of the app."""


def add(commands: Any, name: str, run: Run, *, summary: str, description: str) -> argparse.ArgumentParser:
    """Add a command that asks the API, with the arguments all of them have."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{description}\n\n{ACCESS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # --key KEY would be taken for --key-file
    )
    parser.add_argument("--api", metavar="URL", default="", help=f"the function app's address (default: {ADDRESS})")
    parser.add_argument("--key-file", metavar="FILE", default="", help=f"a file with the key (default: {KEY})")
    parser.add_argument("--audience", metavar="URI", default="", help="sign in with the Azure CLI for that audience")
    parser.add_argument("--json", action="store_true", help="print what the API answered, as JSON")
    parser.set_defaults(run=lambda chosen: _asked(run, chosen))
    return parser


def print_json(answer: object) -> None:
    """Print an answer as JSON that any terminal can show."""
    write(json.dumps(answer, indent=2))


def _asked(run: Run, chosen: argparse.Namespace) -> int:
    try:
        return run(_client(chosen), chosen)
    except SettingError as error:
        return complain(error.message, UNUSABLE)
    except ApiError as error:
        return complain(str(error), error.code)
    except (KeyError, TypeError, AttributeError):
        return complain("the answer isn't what this version expects: is the app of another version?", FINDINGS)


def _client(chosen: argparse.Namespace) -> OperatorClient:
    access = operator_access(chosen.api)
    if chosen.key_file:
        access = msgspec.structs.replace(access, key=_key(chosen.key_file))
    return OperatorClient(access, _token(chosen.audience) if chosen.audience else "")


def _key(file: str) -> SecretValue:
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:  # the name isn't shown: people give the key itself
        expected = f"a file that holds the key ({type(error).__name__})"
        raise SettingError("--key-file", f"({len(file)} characters, not shown)", expected) from None
    return key("--key-file", text)


def _token(audience: str) -> str:
    from azure.core.exceptions import AzureError

    from rekey.clients import signed_in_token

    try:
        return signed_in_token(audience)
    except AzureError as error:
        said = str(error).partition("\n")[0]
        raise ApiError(f"no token for {audience}: {said}", "Sign in with az login.") from None
