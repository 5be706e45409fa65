"""The settings of what Rekey does on its own: when its timers fire, how fast it may go, how long it keeps history."""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from rekey.errors import SettingError
from rekey.setting_values import choice, given, json_of

type Expression = Annotated[str, Meta(min_length=1, max_length=100)]


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service's limit: at most `count` requests in any `seconds`."""

    count: Annotated[int, Meta(ge=1)]
    seconds: Annotated[float, Meta(gt=0)]


VAULT_CREATES, GRAPH_WRITES = "vault-creates", "graph-writes"
MAIL_MINUTE, MAIL_HOUR = "mail-minute", "mail-hour"
LIMITS = {
    VAULT_CREATES: Limit(300, 10),
    GRAPH_WRITES: Limit(3000, 150),
    MAIL_MINUTE: Limit(30, 60),  # 5 on a domain that Azure manages
    MAIL_HOUR: Limit(100, 3600),  # 10 on a domain that Azure manages
}
"""Of secret versions per vault and region, of Graph's writes per application and tenant, of mails per subscription.

https://learn.microsoft.com/azure/key-vault/general/service-limits,
https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits,
https://learn.microsoft.com/azure/communication-services/concepts/service-limits#email
"""

SCHEDULES = {
    "rotate_due": "0 0 1 * * *",
    "reconcile": "0 0 3 * * *",
    "purge_history": "0 0 4 * * *",
    "deliver_notices": "0 */15 * * * *",
    "watch_vault_access": "0 */5 * * * *",
    "audit_service_connections": "0 0 5 * * *",
}
"""When each timer fires: {second minute hour day month day-of-week}, UTC."""

HISTORY_DAYS = 90
"""How long a finished instance's history is kept; records are kept for ever."""


class Nightly(msgspec.Struct, frozen=True, kw_only=True):
    """When, how fast, for how long; `schedules` and `limits` have every name of SCHEDULES and LIMITS."""

    schedules: dict[str, str] = msgspec.field(default_factory=lambda: dict(SCHEDULES))
    limits: dict[str, Limit] = msgspec.field(default_factory=lambda: dict(LIMITS))
    history_days: int = HISTORY_DAYS
    silent_when_well: bool = False
    """Whether a nightly check that found nothing says nothing; else its mail shows that it still runs."""

    def mail_limits(self) -> tuple[Limit, ...]:
        """Return the limits that each mail has to keep."""
        return self.limits[MAIL_MINUTE], self.limits[MAIL_HOUR]


def nightly(environ: Mapping[str, str]) -> Nightly:
    """Return what `environ` says, defaults for what it leaves open; SettingError."""
    expressions, counts = "NCRONTAB expressions for timers", "{count, seconds} for limits"
    return Nightly(
        schedules=_changed(environ, "REKEY_SCHEDULES", SCHEDULES, dict[str, Expression], expressions),
        limits=_changed(environ, "REKEY_LIMITS", LIMITS, dict[str, Limit], counts),
        history_days=_history_days(environ),
        silent_when_well=choice(environ, "REKEY_WHEN_WELL", ("mail", "silent")) == "silent",
    )


def _changed[T](
    environ: Mapping[str, str], name: str, defaults: dict[str, T], kind: type[dict[str, T]], what: str
) -> dict[str, T]:
    """Return the defaults with what a setting changes; whether a schedule is a good one is for the host to say."""
    expected = f"a JSON object of {what} among {', '.join(defaults)}"
    changed = json_of(name, given(environ, name) or "{}", kind, expected)
    for key in changed:
        if key not in defaults:
            raise SettingError(name, key, expected)
    return defaults | changed


def _history_days(environ: Mapping[str, str]) -> int:
    text = given(environ, "REKEY_HISTORY_DAYS") or str(HISTORY_DAYS)
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) < 1:
        raise SettingError("REKEY_HISTORY_DAYS", text, "a whole number of days, 1 to 9999")
    return int(text)
