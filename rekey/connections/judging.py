"""What is wrong with a service connection, and what could be better: pure, from what was read of it.

Issuer and subject are compared as Entra does: character by character, upper and lower case included.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec

from rekey.connections.found import Connection, FederatedCredential, Principal, Standing, Way

AUDIENCE = "api://AzureADTokenExchange"
OLD_ISSUER = "https://vstoken.dev.azure.com/"
RETIRED = datetime(2027, 7, 1, tzinfo=UTC)
"""From when on Entra refuses what the old issuer signed, in the public cloud and for applications of one tenant.

https://learn.microsoft.com/azure/devops/pipelines/release/convert-service-connections
"""
SOON = timedelta(days=30)
"""How long before its end a secret is told to end."""
UNUSED = timedelta(days=90)
"""Without any run; after 100 days Azure DevOps disables a connection on its own."""
MANY = 3
"""Projects beyond which a connection is shared with too many: whoever may use it there has all its rights."""
_ONE_TENANT = frozenset({"AzureADMyOrg", ""})
_LONGEST = 200


class Severity(StrEnum):
    """How much a finding matters."""

    WRONG = "wrong"
    """It doesn't work, soon won't, or became worse: told every night until it is repaired."""
    ADVICE = "advice"
    """It works; told when it is new."""


class Flaw(msgspec.Struct, frozen=True, kw_only=True):
    """One thing about one connection; `code` is kebab-case."""

    code: str
    severity: Severity
    message: str
    what_to_do: str


class ManagedBy(msgspec.Struct, frozen=True, kw_only=True):
    """The managed secret that a connection's key comes from, and when its newest version ends."""

    vault: str
    secret: str
    expires: datetime | None = None


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the connection itself.

    `principal` is None if nobody could look; `allowed` are the organization's projects in settings, lower case;
    `before` is how it signed in by the last report, None if that didn't have it.
    """

    now: datetime
    principal: Principal | None = None
    managed: ManagedBy | None = None
    allowed: frozenset[str] = frozenset()
    before: Way | None = None


def judge(connection: Connection, around: Around) -> tuple[Flaw, ...]:
    """Return what there is to say of a connection, what is wrong first."""
    found = [
        *_gone(connection, around),
        *_by_way(connection, around),
        *_back(connection, around),
        *_shared(connection, around),
        *_unused(connection, around),
    ]
    return tuple(sorted(found, key=lambda flaw: flaw.severity is Severity.ADVICE))


def _by_way(connection: Connection, around: Around) -> Iterator[Flaw]:
    match connection.way:
        case Way.FEDERATED:
            yield from _federation(connection, around)
            yield from _issuer(connection, around)
        case Way.SECRET:
            yield from _secret(connection, around)
        case Way.CERTIFICATE:
            yield _advice(
                "certificate",
                "it signs in with a certificate, which ends one day and which Rekey doesn't renew",
                "Convert it to workload identity federation.",
            )
        case Way.PUBLISH_PROFILE:
            yield _advice(
                "publish-profile",
                "it signs in with a publish profile: a password of the web app that never ends by itself",
                "Make a connection with workload identity federation in its place; then reset the publish profile.",
            )


def _gone(connection: Connection, around: Around) -> Iterator[Flaw]:
    if around.principal and around.principal.standing is Standing.GONE:
        yield _wrong(
            "application-gone",
            f"Entra knows nobody with the client id {connection.application}: it can't sign in",
            "Delete the connection if no pipeline needs it; else restore the application or name another.",
        )


def _federation(connection: Connection, around: Around) -> Iterator[Flaw]:
    principal = around.principal
    if principal is None or principal.standing is not Standing.APPLICATION:
        return  # credentials of managed identities are not in Graph, those of another tenant not for Rekey's eyes
    named = [c for c in principal.credentials if _names(c) == (connection.issuer, connection.subject)]
    if any(AUDIENCE in c.audiences for c in named) or (named and connection.environment.lower() != "azurecloud"):
        return
    wanted = f"issuer {_shown(connection.issuer)} and subject {_shown(connection.subject)}"
    if named:
        yield _wrong(
            "audience-differs",
            f"the application's federated credential for {wanted} has another audience than {AUDIENCE}",
            f"Give that federated credential the audience {AUDIENCE}.",
        )
        return
    yield _wrong(*_difference(connection, principal, wanted))


def _difference(connection: Connection, principal: Principal, wanted: str) -> tuple[str, str, str]:
    advice = f"Give the application {connection.application} a federated credential with {wanted}, exactly as written."
    if not principal.credentials:
        return "no-federated-credential", "its application has no federated credential at all", advice
    ours = (connection.issuer.casefold(), connection.subject.casefold())
    alike = [c for c in principal.credentials if tuple(n.casefold() for n in _names(c)) == ours]
    if alike:
        said = f"issuer {_shown(alike[0].issuer)} and subject {_shown(alike[0].subject)}"
        differs = f"it presents {wanted}, its application expects {said}: they differ in upper and lower case"
        return "subject-case-differs", differs, advice
    many = len(principal.credentials)
    none = f"it presents {wanted}, and none of its application's {many} federated credentials has both"
    return "subject-differs", none, f"{advice} A connection that was renamed presents another subject than before."


def _issuer(connection: Connection, around: Around) -> Iterator[Flaw]:
    principal = around.principal
    one_tenant = principal is None or principal.audience in _ONE_TENANT
    concerned = connection.environment.lower() == "azurecloud" and one_tenant
    if not concerned or not connection.issuer.lower().startswith(OLD_ISSUER):
        return
    ends = around.now >= RETIRED - UNUSED
    yield Flaw(
        code="retired-issuer",
        severity=Severity.WRONG if ends else Severity.ADVICE,
        message=f"it presents tokens of Azure DevOps' own issuer, which Entra takes until {RETIRED:%Y-%m-%d} only",
        what_to_do="Update the connection to the Entra issuer: Project settings, Service connections, Update.",
    )


def _secret(connection: Connection, around: Around) -> Iterator[Flaw]:
    ends, since = secret_ends(around), connection.changed or connection.created
    age = f" for {(around.now - since).days} days" if since else ""
    if ends and ends <= around.now:
        yield _wrong(
            "secret-expired",
            f"every secret of its application has ended, the last on {ends:%Y-%m-%d}: it can't sign in",
            _instead(connection),
        )
    elif ends and not around.managed and ends - around.now < SOON:
        yield _wrong(
            "secret-expires",
            f"the last secret of its application ends on {ends:%Y-%m-%d}",
            _instead(connection),
        )
    if around.managed:
        yield _advice(
            "secret",
            f"it signs in with a secret, which Rekey rotates ({around.managed.vault}/{around.managed.secret})",
            "Nothing has to be done; converted to workload identity federation it needs no secret at all.",
        )
    else:
        yield _advice(
            "secret-by-hand",
            f"it has signed in with a secret{age} that Rekey doesn't look after",
            _instead(connection),
        )


def _instead(connection: Connection) -> str:
    if connection.automatic:
        return "Convert it to workload identity federation: its secret is Azure DevOps' own, Rekey can't rotate it."
    return "Convert it to workload identity federation, or have Rekey look after its secret."


def secret_ends(around: Around) -> datetime | None:
    """Return when the secret ends: the managed one; else at the latest, for which of several it is nobody can see."""
    if around.managed and around.managed.expires:
        return around.managed.expires
    return max(around.principal.secrets_end, default=None) if around.principal else None


def _back(connection: Connection, around: Around) -> Iterator[Flaw]:
    if connection.way in {Way.SECRET, Way.CERTIFICATE, Way.PUBLISH_PROFILE} and around.before in {
        Way.FEDERATED,
        Way.MANAGED_IDENTITY,
    }:
        yield _wrong(
            "back-on-a-secret",
            f"it needed no secret before ({around.before}), and signs in with one ({connection.way}) now",
            "Find out who changed it and why; convert it again.",
        )


def _shared(connection: Connection, around: Around) -> Iterator[Flaw]:
    others = [p for p in connection.projects if p.lower() != connection.project.lower()]
    unknown = [p for p in others if p.lower() not in around.allowed]
    if len(others) < MANY and not unknown:
        return
    more = f", {len(unknown)} of them not in REKEY_SCOPES" if unknown else ""
    yield _advice(
        "shared",
        f"{len(others)} other project{'' if len(others) == 1 else 's'} can use it{more}",
        "Give each project that needs it a connection of its own, with the rights that it needs.",
    )


def _unused(connection: Connection, around: Around) -> Iterator[Flaw]:
    since = connection.last_used or connection.created
    if connection.disabled or not connection.history_read or since is None or around.now - since < UNUSED:
        return
    said = f"since {since:%Y-%m-%d}" if connection.last_used else f"since it was made on {since:%Y-%m-%d}"
    yield _advice("unused", f"no pipeline has used it {said}", "Delete it, and what its application may do.")


def _names(credential: FederatedCredential) -> tuple[str, str]:
    return credential.issuer, credential.subject


def _shown(text: str) -> str:
    shown = ascii(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def _wrong(code: str, message: str, what_to_do: str) -> Flaw:
    return Flaw(code=code, severity=Severity.WRONG, message=message, what_to_do=what_to_do)


def _advice(code: str, message: str, what_to_do: str) -> Flaw:
    return Flaw(code=code, severity=Severity.ADVICE, message=message, what_to_do=what_to_do)
