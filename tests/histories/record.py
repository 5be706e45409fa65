"""Records histories: `python -m tests.histories.record [VERSION] [--replace] [--only NAME...]`.

What is missing in the version's folder is added. A recorded file is what instances in flight have behind them: it is
never overwritten, except with --replace, and that only until the version is released.
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.histories import virtual
from tests.histories.recorded import FOLDER, History

SAME, OTHER, NEW, REPLACED = "as recorded", "differs, left as it was", "recorded", "replaced"


def folder_of(version: str) -> str:
    """Return the folder of a version of host.json: v1 for 1.0."""
    major, _, rest = version.partition(".")
    if not major.isdecimal() or rest not in {"", "0"}:
        raise ValueError(
            f"defaultVersion: got {version!r}, expected a whole number as in '2.0', so that it has a folder"
        )
    return f"v{major}"


def record(histories: Iterable[History], folder: Path, *, replace: bool = False) -> Iterator[tuple[str, str]]:
    """Write what is missing and return each history's name with what became of it."""
    folder.mkdir(exist_ok=True)
    for history in histories:
        path = folder / f"{history.name}.json"
        text = history.text
        there = path.read_text(encoding="utf-8") if path.exists() else None
        if there is None or (replace and there != text):
            path.write_text(text, encoding="utf-8")
        yield history.name, NEW if there is None else SAME if there == text else REPLACED if replace else OTHER


def main(arguments: list[str]) -> int:
    """Record, and say of each history what became of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.histories.record", description=__doc__)
    parser.add_argument(
        "version", nargs="?", default=virtual.default_version(), help="as in host.json's defaultVersion"
    )
    parser.add_argument("--replace", action="store_true", help="overwrite files of a version that isn't released yet")
    parser.add_argument("--only", nargs="*", default=[], help="names of histories")
    parser.add_argument("--from-host", action="store_true", help="from the local host's engine instead (a minute)")
    options = parser.parse_args(arguments)
    folder = FOLDER / folder_of(options.version)
    chosen = (h for h in _source(options) if not options.only or h.name in options.only)
    for name, outcome in record(chosen, folder, replace=options.replace):
        print(f"{folder.name}/{name}: {outcome}")  # noqa: T201 - it is a command
    return 0


def _source(options: argparse.Namespace) -> Iterator[History]:
    if not options.from_host:
        return virtual.recordings(options.version)
    from tests.histories import hosted  # noqa: PLC0415 - it needs the whole simulated Azure

    return hosted.recordings()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
