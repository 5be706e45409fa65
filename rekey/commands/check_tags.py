"""`check-tags`: says what Rekey understands of a secret's tags, before they are put on it."""

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from rekey import check_tags
from rekey.check_tags import Verdict
from rekey.errors import SettingError
from rekey.settings import Partial, read_partial
from rekey.terminal import complain, note, write

_DESCRIPTION = """\
Say what Rekey understands of a secret's tags, or what is wrong with each bad one. Nothing is looked up in Azure.

FILE is JSON, or - for standard input: an object of tags, what `az keyvault secret show` prints, or a list of such:

  az keyvault secret show --vault-name kv-shop --name build-sp | python -m rekey check-tags -

What the tags may name is compared with REKEY_SCOPES, REKEY_MAIL_DOMAINS, REKEY_OPERATORS and REKEY_CLOUD, where the
environment has them. Exit code: 0 all understood, 1 a tag is bad or there is no policy at all, 2 FILE can't be read."""


def add(commands: Any) -> None:
    """Add the command to the parser."""
    check = commands.add_parser(
        "check-tags",
        help="say what Rekey understands of a secret's tags",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("file", metavar="FILE", help="a JSON file, or - for standard input")
    check.add_argument("--vault", metavar="NAME", default="", help="the vault the secret is in, if FILE doesn't say it")
    check.set_defaults(run=_check_tags)


def _check_tags(chosen: argparse.Namespace) -> int:
    file = "standard input" if chosen.file == "-" else chosen.file
    try:
        found = check_tags.entries(_read(chosen.file))
        known = read_partial()
    except OSError as error:
        return complain(f"{file}: {error.strerror or error}")
    except check_tags.ShapeError as error:
        return complain(f"{file}: {error}")
    except SettingError as error:
        return complain(error.message)
    for remark in check_tags.notes(known):
        note(remark)
    verdicts = {_report(entry, chosen.vault or entry.vault, known) for entry in found}
    return int(Verdict.BAD in verdicts or Verdict.UNDERSTOOD not in verdicts)


def _report(entry: check_tags.Entry, vault: str, known: Partial) -> Verdict:
    if known.scopes and not vault:
        note("scopes not checked: which vault is not known, say --vault NAME")
        known = msgspec.structs.replace(known, scopes=())
    verdict, lines = check_tags.report(entry, vault, known)
    for line in lines:
        write(line)
    return verdict


def _read(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
