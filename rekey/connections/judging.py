"""What is wrong with a service connection, and what could be better: pure, from what was read of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from rekey.connections.commands import PLAN, federate
from rekey.connections.federation import refused, retiring
from rekey.connections.flaws import Flaw, Severity, advice, shown, wrong
from rekey.connections.found import Connection, Principal, Standing, Way

SOON = timedelta(days=30)
"""How long before its end a secret is told to end."""
UNUSED = timedelta(days=90)
"""Without any run; after 100 days Azure DevOps disables a connection on its own."""
MANY = 3
"""Projects beyond which a connection is shared with too many: whoever may use it there has all its rights."""


class ManagedBy(msgspec.Struct, frozen=True, kw_only=True):
    """The managed secret that a connection's key comes from, and when its newest version ends."""

    vault: str
    secret: str
    expires: datetime | None = None


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the connection itself.

    `principal` is None if nobody could look; `allowed` are the organization's projects in settings, lower case;
    `before` is the last way it signed in that needed no key, None if no report has had one.
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
        *_on_own_agents(connection),
    ]
    return tuple(sorted(found, key=lambda flaw: flaw.severity is Severity.ADVICE))


def _by_way(connection: Connection, around: Around) -> Iterator[Flaw]:
    match connection.way:
        case Way.FEDERATED:
            yield from refused(connection, around.principal)
            yield from retiring(connection, around.principal, around.now)
        case Way.SECRET:
            yield from _secret(connection, around)
        case Way.CERTIFICATE:
            yield advice(
                "certificate",
                "it signs in with a certificate, which ends one day and which Rekey doesn't renew",
                "Make a connection with workload identity federation in its place: only a secret can be converted.",
            )
        case Way.PUBLISH_PROFILE:
            yield advice(
                "publish-profile",
                "it signs in with a publish profile: a password of the web app that never ends by itself",
                "Make a connection with workload identity federation in its place; then reset the publish profile.",
            )


def _gone(connection: Connection, around: Around) -> Iterator[Flaw]:
    if around.principal and around.principal.standing is Standing.GONE:
        yield wrong(
            "application-gone",
            f"Entra knows nobody with the client id {connection.application}: it can't sign in",
            "Delete the connection if no pipeline needs it; else restore the application or name another.",
        )


def _secret(connection: Connection, around: Around) -> Iterator[Flaw]:
    ends, since = secret_ends(around), connection.changed or connection.created
    age = f" for {(around.now - since).days} days" if since else ""
    if ends and ends <= around.now:
        yield wrong(
            "secret-expired",
            f"every secret of its application has ended, the last on {ends:%Y-%m-%d}: it can't sign in",
            _instead(connection),
        )
    elif ends and not around.managed and ends - around.now < SOON:
        yield wrong(
            "secret-expires",
            f"the last secret of its application ends on {ends:%Y-%m-%d}",
            _instead(connection),
        )
    if around.managed:
        yield advice(
            "secret",
            f"it signs in with a secret, which Rekey rotates ({around.managed.vault}/{around.managed.secret})",
            f"Nothing has to be done; by workload identity federation it would need no secret at all: {PLAN}",
        )
    else:
        yield advice(
            "secret-by-hand",
            f"it has signed in with a secret{age} that Rekey doesn't look after",
            _instead(connection),
        )


def _instead(connection: Connection) -> str:
    if connection.automatic:
        return f"Convert it: its secret is Azure DevOps' own, Rekey can't rotate it. What that takes: {PLAN}"
    return f"Convert it, or have Rekey look after its secret. What converting takes: {PLAN}"


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
        yield wrong(
            "back-on-a-secret",
            f"it needed no secret before ({around.before}), and signs in with one ({connection.way}) now",
            f"Find out who changed it and why; convert it again: {_again(connection)}",
        )


def _again(connection: Connection) -> str:
    return federate(connection) if connection.way is Way.SECRET else "by hand, for Rekey converts secrets alone."


def _shared(connection: Connection, around: Around) -> Iterator[Flaw]:
    others = [p for p in connection.projects if p.lower() != connection.project.lower()]
    unknown = [p for p in others if p.lower() not in around.allowed]
    if len(others) < MANY and not unknown:
        return
    more = f", {len(unknown)} of them not in REKEY_SCOPES" if unknown else ""
    yield advice(
        "shared",
        f"{len(others)} other project{'' if len(others) == 1 else 's'} can use it{more}",
        "Give each project that needs it a connection of its own, with the rights that it needs.",
    )


def _unused(connection: Connection, around: Around) -> Iterator[Flaw]:
    since = connection.last_used or connection.created
    if connection.disabled or not connection.history_read or since is None or around.now - since < UNUSED:
        return
    said = f"since {since:%Y-%m-%d}" if connection.last_used else f"since it was made on {since:%Y-%m-%d}"
    yield advice("unused", f"no pipeline has used it {said}", "Delete it, and what its application may do.")


def _on_own_agents(connection: Connection) -> Iterator[Flaw]:
    """Say that it needn't have a key where every pipeline that used it lately runs on agents of your own."""
    if connection.way not in {Way.SECRET, Way.CERTIFICATE} or not connection.pools:
        return
    if any(pool.hosted for pool in connection.pools):
        return
    pools = ", ".join(shown(name) for name in sorted({pool.name for pool in connection.pools}))
    yield advice(
        "could-use-managed-identity",
        f"by their definitions all pipelines that used it lately run on agents of your own, in pool {pools}",
        "If these agents run on Azure, give them a managed identity and make a connection that signs in as it: best "
        "where one team has the pool for itself, for whatever runs there can be that identity. Else convert this one.",
    )
