"""Runs an Azure DevOps pipeline after everybody else has the new credential (`azdo-pipeline://org/project/pipeline`).

A YAML pipeline, or a classic release with `?type=release`. The run is queued once and waited for: its success says that
what holds the credential works. It is given no value; it uses what connections and variable groups hold by now.
"""

import re
import time
from typing import ClassVar

import msgspec

from rekey import azure_devops_releases, azure_devops_runs
from rekey.azdo_uri import Form, Place, bound, parsed
from rekey.clients import Clients
from rekey.errors import InputError, NotYetError, PermanentError, RekeyError, UnclearError
from rekey.model import ConsumerTarget, Rotation, When
from rekey.ports import ConsumerFacts, Handover, Permission
from rekey.queued_work import Ended, QueuedWork
from rekey.settings import Settings

SCHEME = "azdo-pipeline"
FORM = Form(
    SCHEME,
    "pipeline",
    f"{SCHEME}://<organization>/<project>/<pipeline name or id>[?branch=<branch> or ?type=release]",
    options=("branch", "type"),
)
BRANCH = re.compile(r"(?!.*(?:\.\.|//|/\.|\.lock$|[./]$))[A-Za-z0-9_][A-Za-z0-9_./-]{0,199}")
"""Branches as people name them: git allows more, among it what ends a URL."""

SETTLES = 120.0
"""Seconds after which every replica knows a run that was queued, even if the answer never came."""
LOOKS_AGAIN = 20.0
"""Seconds between two looks at a run: it takes minutes, and each look counts against the organization's limits."""


class Note(msgspec.Struct, frozen=True):
    """What outlives an attempt: `after` the run of that id one was queued, or about to be; `run`: it is this one."""

    state: str
    id: int
    at: int
    """Unix seconds."""
    version: str

    @property
    def text(self) -> str:
        """Return what is kept."""
        return f"{self.state}:{self.id}:{self.at}:{self.version}"

    def wait_until_settled(self, message: str) -> None:
        """Raise NotYetError while what was queued may not be known everywhere."""
        left = self.at + SETTLES - time.time()
        if left > 0:
            raise NotYetError("may-be-queued", message, left)


class AzdoPipeline:
    """A run of a pipeline that tries out what the other consumers hold."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission("azure-devops", "Pipeline: Queue builds", "running the pipeline", azure_devops_runs.GRANT),
        Permission(
            "azure-devops", "Release pipeline: Create releases", "with ?type=release", azure_devops_releases.GRANT
        ),
    )
    when: ClassVar[When] = When.AFTER_OTHERS

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI's normal form; InputError if it is malformed, ScopeError if the vault may not name it."""
        return bound(_place(uri), vault, settings).uri

    async def inspect(self, rotation: Rotation, uri: str) -> ConsumerFacts:  # noqa: ARG002 - the port's signature
        """Check that the pipeline exists, is enabled and may be queued."""
        place = _place(uri)
        found = await self._work(place).find()
        kind = place.options.get("type", "pipeline")
        return ConsumerFacts(object_id=f"{found.project_id}.{kind}.{found.number}")

    async def update(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> None:
        """Queue a run, unless one that this rotation queued for this version goes on or has succeeded."""
        work, number, label = self._work(_place(target.uri)), _number(target), _label(rotation)
        note = await _recalled(handover)
        if note and note.state == "after":
            note = await self._found_again(work, number, label, note)
            await handover.keep(note.text if note else "")
        if note:
            ended = await self._ended(work, number, note)
            if ended is None or ended.well:
                return
        await self._queue(work, number, label, handover)

    async def confirm(self, rotation: Rotation, target: ConsumerTarget, handover: Handover) -> str:  # noqa: ARG002 - the port's signature
        """Return that the run succeeded; NotYetError while it goes on, PermanentError if it ended otherwise."""
        work, note = self._work(_place(target.uri)), await _recalled(handover)
        if note is None or note.state != "run":
            raise NotYetError("not-queued", f"{target.uri} was not queued by this rotation yet")
        ended = await self._ended(work, _number(target), note)
        name, link = _named(target, note.id), work.link(note.id)
        if ended is None:
            raise NotYetError("still-running", f"{target.uri}: {name} goes on, see {link}", LOOKS_AGAIN)
        if not ended.well:
            raise PermanentError(
                "run-failed",
                f"{target.uri}: {name} {ended.how}, see {link}",
                "Look at what failed and mend it: the next try queues a new run. The old credential still works.",
            )
        return f"{name} {ended.how} ({link})"

    async def _found_again(self, work: QueuedWork, number: int, label: str, note: Note) -> Note | None:
        """Return the note of the run whose answer an earlier attempt didn't get, None if it never came to be.

        NotYetError while it may still show.
        """
        run = await work.after(number, note.id, label)
        if run is None:
            note.wait_until_settled("an earlier attempt may have queued a run that isn't listed yet")
            return None
        return msgspec.structs.replace(note, state="run", id=run)

    async def _ended(self, work: QueuedWork, number: int, note: Note) -> Ended | None:
        """Return how the run of a note ended, None while it goes on; NotYetError while it may not be known yet."""
        ended = await work.state(number, note.id)
        if ended is not None and ended.missing:
            note.wait_until_settled("the service doesn't show the new run yet")
        return ended

    async def _queue(self, work: QueuedWork, number: int, label: str, handover: Handover) -> None:
        """Queue a run; what is kept before says where to look for it if the answer is lost."""
        note = Note("after", await work.newest(number), int(time.time()), handover.version)
        await handover.keep(note.text)
        try:
            run = await work.queue(number, label)
        except UnclearError:
            raise
        except RekeyError:
            await handover.keep("")  # refused: there is nothing to look for
            raise
        await handover.keep(msgspec.structs.replace(note, state="run", id=run).text)

    def _work(self, place: Place) -> QueuedWork:
        if place.options.get("type") == "release":
            return azure_devops_releases.Releases(self._clients, place)
        return azure_devops_runs.Runs(self._clients, place)


def _place(uri: str) -> Place:
    place = parsed(uri, FORM)
    branch = place.options.get("branch", "").removeprefix("refs/heads/")
    if place.options.get("type", "release") != "release" or len(place.options) > 1:
        raise InputError(FORM.field, uri, FORM.expected)
    if "branch" not in place.options:
        return place
    if not BRANCH.fullmatch(branch):
        raise InputError(FORM.field, uri, f"{FORM.expected}, with a branch of letters, digits and . _ - /")
    return msgspec.structs.replace(place, options={"branch": branch})


async def _recalled(handover: Handover) -> Note | None:
    """Return the note about this version: a run for another one, before a rollback, says nothing of this one."""
    state, _, rest = (await handover.recall()).partition(":")
    if not rest:
        return None
    run, at, version = rest.split(":")
    return Note(state, int(run), int(at), version) if version == handover.version else None


def _named(target: ConsumerTarget, run: int) -> str:
    return f"{'release' if _place(target.uri).options.get('type') else 'run'} {run}"


def _number(target: ConsumerTarget) -> int:
    return int(target.object_id.rpartition(".")[2])


def _label(rotation: Rotation) -> str:
    return f"Rekey rotation {rotation.id}"
