"""What the step that purges history is told and returns."""

from datetime import datetime

import msgspec


class Purge(msgspec.Struct, frozen=True, kw_only=True):
    """The input of `purge_instances`: ages are counted from `started`, the orchestration's time."""

    started: datetime


class Purged(msgspec.Struct, frozen=True, kw_only=True):
    """What is gone; `kept`: old enough, but of a rotation whose record is open. `more`: call it again."""

    purged: int = 0
    kept: int = 0
    more: bool = False
