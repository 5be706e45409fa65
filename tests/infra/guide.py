"""Knows what docs/deploy.md promises: names of files, options, parameters, settings, commands and permissions."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.infra.declared import of_federations, of_kinds
from tools.check import shell

ROOT = Path(__file__).parents[2]
STEPS = 12
_BLOCK = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PATH = re.compile(r"`((?:infra|docs|tests|tools|rekey|dist)/[\w./-]+)`")
_CAMEL = re.compile(r"`([a-z]+[A-Z]\w*)`")
_OUTPUT = re.compile(r"\$\(output (\w+)\)")
_SETTING = re.compile(r"\b(REKEY_[A-Z_]+)\b")
_COMMAND = re.compile(r"python -m (rekey |tools\.)([a-z-]+)((?:[^`\n]|\\\n)*)")
_TARGET = re.compile(r"\bmake ([a-z]+)")
_LINK = re.compile(r"\]\(([^)#]*)(?:#([^)]*))?\)")


def problems(text: str) -> list[str]:
    """Return what the guide says that isn't so; empty for a good one."""
    checks = (_steps, _bicep, _permissions)
    return [*untrue(text), *(problem for check in checks for problem in check(text))]


def untrue(text: str) -> list[str]:
    """Return what any page of docs says that isn't so, of files, links, scripts, settings, commands and targets."""
    checks = (_paths, _links, _scripts, _settings, _commands, _targets)
    return [problem for check in checks for problem in check(text)]


def shell_problems(text: str, folder: Path) -> str:
    """Return what shellcheck says of all the guide's commands, in their order, as one script."""
    script = folder / "guide.sh"
    script.write_text("#!/usr/bin/env bash\nset -e\n" + "\n".join(_BLOCK.findall(text)))
    command = (shell(ROOT).command[0], "--severity", "warning", str(script))
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _steps(text: str) -> Iterator[str]:
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    numbered = [section for section in sections if section[0].isdigit()]
    if [section.partition(".")[0] for section in numbered] != [str(n) for n in range(1, STEPS + 1)]:
        yield f"expected steps 1 to {STEPS}, found {[section.splitlines()[0] for section in numbered]}"
    for section in numbered:
        if "**You should see**" not in section:
            yield f"step {section.splitlines()[0]} doesn't say what one should see"


def _paths(text: str) -> Iterator[str]:
    for name in _PATH.findall(text):
        if not (ROOT / name).exists() and not name.startswith("dist/rekey."):
            yield f"{name} doesn't exist"


def _links(text: str) -> Iterator[str]:
    for name, anchor in _LINK.findall(text):
        target = (ROOT / "docs" / name).resolve()
        if name and not target.is_file():
            yield f"{name} doesn't exist"
        elif anchor and anchor not in _anchors(target.read_text() if name else text):
            yield f"{name} has no section #{anchor}"


def _anchors(page: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _scripts(text: str) -> Iterator[str]:
    for name, arguments in re.findall(r"infra/scripts/([\w-]+\.sh)([^\n`|]*)", text):
        script = ROOT / "infra" / "scripts" / name
        taken = set(re.findall(r"--[a-z][a-z-]+", script.read_text())) if script.exists() else set()
        yield from (f"{name} takes no {option}" for option in set(re.findall(r" (--[a-z-]+)", arguments)) - taken)


def _bicep(text: str) -> Iterator[str]:
    main = (ROOT / "infra" / "main.bicep").read_text()
    outputs = set(re.findall(r"^output (\w+)", main, re.MULTILINE))
    known = outputs | set(re.findall(r"^(?:param| ) +(\w+)", main, re.MULTILINE))
    yield from (f"main.bicep has no {name}" for name in sorted(set(_CAMEL.findall(text)) - known))
    yield from (f"main.bicep has no output {name}" for name in sorted(set(_OUTPUT.findall(text)) - outputs))


def _settings(text: str) -> Iterator[str]:
    example = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    read = set(re.findall(r"readEnvironmentVariable\('(\w+)'", (ROOT / "infra" / "main.bicepparam").read_text()))
    of_operators = set(_SETTING.findall((ROOT / "rekey" / "api_access.py").read_text()))
    known = {*example, *read, *of_operators}
    yield from (f"nothing reads {name}" for name in sorted(set(_SETTING.findall(text)) - known))


def _commands(text: str) -> Iterator[str]:
    for program, command, rest in _COMMAND.findall(text):
        said = _help(f"{program}{command}")
        if not said:
            yield f"python -m {program}{command} doesn't exist"
            continue
        options = set(re.findall(r" (--[a-z-]+)", rest.partition("|")[0]))
        taken = set(re.findall(r"--[a-z-]+", said))
        yield from (f"python -m {program}{command} takes no {name}" for name in sorted(options - taken))


@cache
def _help(command: str) -> str:
    """Return a command's help; empty if there is no such command."""
    asked = [sys.executable, "-m", *command.split(), "--help"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout


def _targets(text: str) -> Iterator[str]:
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    yield from (f"make has no target {name}" for name in sorted(set(_TARGET.findall(_code(text))) - known))


def _code(text: str) -> str:
    """Return what is written as code: blocks and words in backticks."""
    return "\n".join([*_BLOCK.findall(text), *re.findall(r"`([^`\n]+)`", text)])


def _permissions(text: str) -> Iterator[str]:
    table = text.partition("## Permissions, and why")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:2] == "| "]
    granted = " ".join(row[0] for row in rows)
    roles = {role["name"]: key for key, role in json.loads((ROOT / "infra" / "roles.json").read_text()).items()}
    yield from (f"the table doesn't have {name}" for name in sorted({*roles, *_declared()}) if name not in granted)
    for cells in rows:
        names = re.split(r"[,;] ", cells[0])
        for file in re.findall(r"`(infra/app/[\w-]+\.bicep)`", cells[-1]):
            template = (ROOT / file).read_text() if (ROOT / file).exists() else ""
            for name in names:
                if f"roles.{roles.get(name, name)}.id" not in template:
                    yield f"{file} doesn't assign {name}"


def _declared() -> set[str]:
    of_steps = {permission.name for permission in (*of_kinds(), *of_federations())}
    listed = json.loads((ROOT / "infra" / "permissions.json").read_text())["appRoles"]
    return of_steps | {role["name"] for role in listed}
