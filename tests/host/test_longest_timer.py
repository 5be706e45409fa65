"""Durable timers that need not be waited for: the switch for tests whose services lag behind nothing."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path
from typing import Any

from durabletask.task import OrchestrationContext

from local.host.store import Store
from tests.host.engine import Engine


def patient(context: OrchestrationContext, _: Any) -> Generator[Any, Any, bool]:
    """Wait for a day, and tell whether the engine's clock says that one has passed."""
    began = context.current_utc_datetime
    yield context.create_timer(timedelta(days=1))
    return bool(context.current_utc_datetime - began >= timedelta(days=1))


def test_far_timer_fires_soon_and_the_clock_is_right(tmp_path: Path) -> None:
    """An instance that waits for a day goes on at once, and its clock claims no day."""
    with Store(tmp_path / "store") as store, Engine(store, [patient], [], longest_timer=0.01) as engine:
        engine.start("patient", "a")
        engine.finish()
        assert [row[0] for row in store.rows("SELECT output FROM instances")] == ["false"]
