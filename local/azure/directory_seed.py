"""Knows the directory's part of a seed document: identities, applications, their owners and passwords."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from local.azure.clock import Clock
from local.azure.directory import (
    ANY_GROUP,
    ANY_SUBSCRIPTION,
    Application,
    Directory,
    Identity,
    User,
    identity_arm_id,
    new_id,
)
from local.azure.directory_federation import EXCHANGE, FederatedCredential, FederatedCredentials
from local.azure.graph_roles import DIRECTORY_ROLES
from local.azure.seeds import mapping, parsed

# Seeded passwords were written long ago: neither propagation nor read lag concerns them.
_SEEDED_AGE = timedelta(days=1)
_DEFAULT_LIFETIME = timedelta(days=180)


class PasswordSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One password; `days` from now or `expires` say when it ends (default: 180 days)."""

    display_name: str | None = None
    days: float | None = None
    expires: datetime | None = None
    starts: datetime | None = None


class FederatedSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One federated credential."""

    issuer: str
    subject: str
    audience: str = EXCHANGE
    description: str | None = None


class UserSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person who owns an application."""

    user_principal_name: str
    display_name: str = ""
    mail: str | None = None


class PersonSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A person, keyed by user principal name, with the directory roles that are active."""

    display_name: str = ""
    mail: str | None = None
    directory_roles: frozenset[str] = frozenset()


class IdentitySeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A managed identity; ids are generated where they are not given. `attached`: the function app has it."""

    client_id: uuid.UUID | None = None
    object_id: uuid.UUID | None = None
    app_roles: frozenset[str] = frozenset()
    federated_credentials: dict[str, FederatedSeed] = {}
    subscription: str = ANY_SUBSCRIPTION
    resource_group: str = ANY_GROUP
    location: str = "westeurope"
    attached: bool = True


class ApplicationSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An application registration; an owner is the name of an identity, or a user."""

    client_id: uuid.UUID | None = None
    object_id: uuid.UUID | None = None
    sign_in_audience: Literal[
        "AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"
    ] = "AzureADMyOrg"
    owners: tuple[str | UserSeed, ...] = ()
    passwords: tuple[PasswordSeed, ...] = ()
    service_principal: bool = True
    app_roles: frozenset[str] = frozenset()
    federated_credentials: dict[str, FederatedSeed] = {}


class DirectorySeeder:
    """Puts identities and applications into a directory and remembers which the last document named."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def take(self, document: dict[str, Any]) -> None:
        """Take `users`, `identities` and `applications`; a ValueError names the field that is wrong."""
        for name, part in mapping(document.get("users"), "users").items():
            self._person(name, parsed(part, PersonSeed, f"users.{name}"))
        for name, part in mapping(document.get("identities"), "identities").items():
            self._identity(name, parsed(part, IdentitySeed, f"identities.{name}"))
        for name, part in mapping(document.get("applications"), "applications").items():
            self._application(name, parsed(part, ApplicationSeed, f"applications.{name}"))

    def _person(self, name: str, wanted: PersonSeed) -> None:
        if unknown := wanted.directory_roles - DIRECTORY_ROLES.keys():
            known = sorted(DIRECTORY_ROLES)
            raise ValueError(f"users.{name}.directory_roles: got {sorted(unknown)}, expected some of {known}")
        found = self._directory.users.setdefault(name, User(wanted.display_name or name, wanted.mail, name))
        found.directory_roles |= wanted.directory_roles

    def _identity(self, name: str, wanted: IdentitySeed) -> None:
        found = self._directory.identities.setdefault(name, _new_identity(name, wanted))
        found.client_id = str(wanted.client_id or found.client_id)
        found.object_id = str(wanted.object_id or found.object_id)
        found.app_roles |= wanted.app_roles
        self._federate(found.federated, wanted.federated_credentials)

    def _application(self, name: str, wanted: ApplicationSeed) -> None:
        owners = [self._owner(name, owner) for owner in wanted.owners]
        found = self._directory.applications.setdefault(name, Application(name, self._clock.now()))
        found.app_id = str(wanted.client_id or found.app_id)
        found.object_id = str(wanted.object_id or found.object_id)
        found.audience = wanted.sign_in_audience
        found.app_roles |= wanted.app_roles
        found.service_principal = (found.service_principal or new_id()) if wanted.service_principal else None
        found.owners += [owner for owner in owners if owner not in found.owners]
        for password in wanted.passwords:
            self._password(found, password)
        self._federate(found.federated, wanted.federated_credentials)

    def _federate(self, known: FederatedCredentials, wanted: dict[str, FederatedSeed]) -> None:
        for name, one in wanted.items():
            seed_federated(known, _federated_credential(name, one, self._clock.now()))

    def _owner(self, application: str, owner: str | UserSeed) -> str:
        if isinstance(owner, str):
            if owner not in self._directory.identities:
                known = sorted(self._directory.identities)
                raise ValueError(f"applications.{application}.owners: got {owner!r}, expected one of {known} or a user")
            return self._directory.identities[owner].object_id
        users = self._directory.users
        new = User(owner.display_name or owner.user_principal_name, owner.mail, owner.user_principal_name)
        return users.setdefault(owner.user_principal_name, new).object_id

    def _password(self, application: Application, wanted: PasswordSeed) -> None:
        now = self._clock.now()
        lifetime = _DEFAULT_LIFETIME if wanted.days is None else timedelta(days=wanted.days)
        end = _aware(wanted.expires) if wanted.expires else now + lifetime
        start = _aware(wanted.starts) if wanted.starts else min(now, end) - _SEEDED_AGE
        self._directory.add_password(application, wanted.display_name, start, end, age=_SEEDED_AGE)


