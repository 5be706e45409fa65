"""Knows the tenant's app management policy: whether passwords may be added, and how long they may live."""

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

POLICY_ID = "00000000-0000-0000-0000-000000000000"


class PasswordRestriction(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """One restriction; `max_lifetime` is an ISO 8601 duration of days and smaller units."""

    restriction_type: Literal["passwordAddition", "passwordLifetime", "customPasswordAddition"]
    state: Literal["enabled", "disabled"] = "enabled"
    max_lifetime: timedelta | None = None
    restrict_for_apps_created_after_date_time: datetime | None = None

    def concerns(self, created: datetime) -> bool:
        """Tell whether it applies to an application made at this time."""
        after = self.restrict_for_apps_created_after_date_time
        return self.state == "enabled" and (after is None or created > after)


class Restrictions(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is restricted for applications."""

    password_credentials: tuple[PasswordRestriction, ...] = ()


class AppManagementPolicy(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """`defaultAppManagementPolicy`, as Graph writes it and as `policy` of a seed document says it."""

    is_enabled: bool = False
    application_restrictions: Restrictions = Restrictions()

    def refusal(self, created: datetime, lifetime: timedelta) -> str | None:
        """Return which error code a new password meets, None if it is allowed."""
        if not self.is_enabled:
            return None
        for restriction in self.application_restrictions.password_credentials:
            if not restriction.concerns(created):
                continue
            if restriction.restriction_type == "passwordAddition":
                return "CredentialTypeNotAllowedAsPerAppPolicy"
            longest = restriction.max_lifetime
            if restriction.restriction_type == "passwordLifetime" and longest is not None and lifetime > longest:
                return "CredentialInvalidLifetimeAsPerAppPolicy"
        return None

    def told(self) -> dict[str, Any]:
        """Return the policy as Graph shows it."""
        settings: dict[str, Any] = msgspec.to_builtins(self)
        return {
            "id": POLICY_ID,
            "displayName": "Default app management tenant policy",
            "description": "Default tenant policy that enforces app management restrictions.",
            **settings,
        }
