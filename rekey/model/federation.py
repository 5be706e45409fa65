"""What the steps that leave a service connection without a secret are asked and answer: names, ids, dates.

One walk is a federation, whatever its way; a connection that is vended is one that never had a secret.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

import msgspec

from rekey.model.federation_request import FederationRequest, Mode, Target, VendingRequest
from rekey.model.policy import Span

__all__ = ["FederationRequest", "Mode", "Target", "VendingRequest"]
"""What is asked for has a file of its own, and is had from here too."""

SPARE = timedelta(hours=12)
"""How long before Azure DevOps' own deadline the soak ends, so that there is time to go back."""

STILL_USED = "still-used"
"""The code of what waits for pipelines to leave the old connection."""


class Old(msgspec.Struct, frozen=True, kw_only=True):
    """The connection as it was found: no secret of it is readable.

    `owner_project` is the id of the project that has it first, `shared_with` the names of the others. `application` is
    the client id it signs in as; `object_id` is that application's own id in Entra, "" of a managed identity, which has
    `identity`, an ARM id. `issuer` and `subject` are "" where it shows none. `managed_by` are managed secrets,
    `<vault>/<secret>`, whose policy names the connection as a consumer.
    """

    id: str
    name: str
    owner_project: str
    application: str
    tenant: str
    way: str
    object_id: str = ""
    identity: str = ""
    application_name: str = ""
    environment: str = ""
    issuer: str = ""
    subject: str = ""
    automatic: bool = False
    shared_with: tuple[str, ...] = ()
    managed_by: tuple[str, ...] = ()


class PipelineUse(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline that is known to use the connection, and how that is known; `owner` is a mail address or ""."""

    id: str
    name: str
    owner: str = ""
    last_run: datetime | None = None
    known_by: str = ""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What preflight found beside the connection itself. `owners` are mail addresses of its managed secrets' owners."""

    pipelines: tuple[PipelineUse, ...] = ()
    owners: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """The federated credential that lets a connection sign in: issuer and subject are what the connection itself says.

    `principal` is the application's object id, or the ARM id of the managed identity. `made`: this walk made it.
    """

    principal: str
    name: str
    issuer: str
    subject: str
    made: bool = False


class New(msgspec.Struct, frozen=True, kw_only=True):
    """The connection as it is without a secret: the converted one itself, or the one that was made.

    `federated` is False only if Azure DevOps did not convert it before Entra trusts it: it is to be asked again.
    """

    id: str
    name: str
    issuer: str
    subject: str
    federated: bool = True
    revert_until: datetime | None = None


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a connection signs in as: a managed identity by `arm_id`, or an application by its `object_id` in Entra.

    `principal_id` is its service principal's object id, which roles are assigned to.
    """

    client_id: str
    principal_id: str = ""
    arm_id: str = ""
    object_id: str = ""


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """The ARM ids of the role assignments that this walk made, and what was not copied on purpose."""

    assignments: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """How many pipelines may use the new connection without being asked, and how many checks guard it."""

    pipelines: int = 0
    checks: int = 0
    remarks: tuple[str, ...] = ()


class Proven(msgspec.Struct, frozen=True, kw_only=True):
    """How it is known that the connection signs in, in words."""

    proof: str


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """What ran through a connection since a moment; `running` are those that haven't ended."""

    finished: int = 0
    failed: int = 0
    running: int = 0
    last: datetime | None = None
    by: tuple[str, ...] = ()
    """The names of the pipelines."""


class SecretsRetired(msgspec.Struct, frozen=True, kw_only=True):
    """The key ids of the passwords that were removed, and what was left alone and why."""

    removed: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """What operators decided, by the record: who approved, and who wants it reverted; "" nobody."""

    approved_by: str = ""
    reverted_by: str = ""


class Federation(msgspec.Struct, frozen=True, kw_only=True):
    """The input of every step: what was asked, and what earlier steps found out. Each step reads what it needs of it.

    `connection` is the name of the connection that is converted, replaced or repaired, "" when one is vended;
    `new_name` of the one that is made. `identity` is the ARM id of a managed identity that was asked for. `since` is
    when the new way was proven; what looks at runs through the old connection is given from when on they count.
    `approved_with` is the id of the walk that is approved and reverted together with this one: a twin's first.
    """

    id: str
    instance: str
    mode: Mode
    organization: str
    project: str
    started: datetime
    soak: Span = Span(seconds=7 * 86400)
    requested_by: str = ""
    connection: str = ""
    new_name: str = ""
    target: Target = Target.APPLICATION
    identity: str = ""
    scope: str = ""
    role: str = ""
    old: Old | None = None
    checked: Checked | None = None
    signs_in_as: Identity | None = None
    new: New | None = None
    trust: Trust | None = None
    granted: Granted | None = None
    since: datetime | None = None
    approved_with: str = ""
    result: str = ""

    @property
    def grants_roles(self) -> bool:
        """Tell whether it grants roles, which somebody else than who asked has to approve."""
        moves = self.mode is Mode.SIDE_BY_SIDE and self.target is Target.MANAGED_IDENTITY
        return self.mode is Mode.VEND or moves

    def soak_ends(self, now: datetime, revert_until: datetime | None) -> datetime:
        """Return until when a soak that begins now lasts: in place it ends in time to be converted back."""
        until = self.soak.after(now)
        return min(until, revert_until - SPARE) if self.mode is Mode.IN_PLACE and revert_until else until

    def but(self, **changes: Any) -> Self:
        """Return this walk with more known."""
        return msgspec.structs.replace(self, **changes)


class FederationQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """The input of `read_connection`: what is asked for, and the ids of the walk that it would become."""

    request: FederationRequest
    id: str
    instance: str
    started: datetime


class VendingQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """The input of `check_vending`, likewise; a twin gets `twin_id`."""

    request: VendingRequest
    id: str
    twin_id: str
    instance: str
    started: datetime


class FederationReading(msgspec.Struct, frozen=True, kw_only=True):
    """The walks that `read_connection` or `check_vending` made of a request, or why there is nothing to do."""

    federations: tuple[Federation, ...] = ()
    nothing_to_do: str = ""


class FederationDecisionKind(StrEnum):
    """What operators can decide about a walk."""

    APPROVE = "approve"
    """Roles may be granted: somebody else than who asked for it has to say so."""
    REVERT = "revert"
    """Everything shall be as it was before."""


class FederationDecision(msgspec.Struct, frozen=True, kw_only=True):
    """One decision: what, and who said so when."""

    kind: FederationDecisionKind
    by: str
    at: datetime
