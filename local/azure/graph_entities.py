"""Knows how directory objects look in Microsoft Graph v1.0, and what of them a caller may see."""

from datetime import UTC, datetime
from typing import Any

from local.azure.directory import Application, Directory, Password, Principal, User

type Entity = dict[str, Any]

_NO_API: Entity = {
    "acceptMappedClaims": None,
    "knownClientApplications": [],
    "requestedAccessTokenVersion": None,
    "oauth2PermissionScopes": [],
    "preAuthorizedApplications": [],
}


def stamp(moment: datetime) -> str:
    """Return a time as Graph writes it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def password(credential: Password, *, reveal: bool = False) -> Entity:
    """Return a password credential; its value is revealed in addPassword's answer only."""
    return {
        "customKeyIdentifier": None,
        "displayName": credential.display_name,
        "endDateTime": stamp(credential.end),
        "hint": credential.hint,
        "keyId": credential.key_id,
        "secretText": credential.value if reveal else None,
        "startDateTime": stamp(credential.start),
    }


def application(app: Application, passwords: list[Password]) -> Entity:
    """Return an application with the passwords that a replica knows of."""
    return {
        "id": app.object_id,
        "deletedDateTime": None,
        "appId": app.app_id,
        "createdDateTime": stamp(app.created),
        "displayName": app.name,
        "description": None,
        "disabledByMicrosoftStatus": None,
        "groupMembershipClaims": None,
        "identifierUris": app.identifier_uris,
        "isFallbackPublicClient": None,
        "notes": None,
        "publisherDomain": None,
        "serviceManagementReference": None,
        "signInAudience": app.audience,
        "tags": app.tags,
        "addIns": [],
        "api": _NO_API | app.api,
        "appRoles": [],
        "keyCredentials": [],
        "passwordCredentials": [password(credential) for credential in passwords],
        "requiredResourceAccess": [],
    }


def service_principal(principal: Principal) -> Entity:
    """Return a service principal."""
    return {
        "id": principal.object_id,
        "deletedDateTime": None,
        "accountEnabled": True,
        "alternativeNames": ["isExplicit=True", principal.arm_id] if principal.arm_id else [],
        "appDisplayName": principal.display_name,
        "appId": principal.app_id,
        "displayName": principal.display_name,
        "servicePrincipalNames": [principal.app_id],
        "servicePrincipalType": principal.kind,
        "tags": [],
        "keyCredentials": [],
        "passwordCredentials": [],
    }


def user(person: User, *, readable: bool) -> Entity:
    """Return a user; without the right to read users only the id has a value.

    https://learn.microsoft.com/graph/permissions-overview#limited-information-returned-for-inaccessible-member-objects
    """
    shown = {"displayName": person.display_name, "mail": person.mail, "userPrincipalName": person.user_principal_name}
    unseen = dict.fromkeys(("givenName", "jobTitle", "mobilePhone", "officeLocation", "preferredLanguage", "surname"))
    return {"id": person.object_id, **(shown if readable else dict.fromkeys(shown)), **unseen, "businessPhones": []}


def owners(directory: Directory, app: Application, *, users_readable: bool) -> list[Entity]:
    """Return an application's owners with their types."""
    principals = {principal.object_id: principal for principal in directory.principals()}
    found: list[Entity] = []
    for object_id in app.owners:
        if person := directory.user(object_id):
            found.append({"@odata.type": "#microsoft.graph.user", **user(person, readable=users_readable)})
        elif principal := principals.get(object_id):
            found.append({"@odata.type": "#microsoft.graph.servicePrincipal", **service_principal(principal)})
    return found
