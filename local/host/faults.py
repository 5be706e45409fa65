"""The fault switches of the worker (see the package's docstring): die, pause or do it twice, at an exact place."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

type Place = Literal["start", "end"]

_POLL_SECONDS = 0.05


class _Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    activity: str
    at: Place
    occurrence: int = 1
    until: str | None = None


class Faults:
    """What is to go wrong in this process; nothing, unless the environment says so."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("LOCAL_HOST_KILL_FILE")
        self._file = Path(path) if path else None
        self._twice = environ.get("LOCAL_HOST_TWICE") == "1"

    async def around(self, activity: str, run: Callable[[], Awaitable[Any]]) -> Any:
        """Run an activity's function with the faults that are due; returns what counts as its result."""
        occurrence = self._count(activity)
        await self._strike(activity, "start", occurrence)
        try:
            return await self._once_or_twice(run)
        finally:
            await self._strike(activity, "end", occurrence)

    async def _once_or_twice(self, run: Callable[[], Awaitable[Any]]) -> Any:
        if self._twice:
            await asyncio.gather(run(), return_exceptions=True)
        return await run()

    def _count(self, activity: str) -> int:
        if self._file is None:
            return 0
        path = self._file.with_name(f"{self._file.name}.counts")
        counts = msgspec.json.decode(path.read_bytes(), type=dict[str, int]) if path.exists() else {}
        counts[activity] = counts.get(activity, 0) + 1
        _replace(path, counts)
        return counts[activity]

    async def _strike(self, activity: str, at: Place, occurrence: int) -> None:
        fault = self._due(activity, at, occurrence)
        if fault is None:
            return
        if fault.until is None:
            os.kill(os.getpid(), signal.SIGKILL)
            return
        while not Path(fault.until).exists():  # noqa: ASYNC110, ASYNC240 (another process makes it)
            await asyncio.sleep(_POLL_SECONDS)

    def _due(self, activity: str, at: Place, occurrence: int) -> _Fault | None:
        if self._file is None or not self._file.exists():
            return None
        faults = msgspec.json.decode(self._file.read_bytes(), type=list[_Fault])
        for fault in faults:
            if (fault.activity, fault.at, fault.occurrence) == (activity, at, occurrence):
                faults.remove(fault)
                _replace(self._file, faults)
                return fault
        return None


def _replace(path: Path, content: Any) -> None:
    """Write so that a reader, or a kill in between, never sees half a file."""
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(msgspec.json.encode(content))
    new.replace(path)
