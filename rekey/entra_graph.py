"""What Microsoft Graph says about an application and its passwords, and what its errors mean."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from rekey import service_time
from rekey.caller import Caller
from rekey.errors import NotYetError, PermanentError, UnclearError
from rekey.graph_errors import graph_translated
from rekey.ports import NewCredential
from rekey.secret_value import SecretValue

if TYPE_CHECKING:
    from msgraph.generated.models.application import Application as GraphApplication
    from msgraph.generated.models.password_credential import PasswordCredential
    from msgraph.graph_service_client import GraphServiceClient

NO_PERSONAL_ACCOUNTS = frozenset({"AzureADMyOrg", "AzureADMultipleOrgs", ""})
ROOM_FOR_PERSONAL_ACCOUNTS = 2
"""Applications open to personal accounts hold two passwords at most."""


class Password(msgspec.Struct, frozen=True, kw_only=True):
    """One password as Graph shows it, which is never the value (`hint`: its first three characters)."""

    key_id: str
    label: str
    hint: str
    start: datetime
    end: datetime


class PasswordRule(msgspec.Struct, frozen=True, kw_only=True):
    """One restriction in force of the tenant's app management policy; `after`: for applications made since only.

    https://learn.microsoft.com/graph/api/resources/passwordcredentialconfiguration
    """

    kind: str
    longest: timedelta | None = None
    after: datetime | None = None

    def concerns(self, created: datetime | None) -> bool:
        """Tell whether it applies to an application made at this time; one of unknown age is taken for new."""
        return self.after is None or created is None or created >= self.after


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """An Entra application; `owners` maps object ids to mail addresses ("" where Graph hides them)."""

    object_id: str
    created: datetime | None
    display_name: str
    audience: str
    passwords: tuple[Password, ...]
    owners: dict[str, str]
    answered: datetime | None = None
    """Graph's own time, which is what the dates of passwords are to be compared with."""

    def room(self) -> int | None:
        """Return how many more passwords fit, None where only the object's size limits them."""
        if self.audience in NO_PERSONAL_ACCOUNTS:
            return None
        return max(0, ROOM_FOR_PERSONAL_ACCOUNTS - len(self.passwords))

    def longest(self, rules: Iterable[PasswordRule]) -> timedelta | None:
        """Return the longest life a new password may have, None if there is no limit; PermanentError if none may be."""
        here = [rule for rule in rules if rule.concerns(self.created)]
        if any(rule.kind == "passwordAddition" for rule in here):
            raise PermanentError(
                "passwords-forbidden",
                "the tenant's app management policy forbids new passwords",
                "Move this application to workload identity federation, or ask the directory team for an exemption.",
            )
        limits = [rule.longest for rule in here if rule.kind == "passwordLifetime" and rule.longest]
        return min(limits) if limits else None

    def labelled(self, label: str) -> tuple[Password, ...]:
        """Return the passwords that carry `label`."""
        return tuple(p for p in self.passwords if p.label == label)

    def writable_by(self, me: Caller) -> bool:
        """Tell whether the app's identity may give it credentials."""
        return me.object_id in self.owners or "Application.ReadWrite.All" in me.app_roles

    def require_writable(self, me: Caller, client_id: str) -> None:
        """Refuse one that the app's identity doesn't own: PermanentError with the command that makes it an owner."""
        if not self.writable_by(me):
            raise PermanentError(
                "not-owner",
                f"the app's identity {me.object_id} doesn't own application {client_id}",
                f"az ad app owner add --id {client_id} --owner-object-id {me.object_id}",
            )


