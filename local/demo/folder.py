"""Knows what a run leaves behind, and where: logs, mails, evidence, requests, what was judged and printed."""

import itertools
import json
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from local.company import Mail
from local.judge import Check
from local.stack import ROOT

RUNS = ROOT / ".rekey"
_WORKING = ("azurite", "azure")
"""Folders of the emulators: their files, certificates, ports."""


def new_folder() -> Path:
    """Make the folder of a run, named after the moment."""
    stamp = f"demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    for number in itertools.count(1):
        folder = RUNS / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError


def shown(path: Path) -> str:
    """Return a path as one would type it in the project's folder."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def write_mails(folder: Path, mails: Sequence[Mail]) -> None:
    """Write each mail as HTML and text."""
    where = folder / "mails"
    where.mkdir()
    for number, mail in enumerate(mails, start=1):
        name = f"{number}-{mail.kind()}"
        head = f"Date: {mail.at:%Y-%m-%d %H:%M:%S} UTC\nTo: {', '.join(mail.recipients())}\nSubject: {mail.subject}\n\n"
        (where / f"{name}.txt").write_text(head + mail.text, encoding="utf-8")
        (where / f"{name}.html").write_text(mail.html, encoding="utf-8")


def write_evidence(folder: Path, record: msgspec.Struct | None, requests: list[dict[str, Any]]) -> None:
    """Write the evidence record and the log of requests."""
    if record is not None:
        _write_json(folder / "evidence.json", msgspec.to_builtins(record))
    _write_json(folder / "requests.json", requests)


def write_judgement(folder: Path, checks: Sequence[Check], printed: str) -> None:
    """Write what was judged, and what was printed so far."""
    _write_json(folder / "checks.json", [msgspec.to_builtins(check) for check in checks])
    (folder / "printed.txt").write_text(printed, encoding="utf-8")


def tidy(folder: Path) -> None:
    """Remove what only the emulators can read; the simulated secrets are in it."""
    for name in _WORKING:
        shutil.rmtree(folder / name, ignore_errors=True)


def tail(folder: Path, lines: int = 15) -> list[str]:
    """Return the end of each log."""
    told: list[str] = []
    for log in sorted(folder.glob("*.log")):
        last = log.read_text(errors="replace").splitlines()[-lines:]
        told += [f"--- end of {shown(log)}", *last] if last else []
    return told


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
