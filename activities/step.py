"""The frame around every step: decodes its input, turns what it raises into an outcome, records it, logs it.

Nothing a step raises gets out: the engine would keep its text in clear in the task hub. What is not a RekeyError is
reduced to its type and place, for its message may hold anything.
"""

import logging
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from activities.step_event import event
from rekey.clients import Clients, clients
from rekey.errors import NotYetError, RekeyError, UnclearError
from rekey.model import Ok, Outcome, Permanent, Question, RetryAfter, Telling, Unclear, Walk, decode, encode
from rekey.model.federation import Federation, FederationQuestion, VendingQuestion
from rekey.model.sweep import OfSweep

if TYPE_CHECKING:
    from rekey.federation.records import FederationRecords
    from rekey.ports import ConsumerKind, CredentialKind
    from rekey.records import Entry, Records
    from rekey.settings import Settings
    from rekey.sweep import Sweeps
    from rekey.vault import Vault

log = logging.getLogger("rekey.step")


class Desk:
    """What a step works with: this process's clients, and everything made from them."""

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.settings: Settings = clients.settings

    def vault(self, name: str) -> "Vault":
        """Return a vault that settings allow."""
        from rekey.vault import Vault

        return Vault(self.clients.vault(name), name)

    def staging(self) -> "Vault":
        """Return Rekey's own vault for values that are shown once."""
        return self.vault(self.settings.staging_vault)

    def records(self) -> "Records":
        """Return the evidence."""
        from rekey.records import Records

        return Records(self.clients.container())

    def federations(self) -> "FederationRecords":
        """Return the evidence of federations."""
        from rekey.federation.records import FederationRecords

        return FederationRecords(self.clients.container())

    def sweeps(self, run_id: str) -> "Sweeps":
        """Return what one nightly sweep keeps."""
        from rekey.sweep import Sweeps

        return Sweeps(self.clients.container(), run_id)

    def credential_kind(self, walk: Walk) -> "CredentialKind":
        """Return the kind that issues this rotation's credential."""
        from rekey.registry import credential_kind

        return credential_kind(walk.rotation.policy.credential.kind)(self.clients)

    def consumer_kind(self, kind: str) -> "ConsumerKind":
        """Return that kind of consumer."""
        from rekey.registry import consumer_kind

        return consumer_kind(kind)(self.clients)


type Body[I] = Callable[[Desk, I], Awaitable[Any]]


async def run_step(name: str, body: Body[Walk], payload: Any) -> dict[str, Any]:
    """Run a step of a rotation that has a record, and add to the record what became of it."""
    return await _run(name, Walk, body, payload, recorded=True)


async def run_telling(name: str, body: Body[Telling], payload: Any) -> dict[str, Any]:
    """Run the step that tells people; it is on the record of its rotation, if that has got as far as having one."""
    return await _run(name, Telling, body, payload, recorded=payload["has_record"])


async def run_federation(name: str, body: Body[Federation], payload: Any) -> dict[str, Any]:
    """Run a step of a federation that has a record, and add to the record what became of it."""
    return await _run(name, Federation, body, payload, recorded=True)


async def run_unrecorded[I](name: str, kind: type[I], body: Body[I], payload: Any) -> dict[str, Any]:
    """Run a step that comes before the record, or that isn't about one."""
    return await _run(name, kind, body, payload, recorded=False)


async def _run[I](name: str, kind: type[I], body: Body[I], payload: Any, *, recorded: bool) -> dict[str, Any]:
    desk = Desk(clients())
    given = decode(payload, kind)
    outcome = await _outcome(name, body, desk, given)
    rotation_id = _rotation_id(given)
    if recorded:
        outcome = await _recorded(desk, given, _entry(name, outcome), outcome)
    _say(event(name, rotation_id, given, outcome))
    encoded: dict[str, Any] = encode(outcome)
    return encoded


def _rotation_id(given: object) -> str:
    match given:
        case Walk():
            return given.rotation.id
        case Telling():
            return given.notice.rotation_id
        case Question():
            return given.rotation_id
        case Federation() | FederationQuestion() | VendingQuestion():
            return given.id
        case OfSweep():
            return given.run_id
    return ""


async def _outcome[I](name: str, body: Body[I], desk: Desk, given: I) -> Outcome:
    try:
        await desk.clients.storage_ready()
        return Ok(encode(await body(desk, given)))
    except NotYetError as error:
        return RetryAfter(error.code, error.message, error.seconds)
    except UnclearError as error:
        return Unclear(error.code, error.message, error.seconds)
    except RekeyError as error:
        return Permanent(error.code, error.message, error.what_to_do)
    except Exception as error:  # noqa: BLE001 - whatever an SDK raises, its text stays here
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("step %s: %s at %s:%s", name, type(error).__name__, place.filename, place.lineno)  # noqa: TRY400
        return RetryAfter("unexpected", f"{type(error).__name__} in step {name}")


def _entry(name: str, outcome: Outcome) -> "Entry":
    from rekey.records import Entry

    fields = encode(outcome)
    return Entry(
        step=name,
        outcome=fields["outcome"],
        at=datetime.now(UTC),
        detail=fields.get("value"),
        code=fields.get("code", ""),
        message=fields.get("message", ""),
    )


async def _recorded(desk: Desk, given: object, entry: "Entry", outcome: Outcome) -> Outcome:
    """A step that isn't on the record isn't done: it is repeated, which every step stands."""
    try:
        match given:
            case Federation():
                await desk.federations().add(given.id, entry, given)
            case Telling() if given.notice.federation:
                await desk.federations().add(given.notice.rotation_id, entry)
            case _:
                await desk.records().add(_rotation_id(given), entry)
    except RekeyError as error:
        return RetryAfter(error.code, error.message)
    return outcome


def _say(line: dict[str, Any]) -> None:
    log.log(logging.INFO if line["outcome"] == "ok" else logging.WARNING, "%s", msgspec.json.encode(line).decode())
