"""What the vault's audit log tells of a secret's readers, and how much that is worth: is the log read, and how far."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from rekey.audit.access import Caller
from rekey.audit.readers import How, Reader, Readers
from rekey.audit.state import States
from rekey.audit.surroundings import known
from rekey.clients import Clients
from rekey.model import spoken

FRESH = timedelta(minutes=30)
"""How old the last full look at a log may be; a look is taken every five minutes."""
GONE = timedelta(days=7)
"""A log that nobody could look at for so long is one that the vault had once."""
RECENT = timedelta(days=30)
MOST_NAMED = 20

NOT_CONFIGURED = "REKEY_AUDIT_STORAGE doesn't say where the vault's audit log is"
NOT_YET = "the vault's audit log was never read to its end"
NOT_ARRIVED = "the vault's audit log has not arrived up to the new version"


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Who is known to have read a secret, Rekey itself left out, those seen last first.

    `passed` is up to when the vault's log was read, None if it never was. `unseen` says in words why others may have
    read it, "" if nothing speaks for that.
    """

    readers: tuple[Reader, ...] = ()
    passed: datetime | None = None
    unseen: str = ""


async def usage(clients: Clients, vault: str, secret: str, since_version: str = "") -> Usage:
    """Return who read a secret of a vault that settings allow; NotYetError or PermanentError if that can't be read.

    `since_version`: a version that Rekey itself read, so that a log which doesn't have it hasn't got that far.
    """
    vault = vault.lower()
    if not clients.settings.audit.storage:
        return Usage(unseen=NOT_CONFIGURED)
    container = clients.container()
    passed = _passed([s.passed for s in await States(container).of(vault)])
    found = await Readers(container).of(vault, secret)
    own = (await known(clients, vault, ())).own
    seen = [r for readers in found.values() for r in readers if not r.caller.known_as() & own]
    unseen = _unseen(passed) or (NOT_ARRIVED if since_version and since_version.lower() not in found else "")
    return Usage(readers=tuple(sorted(seen, key=lambda r: r.last, reverse=True)), passed=passed, unseen=unseen)


def users(found: Usage, version: str, since: datetime) -> list[Reader]:
    """Return who asked for that version after `since`, and got it or would have, were it not disabled."""
    return [r for r in found.readers if r.version == version.lower() and r.last > since and r.how != How.REFUSED]


def recent(found: Usage, now: datetime) -> list[Reader]:
    """Return who read any version lately, or would have, were it not disabled."""
    return [r for r in found.readers if r.last > now - RECENT and r.how != How.REFUSED]


def sentence(reader: Reader) -> str:
    """Return one reader in words."""
    did = "refused, for it is disabled, last" if reader.how == How.DISABLED else "last read"
    return f"{name(reader.caller)} ({did} {reader.last:%Y-%m-%d %H:%M} UTC)"


def sentences(readers: Iterable[Reader]) -> tuple[str, ...]:
    """Return the readers in words, the first of them if they are many."""
    said = [sentence(reader) for reader in readers]
    more = len(said) - MOST_NAMED
    return (*said[:MOST_NAMED], f"{more} more") if more > 0 else tuple(said)


def name(caller: Caller) -> str:
    """Return a caller in words."""
    return spoken(caller.app_id, caller.object_id, caller.name)


def _passed(all_passed: list[datetime | None]) -> datetime | None:
    """Return up to when every log of the vault was read, but for those that are gone."""
    now = datetime.now(UTC)
    return min((p for p in all_passed if p and now - p < GONE), default=None)


def _unseen(passed: datetime | None) -> str:
    if passed is None:
        return NOT_YET
    if datetime.now(UTC) - passed > FRESH:
        return f"the vault's audit log was last read to its end on {passed:%Y-%m-%d %H:%M} UTC"
    return ""
