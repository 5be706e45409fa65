"""Has Entra trust what a connection presents: one federated credential, exact to the letter, made once.

A new one counts after minutes; the lists that are read here lag writes, too.
"""

from collections.abc import Sequence

from rekey.clients import Clients
from rekey.connections.found import FederatedCredential
from rekey.connections.reports import Reports
from rekey.errors import NotYetError, PermanentError
from rekey.federation.holders import MOST, holder_of, identity_of
from rekey.federation.presented import presented
from rekey.model.federation import Federation, Trust

READ_AGAIN = 3.0
"""Seconds after a write whose result isn't to be seen yet."""


async def trust(clients: Clients, federation: Federation) -> Trust:
    """Return the federated credential that fits what the connection presents, making it if there is none.

    One that fits is taken as it is, whoever made it; one that differs in case alone doesn't fit. NotYetError while
    another is being written, or this one isn't to be seen yet; PermanentError if there is no room for it.
    """
    holder = holder_of(clients, identity_of(federation))
    wanted = presented(federation, clients.settings)
    known = await holder.credentials()
    found = _fitting(known, wanted)
    if found is None:
        ours = any(one.name == wanted.name for one in known)
        await _require_fit(clients, known, wanted)
        await holder.put(wanted, known=ours)
        found = _fitting(await holder.credentials(), wanted)
    if found is None:
        raise NotYetError(
            "not-seen-yet", f"the new federated credential of {holder.principal} isn't listed yet", READ_AGAIN
        )
    return Trust(
        principal=holder.principal,
        name=found.name,
        issuer=found.issuer,
        subject=found.subject,
        made=found.name == wanted.name,
    )


def _fitting(known: Sequence[FederatedCredential], wanted: FederatedCredential) -> FederatedCredential | None:
    """Return the one that has issuer, subject and audience; ours before another's, for it is the one to withdraw."""
    fitting = [one for one in known if _pair(one) == _pair(wanted) and wanted.audiences[0] in one.audiences]
    return next((one for one in fitting if one.name == wanted.name), fitting[0] if fitting else None)


def _pair(one: FederatedCredential) -> tuple[str, str]:
    return one.issuer, one.subject


async def _require_fit(clients: Clients, known: Sequence[FederatedCredential], wanted: FederatedCredential) -> None:
    others = [one for one in known if one.name != wanted.name]
    same = [one for one in others if _pair(one) == _pair(wanted)]
    if same:
        raise PermanentError(
            "audience-differs",
            f"federated credential {same[0].name} has the connection's issuer and subject, and another audience",
            f"Give it the audience {wanted.audiences[0]}: two of the same issuer and subject can't be.",
        )
    if len(others) >= MOST and len(others) == len(known):
        raise await full(clients, known)


async def full(clients: Clients, known: Sequence[FederatedCredential]) -> PermanentError:
    """Return the refusal of one more federated credential; it names those that no connection is known to present."""
    report = await Reports(clients.container()).last()
    presented_by = {(row.issuer, row.subject) for row in report.rows} if report else set()
    idle = [one.name for one in known if _is_azure_devops(one) and _pair(one) not in presented_by]
    said = "Remove one that nobody presents any more."
    if report is None:
        said += " After an audit of the service connections Rekey can tell which."
    elif idle:
        said += f" No connection in the report of {report.at:%Y-%m-%d} presents: {', '.join(idle)}."
    return PermanentError(
        "no-room-for-trust", f"there are {len(known)} federated credentials already, and no more can be", said
    )


def _is_azure_devops(one: FederatedCredential) -> bool:
    """Tell whether it is for a connection: of other workloads no report knows."""
    return one.subject.startswith("sc://") or "/sc/" in one.subject
