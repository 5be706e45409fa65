"""What the steps of watching the vaults are asked and answer: places and counts; what was read stays in blobs."""

from datetime import datetime

import msgspec

from rekey.model.notice import Notice
from rekey.model.sweep import OfSweep


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one vault's audit log is: the account by its number in REKEY_AUDIT_STORAGE, and what its blobs begin with.

    Never the account's address: settings may hold a connection string. `vault` is lower case.
    """

    account: int
    prefix: str
    vault: str


class Pass(OfSweep, frozen=True, kw_only=True):
    """One look at all logs; `started` is the orchestration's time."""

    started: datetime


class Glance(Pass, frozen=True, kw_only=True):
    """The input of `read_audit_log` and `plan_alerts`: one vault's log."""

    place: Place


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Why one of several accounts could not be looked through."""

    code: str
    message: str
    what_to_do: str = ""


class Logs(msgspec.Struct, frozen=True, kw_only=True):
    """What `list_audit_logs` found; `missing` are the vaults that have no log anywhere, if everywhere was looked."""

    places: tuple[Place, ...] = ()
    missing: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """What one activity read, in numbers; `more`: it read as much as one may, and is to be called again."""

    read: int = 0
    lines: int = 0
    unreadable: int = 0
    hits: int = 0
    more: bool = False


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One notice to send, by its id in the vault's state, and the owners it concerns."""

    id: str
    notice: Notice
    owners: tuple[str, ...] = ()


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """What `plan_alerts` decided to tell; `more`: others wait until these are out."""

    alerts: tuple[Alert, ...] = ()
    more: bool = False


class Settling(Glance, frozen=True, kw_only=True):
    """The input of `settle_alert`: a notice that is out, or waits in the outbox."""

    alert: str
