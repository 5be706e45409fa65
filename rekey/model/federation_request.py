"""What somebody asks for: a service connection that needs no secret any more, or one that never has one."""

from enum import StrEnum
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from rekey.model import asking

type Text = Annotated[str, Meta(min_length=1, max_length=256)]
type ArmId = Annotated[
    str, Meta(max_length=1000, pattern=r"^(/subscriptions(/(?!\.{1,2}(/|\Z))[^\s\x00-\x1f\x7f/?#%\\]+)+)?\Z")
]
"""One that leads where it seems to: `.` and `..` would be resolved on the way."""
type Organization = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9-]{0,48}[A-Za-z0-9])?\Z")]
type Project = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f/\\:*?\"<>|;#$&{}%+,@]{1,64}\Z")]
type Name = Annotated[
    str, Meta(max_length=256, pattern=r"^([^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?)?\Z")
]
"""What a connection may be called; "" is none."""
type Named = Annotated[Name, Meta(min_length=1)]
_TIME = r"(T(?=[0-9])([0-9]{1,4}H)?([0-9]{1,4}M)?([0-9]{1,5}S)?)?"
type Soak = Annotated[str, Meta(pattern=rf"^P([0-9]{{1,2}}W|(?=[0-9T])([0-9]{{1,3}}D)?{_TIME})\Z")]
type By = Annotated[str, Meta(max_length=200)]


class Mode(StrEnum):
    """How a connection comes to need no secret."""

    IN_PLACE = "in-place"
    """Azure DevOps converts it, by an operation that Microsoft doesn't document."""
    SIDE_BY_SIDE = "side-by-side"
    """A new connection takes its place."""
    REPAIR = "repair"
    """It is federated already, and Entra doesn't know it any more by the issuer and subject that it presents."""
    VEND = "vend"
    """A new connection, in nobody's place."""


class Target(StrEnum):
    """Whom a new connection signs in as."""

    APPLICATION = "application"
    MANAGED_IDENTITY = "managed-identity"


_PLACE = {
    "organization": "the name of an Azure DevOps organization",
    "project": "the name of a project",
}
FEDERATION_EXPECTED = {
    **_PLACE,
    "connection": "the name of a service connection",
    "mode": f"one of {', '.join(mode for mode in Mode if mode != Mode.VEND)}",
    "target": f"one of {', '.join(Target)}",
    "identity": "the ARM id of a user-assigned managed identity, since target is managed-identity",
    "name": "the new connection's name, at most 256 characters",
    "soak": "an ISO 8601 duration in weeks, or in days, hours, minutes and seconds, such as P7D",
    "requested_by": "at most 200 characters",
}
VENDING_EXPECTED = {
    **_PLACE,
    "name": "the new connection's name, at most 256 characters",
    "scope": "the ARM id of what the connection is for, /subscriptions/<id>/...",
    "role": "the name of a built-in role, or a role definition's GUID",
    "twin": "true or false",
    "requested_by": "at most 200 characters",
}


class FederationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input of `federate_service_connection`, as the operator API or the durable HTTP API gives it.

    `connection` is its name. Side by side, `name` is the new connection's, and with target managed-identity `identity`
    is the ARM id of the user-assigned managed identity that it signs in as; with target application that is the
    application of the old one. `soak` is how long the way back stays open, an ISO 8601 duration.
    """

    organization: Organization
    project: Project
    connection: Named
    mode: Mode = Mode.IN_PLACE
    target: Target = Target.APPLICATION
    identity: ArmId = ""
    name: Name = ""
    soak: Soak = "P7D"
    requested_by: By = ""

    @classmethod
    def parse(cls, payload: object) -> Self:
        """Return the request in `payload` (JSON types); ValueError names field, value and what was expected."""
        request = asking.read(payload, cls, FEDERATION_EXPECTED, {"organization", "project", "connection"})
        if request.mode == Mode.VEND:
            raise asking.wrong("mode", request.mode.value, FEDERATION_EXPECTED["mode"])
        if request.mode != Mode.SIDE_BY_SIDE:
            _only("name", request.name, "nothing unless mode is side-by-side: no connection is made")
            _only("target", request.target.removeprefix(Target.APPLICATION), "application unless mode is side-by-side")
        if request.target == Target.APPLICATION:
            _only("identity", request.identity, "nothing unless target is managed-identity")
        elif not request.identity:
            raise asking.wrong("identity", "", FEDERATION_EXPECTED["identity"])
        if request.name.casefold() == request.connection.casefold():
            raise asking.wrong("name", request.name, "another name than the connection has")
        return request


class VendingRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The input of `vend_service_connection`: a connection that never has a secret.

    `scope` is the ARM id that its identity gets `role` for (a built-in role's name or a role definition's GUID, among
    those that settings allow). `twin`: a second connection, `<name>-readonly`, that may only read there, for pull
    requests.
    """

    organization: Organization
    project: Project
    name: Named
    scope: Annotated[ArmId, Meta(min_length=1)]
    role: Text
    twin: bool = False
    requested_by: By = ""

    @classmethod
    def parse(cls, payload: object) -> Self:
        """Return the request in `payload` (JSON types); ValueError names field, value and what was expected."""
        required = {"organization", "project", "name", "scope", "role"}
        return asking.read(payload, cls, VENDING_EXPECTED, required)


def _only(field: str, value: str, expected: str) -> None:
    if value:
        raise asking.wrong(field, value, expected)
