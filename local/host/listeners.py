"""What fires functions by itself: a listener for each queue and timer trigger that is enabled and understood."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

from local.host.functions import FunctionInfo
from local.host.queues import QueueListener, open_listener
from local.host.schedules import read_timer
from local.host.settings import HostSettings
from local.host.settings_error import SettingsError
from local.host.supervisor import NoWorkerError, Supervisor, WorkerLostError
from local.host.timer_triggers import TimerListener, TimerRecords
from local.host.wire import Done, QueueCall, TimerCall

_LOG = logging.getLogger(__name__)


class Listeners:
    """The listeners of an app's functions; SettingsError if a queue's connection isn't set."""

    def __init__(self, supervisor: Supervisor, settings: HostSettings) -> None:
        self._supervisor = supervisor
        self._settings = settings
        self._records = TimerRecords(settings.data_folder)
        self.timers: dict[str, TimerListener] = {}
        """Every timer that is understood, disabled ones too: they can be fired by hand."""
        self.errors: dict[str, str] = {}
        """Why a function is in error: it is never fired, and the others are, as in the real host."""
        self._queues: list[QueueListener] = []
        for info in supervisor.functions.values():
            self._open(info)
        if self.timers and settings.environment.get("WEBSITE_TIME_ZONE"):
            _LOG.warning(
                "WEBSITE_TIME_ZONE changes nothing here: timers go by UTC, as on Azure's Linux plans that scale"
            )

    def listen(self) -> Iterator[Coroutine[Any, Any, None]]:
        """Yield what has to run as long as the host does."""
        yield from (queue.listen() for queue in self._queues)
        functions = self._supervisor.functions
        yield from (timer.listen() for name, timer in self.timers.items() if not functions[name].disabled)

    def _open(self, info: FunctionInfo) -> None:
        kind, environment = info.trigger["type"], self._settings.environment
        if kind == "queueTrigger" and not info.disabled:
            run: Callable[[QueueCall], Awaitable[bool]] = self._runner(info)
            self._queues.append(open_listener(info, self._settings.queues, environment, run))
        elif kind == "timerTrigger":
            try:
                timer = read_timer(info.name, info.trigger, environment)
            except SettingsError as error:
                self.errors[info.name] = str(error)
            else:
                self.timers[info.name] = TimerListener(timer, self._records, self._runner(info))

    def _runner(self, info: FunctionInfo) -> Callable[[QueueCall | TimerCall], Awaitable[bool]]:
        async def run(call: QueueCall | TimerCall) -> bool:
            try:
                return isinstance(await self._supervisor.call(info.name, call), Done)
            except (WorkerLostError, NoWorkerError) as error:
                _LOG.error("function %s was not carried out: %s", info.name, error)
                return False

        return run
