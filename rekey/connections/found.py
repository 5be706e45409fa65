"""What was read of service connections, their applications and the variables beside them: no value of any secret.

Names, issuers and subjects are what others wrote into Azure DevOps and Entra: text to show, never to act on.
"""

from datetime import datetime
from enum import StrEnum

import msgspec


class Way(StrEnum):
    """How a connection signs in to Azure."""

    FEDERATED = "federated"
    SECRET = "secret"  # noqa: S105 - a way to sign in, not a secret
    CERTIFICATE = "certificate"
    MANAGED_IDENTITY = "managed-identity"
    PUBLISH_PROFILE = "publish-profile"
    OTHER = "other"


class Pool(msgspec.Struct, frozen=True):
    """Agents that a pipeline runs on; Microsoft runs those that are `hosted`."""

    name: str
    hosted: bool


UNKNOWN = Pool("", hosted=True)
"""Of a pipeline that doesn't say."""


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """One azurerm connection as one project has it.

    `application` and `tenant` are GUIDs in lower case, "" where it names none. `projects` are all that share it.
    `revert_until`: it was converted in place, and until then Azure DevOps can convert it back.
    `automatic`: Azure DevOps made its application, and keeps the secret itself.
    `last_used` is the end of the newest run that used it, None if there is none; meaningless unless `history_read`.
    `used_by` are the ids of the pipelines of its last runs, 0 of what isn't a pipeline; `pools` are those they run on.
    """

    organization: str
    project: str
    id: str
    name: str
    way: Way
    environment: str = ""
    application: str = ""
    tenant: str = ""
    issuer: str = ""
    subject: str = ""
    created: datetime | None = None
    changed: datetime | None = None
    revert_until: datetime | None = None
    disabled: bool = False
    automatic: bool = False
    projects: tuple[str, ...] = ()
    history_read: bool = False
    last_used: datetime | None = None
    used_by: tuple[int, ...] = ()
    pools: tuple[Pool, ...] = ()

    @property
    def key(self) -> str:
        """What tells it from every other connection; a shared one has one key in all its projects."""
        return f"{self.organization}/{self.id}".lower()


class FederatedCredential(msgspec.Struct, frozen=True, kw_only=True):
    """Whose tokens an application or a managed identity takes for its own; `name` is for good."""

    issuer: str
    subject: str
    audiences: tuple[str, ...] = ()
    name: str = ""


class Standing(StrEnum):
    """What Entra says of the client id that a connection names."""

    APPLICATION = "application"
    MANAGED_IDENTITY = "managed-identity"
    ELSEWHERE = "elsewhere"
    """An enterprise application whose registration is in another tenant."""
    GONE = "gone"


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who a connection signs in as; `secrets_end` has when each of its passwords ends.

    `object_id` is an application's own, `identity` the ARM id of a user-assigned managed identity. `hidden` says why
    nobody could look at a managed identity's federated credentials, `to_see` what to do about it.
    """

    standing: Standing
    name: str = ""
    audience: str = ""
    object_id: str = ""
    identity: str = ""
    hidden: str = ""
    to_see: str = ""
    credentials: tuple[FederatedCredential, ...] = ()
    secrets_end: tuple[datetime, ...] = ()


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A variable that isn't secret, although its name says that its value is; `place` says where, in words."""

    organization: str
    project: str
    place: str
    name: str