def seed_federated(known: FederatedCredentials, wanted: FederatedCredential) -> None:
    """Give a holder a federated credential that has long propagated, in place of one of the same name."""
    known.every = [one for one in known.every if one.name != wanted.name]
    known.add(replace(wanted, created=wanted.created - _SEEDED_AGE))


def _new_identity(name: str, wanted: IdentitySeed) -> Identity:
    arm_id = identity_arm_id(wanted.subscription, wanted.resource_group, name)
    return Identity(name, arm_id=arm_id, location=wanted.location, attached=wanted.attached)


def _federated_credential(name: str, seed: FederatedSeed, now: datetime) -> FederatedCredential:
    return FederatedCredential(name, seed.issuer, seed.subject, now, seed.audience, seed.description)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def told(directory: Directory, *, values: bool) -> dict[str, Any]:
    """Return the directory as JSON; with `values` the passwords themselves too."""
    return {
        "identities": {key: _identity(one) for key, one in directory.identities.items()},
        "applications": {a.name: _application(a, values=values) for a in directory.applications.values()},
        "users": {
            user.user_principal_name: {"object_id": user.object_id, "mail": user.mail}
            for user in directory.users.values()
        },
    }


def _identity(identity: Identity) -> dict[str, Any]:
    roles = sorted(identity.app_roles)
    ids = {"client_id": identity.client_id, "object_id": identity.object_id, "arm_id": identity.arm_id}
    return {**ids, "app_roles": roles, "federated_credentials": _federated(identity.federated)}


def _application(application: Application, *, values: bool) -> dict[str, Any]:
    return {
        "client_id": application.app_id,
        "object_id": application.object_id,
        "service_principal": application.service_principal,
        "sign_in_audience": application.audience,
        "owners": application.owners,
        "passwords": [
            {
                "key_id": password.key_id,
                "display_name": password.display_name,
                "start": password.start.isoformat(),
                "end": password.end.isoformat(),
                "removed": password.removed.isoformat() if password.removed else None,
                **({"value": password.value} if values else {}),
            }
            for password in application.passwords
        ],
        "federated_credentials": _federated(application.federated),
    }


def _federated(known: FederatedCredentials) -> dict[str, Any]:
    return {
        one.name: {"id": one.id, "issuer": one.issuer, "subject": one.subject, "audience": one.audience}
        for one in known.live()
    }
