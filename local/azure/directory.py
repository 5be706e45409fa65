"""Knows the state of the simulated Entra directory: applications, their passwords, identities, users, owners."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local.azure.clock import Clock
from local.azure.directory_federation import FederatedCredentials

PERSONAL_AUDIENCES = frozenset({"AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"})


def new_id() -> str:
    """Return a new object id."""
    return str(uuid.uuid4())


@dataclass
class Password:
    """One password credential; `created` and `removed` are when it was written, not its validity."""

    value: str
    display_name: str | None
    start: datetime
    end: datetime
    created: datetime
    key_id: str = field(default_factory=new_id)
    removed: datetime | None = None

    @property
    def hint(self) -> str:
        """The first three characters, which Graph goes on showing."""
        return self.value[:3]


@dataclass
class Application:
    """An application registration, with its service principal's object id where it has one."""

    name: str
    created: datetime
    audience: str = "AzureADMyOrg"
    object_id: str = field(default_factory=new_id)
    app_id: str = field(default_factory=new_id)
    service_principal: str | None = field(default_factory=new_id)
    app_roles: frozenset[str] = frozenset()
    owners: list[str] = field(default_factory=list)
    passwords: list[Password] = field(default_factory=list)
    federated: FederatedCredentials = field(default_factory=FederatedCredentials)
    identifier_uris: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    api: dict[str, Any] = field(default_factory=dict)

    def live(self) -> list[Password]:
        """Return the passwords that were not removed."""
        return [password for password in self.passwords if password.removed is None]

    def seen(self, at: datetime) -> list[Password]:
        """Return the passwords as a replica shows them that has heard of writes up to `at`."""
        return [p for p in self.passwords if p.created <= at and (p.removed is None or p.removed > at)]


ANY_SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
ANY_GROUP = "rekey-sim"


def identity_arm_id(subscription: str, group: str, name: str) -> str:
    """Return a managed identity's ARM id, in the case in which its own provider writes it."""
    kind = "Microsoft.ManagedIdentity/userAssignedIdentities"
    return f"/subscriptions/{subscription}/resourcegroups/{group}/providers/{kind}/{name}"


@dataclass
class Identity:
    """A managed identity; `object_id` is that of its service principal, which the directory shows from `known_from` on.

    `attached`: the function app has it, so that its endpoint answers for it.
    """

    name: str
    client_id: str = field(default_factory=new_id)
    object_id: str = field(default_factory=new_id)
    app_roles: frozenset[str] = frozenset()
    federated: FederatedCredentials = field(default_factory=FederatedCredentials)
    arm_id: str = ""
    location: str = "westeurope"
    tags: dict[str, str] = field(default_factory=dict)
    known_from: datetime | None = None
    attached: bool = True

    def __post_init__(self) -> None:
        """Give it an ARM id if it was made without one."""
        self.arm_id = self.arm_id or identity_arm_id(ANY_SUBSCRIPTION, ANY_GROUP, self.name)


@dataclass
class User:
    """A person in the directory."""

    display_name: str
    mail: str | None
    user_principal_name: str
    object_id: str = field(default_factory=new_id)
    directory_roles: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Principal:
    """A service principal, of an application or of a managed identity."""

    object_id: str
    app_id: str
    display_name: str
    kind: str
    app_roles: frozenset[str]
    arm_id: str = ""
    """Of a managed identity."""


class Directory:
    """What the tenant's directory holds; applications and identities are keyed by their seeded name."""

    def __init__(self, clock: Clock, new_secret: Callable[[], str]) -> None:
        self._clock = clock
        self._new_secret = new_secret
        self.applications: dict[str, Application] = {}
        self.identities: dict[str, Identity] = {}
        self.users: dict[str, User] = {}
        self.graph_principal = new_id()

    def application(self, name: str) -> Application:
        """Return a seeded application by name; ValueError names an unknown one."""
        if name not in self.applications:
            raise ValueError(f"no application named {name!r} is seeded, known: {sorted(self.applications)}")
        return self.applications[name]

    def identity(self, name: str) -> Identity:
        """Return a seeded managed identity by name; ValueError names an unknown one."""
        if name not in self.identities:
            raise ValueError(f"no identity named {name!r} is seeded, known: {sorted(self.identities)}")
        return self.identities[name]

    def password_value(self, app_name: str, index: int = 0) -> str:
        """Return the value of an application's password, counted in the order of seeding, removed ones included."""
        passwords = self.application(app_name).passwords
        if not 0 <= index < len(passwords):
            raise ValueError(f"application {app_name!r} has {len(passwords)} passwords, asked for index {index}")
        return passwords[index].value

    def by_app_id(self, app_id: str) -> Application | None:
        """Return the application of this client id."""
        return next((a for a in self.applications.values() if a.app_id == app_id.lower()), None)

    def by_object_id(self, object_id: str) -> Application | None:
        """Return the application of this object id."""
        return next((a for a in self.applications.values() if a.object_id == object_id.lower()), None)

    def identity_by_client_id(self, client_id: str) -> Identity | None:
        """Return the managed identity of this client id."""
        return next((i for i in self.identities.values() if i.client_id == client_id.lower()), None)

    def identity_by_arm_id(self, arm_id: str) -> Identity | None:
        """Return the managed identity of this ARM id, in any case."""
        return next((i for i in self.identities.values() if i.arm_id.lower() == arm_id.lower()), None)

    def add_identity(self, identity: Identity) -> None:
        """Add a managed identity, by its ARM id if its name is taken in another resource group."""
        key = identity.arm_id if identity.name in self.identities else identity.name
        self.identities[key] = identity

    def remove_identity(self, identity: Identity) -> None:
        """Take a managed identity away; role assignments to it stay behind, as they do."""
        self.identities = {key: one for key, one in self.identities.items() if one is not identity}

    def user(self, object_id: str) -> User | None:
        """Return the user of this object id."""
        return next((user for user in self.users.values() if user.object_id == object_id), None)

    def holder(self, object_id: str) -> Application | Identity:
        """Return what holds the app roles of this service principal; KeyError for one of somebody else's."""
        holders: dict[str | None, Application | Identity] = {i.object_id: i for i in self.identities.values()}
        return (holders | {app.service_principal: app for app in self.applications.values()})[object_id]

    def principals(self) -> Iterator[Principal]:
        """Yield every service principal that its replicas know."""
        now = self._clock.now()
        for app in self.applications.values():
            if app.service_principal:
                yield Principal(app.service_principal, app.app_id, app.name, "Application", app.app_roles)
        for i in self.identities.values():
            if i.known_from is None or i.known_from <= now:
                yield Principal(i.object_id, i.client_id, i.name, "ManagedIdentity", i.app_roles, i.arm_id)

    def add_password(
        self, app: Application, name: str | None, start: datetime, end: datetime, *, age: timedelta = timedelta()
    ) -> Password:
        """Give an application a new password that was written `age` ago."""
        password = Password(self._new_secret(), name, start, end, created=self._clock.now() - age)
        app.passwords.append(password)
        return password

    def remove_password(self, app: Application, key_id: str) -> bool:
        """Remove a password; False when the application has none with this key id."""
        for password in app.live():
            if password.key_id == key_id.lower():
                password.removed = self._clock.now()
                return True
        return False
