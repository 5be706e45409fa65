"""Knows the rules under which Microsoft Graph adds and removes an application's passwords."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from local.azure.app_policy import POLICY_ID, AppManagementPolicy
from local.azure.cloud import Cloud
from local.azure.directory import PERSONAL_AUDIENCES, Application, Password
from local.azure.graph_errors import GraphErrors
from local.azure.throttle import Windows
from local.azure.wire import Caller

# https://learn.microsoft.com/graph/throttling-limits#identity-and-access-service-limits
_WRITES, _WRITE_SECONDS = 3_000, 150
_PERSONAL_WRITES, _PERSONAL_SECONDS = 60, 60
_PERSONAL_PASSWORDS = 2
_PASSWORDS = 1_000
_WRITE_TAKES = 0.02
"""Seconds in which a second write to the same application meets the first."""
_DEFAULT_YEARS = timedelta(days=730)
_POLICY_MESSAGES = {
    "CredentialTypeNotAllowedAsPerAppPolicy": (
        "CredentialTypeNotAllowed",
        f"Credential type not allowed as per assigned policy '{POLICY_ID}'.",
        "PasswordCredentials",
    ),
    "CredentialInvalidLifetimeAsPerAppPolicy": (
        "InvalidKeyEndDate",
        f"Credential lifetime exceeds the max value allowed as per assigned policy '{POLICY_ID}'.",
        "EndDate",
    ),
}


class Wanted(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The password that addPassword is asked for."""

    odata_type: str | None = msgspec.field(name="@odata.type", default=None)
    display_name: str | None = None
    start_date_time: datetime | None = None
    end_date_time: datetime | None = None


class AddPassword(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The body of addPassword; everything in it is optional."""

    password_credential: Wanted | None = None


class RemovePassword(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """The body of removePassword."""

    key_id: str


class Passwords:
    """Adds and removes passwords for callers that may; one write at a time per application."""

    def __init__(self, cloud: Cloud, errors: GraphErrors) -> None:
        self._cloud = cloud
        self._errors = errors
        self._busy: set[str] = set()
        self._windows = Windows()
        self.policy = AppManagementPolicy()

    async def add(self, caller: Caller, app: Application, body: AddPassword) -> Password:
        """Give the application a new password."""
        wanted = body.password_credential or Wanted()
        start, end = self._validity(wanted)
        self._check(caller, app)
        self._check_room(app)
        self._check_policy(app, end - start)
        with self._writing(app):
            await asyncio.sleep(_WRITE_TAKES)
            return self._cloud.directory.add_password(app, wanted.display_name, start, end)

    async def remove(self, caller: Caller, app: Application, body: RemovePassword) -> None:
        """Take a password from the application."""
        self._check(caller, app)
        if self._just_added(app):
            raise self._errors.conflict()
        with self._writing(app):
            await asyncio.sleep(_WRITE_TAKES)
            if not self._cloud.directory.remove_password(app, body.key_id):
                raise self._errors.bad("No password credential found with keyId.")

    def _check(self, caller: Caller, app: Application) -> None:
        owns = "Application.ReadWrite.OwnedBy" in caller.app_roles and caller.object_id in app.owners
        if not owns and "Application.ReadWrite.All" not in caller.app_roles:
            raise self._errors.denied()
        limits = [(_WRITES, _WRITE_SECONDS)]
        if app.audience in PERSONAL_AUDIENCES:
            limits.append((_PERSONAL_WRITES, _PERSONAL_SECONDS))
        for limit, seconds in limits:
            most, window = self._cloud.switches.limit("graph", limit, seconds)
            wait = self._windows.take(caller.client_id, most, window, self._cloud.clock.now())
            if wait is not None:
                raise self._errors.throttled(wait)

    def _check_room(self, app: Application) -> None:
        live = len(app.live())
        if app.audience in PERSONAL_AUDIENCES and live >= _PERSONAL_PASSWORDS:
            reached = "Unable to save changes because the credential limit has been reached."
            raise self._errors.bad(f"{reached} Please delete a credential and try again.")
        if live >= _PASSWORDS:
            message = "The size of the object has exceeded its limit. Please reduce the number of values and retry."
            raise self._errors.bad(message, "Directory_ResourceSizeExceeded")

    def _check_policy(self, app: Application, lifetime: timedelta) -> None:
        code = self.policy.refusal(app.created, lifetime)
        if code is not None:
            detail, message, target = _POLICY_MESSAGES[code]
            details = [{"code": detail, "message": message, "target": target}]
            raise self._errors.bad(message, code, details=details)

    def _validity(self, wanted: Wanted) -> tuple[datetime, datetime]:
        now = self._cloud.clock.now()
        start = _aware(wanted.start_date_time) or now
        end = _aware(wanted.end_date_time) or start + _DEFAULT_YEARS
        if end <= start or end <= now:
            raise self._errors.bad("Invalid value specified for property 'endDateTime' of resource 'Application'.")
        return start, end

    def _just_added(self, app: Application) -> bool:
        window = timedelta(seconds=self._cloud.switches.graph.conflict_seconds)
        return any(password.created > self._cloud.clock.now() - window for password in app.live())

    @contextlib.contextmanager
    def _writing(self, app: Application) -> Iterator[None]:
        if app.object_id in self._busy:
            raise self._errors.conflict()
        self._busy.add(app.object_id)
        try:
            yield
        finally:
            self._busy.discard(app.object_id)


def _aware(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
