"""Knows what runs and releases have in common: something is queued once, found again, watched until it ends."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from rekey.azdo_uri import Place
from rekey.errors import PermanentError


class Found(msgspec.Struct, frozen=True):
    """What a URI names: the definition's id, which is its organization's, and its project's id."""

    number: int
    project_id: str


class Ended(msgspec.Struct, frozen=True):
    """The end of something queued: `how` goes on after its name, as in `run 12 ended failed`.

    `missing`: the service doesn't know it, any more or as yet.
    """

    how: str
    well: bool = False
    missing: bool = False


GONE = Ended("is gone", missing=True)


def succeeded(result: str) -> Ended:
    """Return the end that a service's own word for it means."""
    return Ended("succeeded", well=True) if result == "succeeded" else Ended(f"ended {result}")


class QueuedWork(Protocol):
    """One definition whose instances are queued; `label` tells an instance from others' where the service keeps it."""

    async def find(self) -> Found:
        """Return the definition; PermanentError names what keeps the app from queueing it."""
        ...

    async def newest(self, number: int) -> int:
        """Return the highest id that the definition has had."""
        ...

    async def after(self, number: int, run: int, label: str) -> int | None:
        """Return the first one after `run` that will do."""
        ...

    async def queue(self, number: int, label: str) -> int:
        """Queue one and return its id; UnclearError if that may have happened."""
        ...

    async def state(self, number: int, run: int) -> Ended | None:
        """Return how one ended, None while it goes on."""
        ...

    def link(self, run: int) -> str:
        """Return where people see one."""
        ...


async def chosen(place: Place, named: Callable[[str], Awaitable[list[dict[str, Any]]]], grant: str) -> int:
    """Return the definition's id: the URI's own number, else that of the only one with the URI's name."""
    if place.name.isascii() and place.name.isdecimal():
        return int(place.name)
    found = [int(d["id"]) for d in await named(place.name) if str(d.get("name", "")).lower() == place.name.lower()]
    if not found:
        raise PermanentError("no-pipeline", f"there is no {place.uri} that the app's identity can see", grant)
    if len(found) > 1:
        ids = ", ".join(str(number) for number in sorted(found))
        raise PermanentError(
            "ambiguous-name", f"several folders have a {place.uri}", f"Name it by its id in the tags: one of {ids}."
        )
    return found[0]
