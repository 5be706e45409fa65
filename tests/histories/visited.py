"""Knows which lines of the orchestrators each recorded history walks: a change shows where its line is walked."""

import sys
from collections.abc import Iterable
from types import CodeType

from tests.histories.changing import FOLDER
from tests.histories.recorded import History
from tests.histories.replaying import Orchestrators
from tests.orchestrators.engine import replay

type Places = frozenset[tuple[str, int]]
"""Module and line."""

_TOOL = sys.monitoring.PROFILER_ID
_HERE = str(FOLDER)


def visited(histories: Iterable[History], orchestrators: Orchestrators) -> dict[str, Places]:
    """Return, by the history's name, the places that its last episode walks: it replays all those before."""
    monitoring = sys.monitoring
    seen: set[tuple[str, int]] = set()

    def at(code: CodeType, line: int) -> object:
        if code.co_filename.startswith(_HERE):
            seen.add((code.co_filename[len(_HERE) + 1 : -len(".py")], line))
        return monitoring.DISABLE  # once for each history is enough

    found = {}
    monitoring.use_tool_id(_TOOL, "visited")
    monitoring.register_callback(_TOOL, monitoring.events.LINE, at)
    try:
        for history in histories:
            seen.clear()
            monitoring.set_events(_TOOL, monitoring.events.LINE)
            monitoring.restart_events()
            replay(orchestrators[history.orchestrator], history.requests[-1])
            monitoring.set_events(_TOOL, 0)
            found[history.name] = frozenset(seen)
    finally:
        monitoring.free_tool_id(_TOOL)
    return found
