"""What Entra makes of a federated connection: whether its issuer and subject are expected by whom it signs in as.

They are compared to the letter: upper and lower case count. Both have to be of one federated credential, whose audience
is Azure's.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from rekey.connections.commands import federate
from rekey.connections.flaws import Flaw, Severity, shown, wrong
from rekey.connections.found import Connection, FederatedCredential, Principal, Standing

AUDIENCE = "api://AzureADTokenExchange"
OLD_ISSUER = "https://vstoken.dev.azure.com/"
RETIRED = datetime(2027, 7, 1, tzinfo=UTC)
"""From when on Entra refuses what the old issuer signed, in the public cloud and for applications of one tenant.

https://learn.microsoft.com/azure/devops/pipelines/release/convert-service-connections
"""
NEAR = timedelta(days=90)
"""How long before that it is no mere advice any more."""
_ONE_TENANT = frozenset({"AzureADMyOrg", ""})
_WHO = {Standing.APPLICATION: "application", Standing.MANAGED_IDENTITY: "managed identity"}
"""Whom Rekey can ask for federated credentials."""


def refused(connection: Connection, principal: Principal | None) -> Iterator[Flaw]:
    """Say why Entra doesn't take a federated connection for its application, if that can be seen."""
    if principal is None or not _is_known(principal):
        return
    named = [c for c in principal.credentials if _names(c) == (connection.issuer, connection.subject)]
    if any(AUDIENCE in c.audiences for c in named) or (named and connection.environment.lower() != "azurecloud"):
        return
    wanted = f"issuer {shown(connection.issuer)} and subject {shown(connection.subject)}"
    if named:
        yield wrong(
            "audience-differs",
            f"the {_WHO[principal.standing]}'s federated credential for {wanted} has another audience than {AUDIENCE}",
            f"{_repair(connection)}give that federated credential the audience {AUDIENCE}.",
        )
        return
    yield wrong(*_difference(connection, principal, wanted))


def _repair(connection: Connection) -> str:
    return f"Have it repaired: {federate(connection, 'repair')} (with --plan it only says what it would do). By hand: "


def _is_known(principal: Principal) -> bool:
    """Tell whether its federated credentials were looked at; those of another tenant are not for Rekey's eyes."""
    if principal.standing is Standing.MANAGED_IDENTITY:
        return bool(principal.identity) and not principal.hidden
    return principal.standing is Standing.APPLICATION


def _difference(connection: Connection, principal: Principal, wanted: str) -> tuple[str, str, str]:
    who = _WHO[principal.standing]
    repair = f"{_repair(connection)}give the {who} {connection.application} a federated credential with {wanted}."
    if not principal.credentials:
        return "no-federated-credential", f"its {who} has no federated credential at all", repair
    ours = (connection.issuer.casefold(), connection.subject.casefold())
    alike = [c for c in principal.credentials if tuple(n.casefold() for n in _names(c)) == ours]
    if alike:
        said = f"issuer {shown(alike[0].issuer)} and subject {shown(alike[0].subject)}"
        differs = f"it presents {wanted}, its {who} expects {said}: they differ in upper and lower case"
        return "subject-case-differs", differs, repair
    many = len(principal.credentials)
    none = f"it presents {wanted}, and none of its {who}'s {many} federated credentials has both"
    return "subject-differs", none, f"{repair} A connection that was renamed presents another subject than before."


def retiring(connection: Connection, principal: Principal | None, now: datetime) -> Iterator[Flaw]:
    """Say that it relies on the issuer that is going to be retired."""
    if connection.environment.lower() != "azurecloud" or not _of_one_tenant(principal):
        return
    if not connection.issuer.lower().startswith(OLD_ISSUER):
        return
    near = now >= RETIRED - NEAR
    yield Flaw(
        code="retired-issuer",
        severity=Severity.WRONG if near else Severity.ADVICE,
        message=f"it presents tokens of Azure DevOps' own issuer, which Entra takes until {RETIRED:%Y-%m-%d} only",
        what_to_do="Update the connection to the Entra issuer: Project settings, Service connections, Update.",
    )


def _of_one_tenant(principal: Principal | None) -> bool:
    """Tell whether nothing says that it is an application of many tenants, to which the retirement doesn't apply."""
    if principal is None:
        return True
    return principal.standing is not Standing.ELSEWHERE and principal.audience in _ONE_TENANT


def _names(credential: FederatedCredential) -> tuple[str, str]:
    return credential.issuer, credential.subject
