"""Knows the command line of the demo: its options, its exit codes, its JSON."""

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import msgspec

from local.azure.control import RefusedError
from local.demo import folder as run
from local.demo.course import Course, Outcome, ToldStack
from local.demo.federation_show import FederationShow
from local.demo.screen import Screen
from local.demo.show import Show
from local.federation_scenario import FederationScenario
from local.kinds.catalogue import COMPANIES, UnknownKindError, company_for
from local.processes import ProcessError
from local.scenario import Scenario
from local.storage import AzuriteMissingError

FEDERATION = "federation"
"""What is shown beside rotations of each kind: a service connection comes to need no secret."""
FAILED, WRONG_CALL, INTERRUPTED = 1, 2, 130
_EXPECTED = (ProcessError, TimeoutError, AzuriteMissingError, RefusedError, OSError)
"""What can go wrong on somebody's machine; anything else is a defect and shows its traceback."""

INTRODUCTION = (
    "The real app and SDKs against a simulated Azure on this machine. Nothing leaves it, nothing here is yours."
)

HONESTLY = (
    "simulated  Entra, Graph, Key Vault, Event Grid, Azure DevOps, mail (local/azure, refusing what the real refuse)",
    "simulated  Azure Resource Manager with storage accounts, Logic Apps and App Service (also local/azure)",
    "simulated  the Functions host and its durable store (local/host)",
    "emulated   storage, by Microsoft's Azurite",
    "real       this repository's app, Microsoft's SDKs and Durable Functions for Python, HTTPS between all of them",
    "not shown  live Azure: its pace, and whatever Microsoft's specifications don't say",
)


def main(arguments: list[str]) -> int:
    """Run the demo; 0 only if what it shows came to its end and every check holds."""
    options = _parser().parse_args(arguments)
    for ending in (signal.SIGINT, signal.SIGTERM):  # in the background a shell has SIGINT ignored
        signal.signal(ending, _interrupt)
    try:
        scenario, course = _chosen(options.kind)
    except UnknownKindError as error:
        print(f"demo: {error}", file=sys.stderr)
        return WRONG_CALL
    return _Run(options, scenario, course).run()


def _chosen(kind: str) -> tuple[Scenario, type[Course]]:
    return (FederationScenario(), FederationShow) if kind == FEDERATION else (company_for(kind), Show)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local.demo", description="One whole rotation or conversion, live.")
    parser.add_argument(
        "--kind",
        default="entra-app-password",
        help=f"one of {', '.join(COMPANIES)}, {FEDERATION} (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON; progress goes to stderr")
    parser.add_argument(
        "--keep", action="store_true", help="keep the emulators' files too (storage, simulated secrets)"
    )
    return parser


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


class _Run:
    """One run, from an empty folder to an exit code."""

    def __init__(self, options: argparse.Namespace, scenario: Scenario, course: type[Course]) -> None:
        self._options, self._scenario, self._course = options, scenario, course
        self._started = time.monotonic()
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]

    def run(self) -> int:
        """Show everything, stop everything, say how it ended."""
        outcome = Outcome(run.new_folder())
        with Screen(sys.stderr if self._options.json else sys.stdout) as screen:
            screen.title(f"Rekey demo: {self._course.title}, {self._options.kind}", INTRODUCTION)
            screen.lines(f"Everything of this run is kept in {run.shown(outcome.folder)}/")
            code = self._shown(screen, outcome)
            self._close(screen, outcome, code)
        if self._options.json:
            print(json.dumps(self._report(outcome)))
        return code

    def _shown(self, screen: Screen, outcome: Outcome) -> int:
        screen.part("Starting")
        screen.began("Azurite")
        try:
            with ToldStack(outcome.folder, self._scenario, screen=screen) as stack:
                self._course(stack, screen, outcome).play()
        except KeyboardInterrupt:
            outcome.trouble = "interrupted"
            return INTERRUPTED
        except _EXPECTED as error:
            outcome.trouble = f"{type(error).__name__}: {error}"
        return 0 if outcome.ok else FAILED

    def _close(self, screen: Screen, outcome: Outcome, code: int) -> None:
        if code == FAILED:
            self._explain(screen, outcome)
        if code != INTERRUPTED:
            self._where(screen, outcome)
        screen.verdict(self._verdict(outcome, code), ok=code == 0)
        run.write_judgement(outcome.folder, outcome.checks, screen.printed())
        if not self._options.keep:
            run.tidy(outcome.folder)

    def _explain(self, screen: Screen, outcome: Outcome) -> None:
        screen.part("What went wrong")
        failed = [f"{check.name}: {check.seen}" for check in outcome.checks if not check.ok]
        screen.trouble(*filter(None, [outcome.trouble, *failed]))
        screen.quoted(*run.tail(outcome.folder))

    def _verdict(self, outcome: Outcome, code: int) -> str:
        if code == INTERRUPTED:
            return f"Interrupted. Everything that was started has been stopped; logs: {run.shown(outcome.folder)}/"
        if not outcome.checks:
            return "FAILED before there was anything to judge."
        holding = sum(check.ok for check in outcome.checks)
        judged = f"{holding} of {len(outcome.checks)} checks hold, {self._seconds():.0f} s in all"
        return f"{self._course.ended_well if outcome.ok else 'FAILED'}: {judged}."

    def _where(self, screen: Screen, outcome: Outcome) -> None:
        folder = run.shown(outcome.folder)
        screen.part("Where to look")
        screen.lines(
            f"{folder}/  logs, mails, evidence.json, requests.json, checks.json",
            *self._course.where(outcome.walk_id or f"<{self._course.walk} id>"),
            "to try it   make up starts the same and leaves it running; all of this run is stopped now",
        )
        screen.part("What was real")
        screen.lines(*HONESTLY)

    def _seconds(self) -> float:
        return time.monotonic() - self._started

    def _report(self, outcome: Outcome) -> dict[str, Any]:
        steps = [msgspec.to_builtins(step) for step in outcome.steps]
        return {
            "ok": outcome.ok,
            self._course.walk: outcome.walk_id,
            "steps": [{k: step[k] for k in ("step", "outcome", "seconds", "detail")} for step in steps],
            "requests": outcome.requests,
            "leaks": [str(leak) for leak in outcome.leaks],
            "checks": [msgspec.to_builtins(check) for check in outcome.checks],
            "seconds": round(self._seconds(), 1),
            "folder": str(Path(outcome.folder)),
            **({"error": outcome.trouble} if outcome.trouble else {}),
        }