class EntraGraph:
    """Microsoft Graph, as far as passwords of applications go. One HTTP request per call, nothing repeated."""

    def __init__(self, client: "GraphServiceClient") -> None:
        self._client = client

    async def application(self, client_id: str) -> Application:
        """Return the application of that client id with passwords and owners; PermanentError if there is none."""
        from kiota_abstractions.base_request_configuration import RequestConfiguration
        from kiota_http.middleware.options import HeadersInspectionHandlerOption
        from msgraph.generated.applications_with_app_id.applications_with_app_id_request_builder import (
            ApplicationsWithAppIdRequestBuilder,
        )

        query = ApplicationsWithAppIdRequestBuilder.ApplicationsWithAppIdRequestBuilderGetQueryParameters(
            select=["id", "appId", "createdDateTime", "displayName", "signInAudience", "passwordCredentials"],
            expand=["owners"],
        )
        seen = HeadersInspectionHandlerOption(inspect_request_headers=False)
        # Not `client.applications_with_app_id`: it writes the id into parameters that all requests of the client share,
        # and one that waits for its token then asks for the application that somebody else named last.
        builder = ApplicationsWithAppIdRequestBuilder(self._client.request_adapter, {}, client_id)
        with graph_translated(f"application {client_id}"):
            found = await builder.get(RequestConfiguration(query_parameters=query, options=[seen]))
        if found is None or not found.id:  # None is what the SDK makes of an answer that lost its body
            raise NotYetError("incomplete-answer", f"application {client_id}: Graph answered without an object id")
        if (found.app_id or "").lower() != client_id.lower():
            raise PermanentError("other-application", f"application {client_id}: Graph answered with {found.app_id}")
        return _application(found, service_time.said_by(seen.response_headers.get("date")))

    async def password_rules(self) -> tuple["PasswordRule", ...]:
        """Return what the tenant's policy says of passwords. Without Policy.Read.All: PermanentError `forbidden`."""
        with graph_translated("policies/defaultAppManagementPolicy"):
            policy = await self._client.policies.default_app_management_policy.get()
        if policy is None:
            raise NotYetError("incomplete-answer", "policies/defaultAppManagementPolicy: Graph answered with nothing")
        restrictions = getattr(policy, "application_restrictions", None) if policy.is_enabled else None
        return tuple(_rule(r) for r in getattr(restrictions, "password_credentials", None) or () if _in_force(r))

    async def add_password(self, object_id: str, label: str, end: datetime) -> NewCredential:
        """Make a password; a lost or 5xx answer is an UnclearError, for it may have been made."""
        from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
            AddPasswordPostRequestBody,
        )
        from msgraph.generated.models.password_credential import PasswordCredential

        body = AddPasswordPostRequestBody(password_credential=PasswordCredential(display_name=label, end_date_time=end))
        with graph_translated("addPassword", repeatable=False):
            made = await self._client.applications.by_application_id(object_id).add_password.post(body)
        if made is None or not made.key_id or not made.secret_text:
            raise UnclearError("incomplete-answer", "addPassword: Graph answered without key id or value")
        return NewCredential(
            key_id=str(made.key_id), expires=made.end_date_time or end, value=SecretValue(made.secret_text)
        )

    async def remove_password(self, object_id: str, key_id: str) -> None:
        """Remove a password; one that isn't there is no error, because a retry finds what the first try did."""
        from msgraph.generated.applications.item.remove_password.remove_password_post_request_body import (
            RemovePasswordPostRequestBody,
        )

        try:
            with graph_translated("removePassword"):
                await self._client.applications.by_application_id(object_id).remove_password.post(
                    RemovePasswordPostRequestBody(key_id=UUID(key_id))
                )
        except PermanentError as error:
            if error.code != "no-such-password":
                raise


def _application(found: "GraphApplication", answered: datetime | None) -> Application:
    return Application(
        object_id=found.id or "",
        created=found.created_date_time,
        display_name=found.display_name or "",
        audience=found.sign_in_audience or "",
        passwords=tuple(_password(p) for p in found.password_credentials or ()),
        owners={o.id: _mail(o) for o in found.owners or () if o.id},
        answered=answered,
    )


def _password(found: "PasswordCredential") -> Password:
    if not found.key_id or not found.end_date_time or not found.start_date_time:
        raise NotYetError("incomplete-answer", "Graph listed a password without key id or dates")
    return Password(
        key_id=str(found.key_id),
        label=found.display_name or "",
        hint=found.hint or "",
        start=found.start_date_time,
        end=found.end_date_time,
    )


def _mail(owner: Any) -> str:
    return getattr(owner, "mail", None) or ""


def _in_force(restriction: Any) -> bool:
    state = getattr(restriction, "state", None)
    return state is None or getattr(state, "value", state) == "enabled"


def _rule(restriction: Any) -> "PasswordRule":
    kind = restriction.restriction_type
    return PasswordRule(
        kind=str(getattr(kind, "value", kind)),
        longest=restriction.max_lifetime,
        after=restriction.restrict_for_apps_created_after_date_time,
    )
