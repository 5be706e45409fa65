"""What a connection presents to Entra, and whether that is what Azure DevOps says of it, and nobody else can.

Issuer and subject are read from the connection, which people edit who must not choose whom an application trusts: a
token of another issuer, or of somebody else in the tenant, would open it to them.
https://learn.microsoft.com/azure/devops/pipelines/release/troubleshoot-workload-identity has both forms.
"""

import re

from rekey.connections.federation import OLD_ISSUER
from rekey.connections.flaws import shown
from rekey.connections.found import FederatedCredential
from rekey.errors import PermanentError
from rekey.federation.holders import credential_name
from rekey.model.federation import Federation
from rekey.settings import GUID, Settings

_ORGANIZATIONS = re.compile(rf"{re.escape(OLD_ISSUER)}{GUID.pattern}", re.IGNORECASE)
_PUBLIC = "https://login.microsoftonline.com"
"""Whose issuer Azure DevOps' tokens have, whichever cloud they are for."""


def presented(federation: Federation, settings: Settings) -> FederatedCredential:
    """Return the federated credential that the connection needs; PermanentError if it presents none, or another's."""
    found = shown_by(federation)
    if found is None:
        raise PermanentError(
            "no-issuer",
            "the connection shows neither issuer nor subject, which Entra has to know it by",
            "Open the connection in Azure DevOps (Project settings, Service connections, Edit): it shows both.",
        )
    issuer, subject, endpoint = found
    if not (_by_names(federation, issuer, subject) or _by_ids(settings, issuer, subject, endpoint)):
        raise PermanentError(
            "foreign-subject",
            f"the connection presents issuer {shown(issuer)} and subject {shown(subject)}, which are not what Azure "
            "DevOps says of this connection",
            "Find out who changed the connection, and make a new one in its place.",
        )
    audience = settings.cloud.exchange_audience
    return FederatedCredential(issuer=issuer, subject=subject, audiences=(audience,), name=credential_name(federation))


def shown_by(federation: Federation) -> tuple[str, str, str] | None:
    """Return issuer, subject and the connection's id: as it is since it was converted or made, else as before."""
    for one in (federation.new, federation.old):
        if one and one.issuer and one.subject:
            return one.issuer, one.subject, one.id
    return None


def _by_names(federation: Federation, issuer: str, subject: str) -> bool:
    """Tell whether it is the older form: Azure DevOps' own issuer, and names, which change with a renaming."""
    of = f"sc://{federation.organization}/".lower()
    return bool(_ORGANIZATIONS.fullmatch(issuer)) and subject.lower().startswith(of)


def _by_ids(settings: Settings, issuer: str, subject: str, endpoint: str) -> bool:
    """Tell whether it is the newer form: Entra's issuer, and ids, this connection's last."""
    authorities = {_PUBLIC, settings.cloud.authority}
    issuers = {f"{authority}/{settings.tenant_id}/v2.0".lower() for authority in authorities}
    return issuer.lower() in issuers and bool(
        re.fullmatch(rf"/.+/sc/{GUID.pattern}/{re.escape(endpoint)}", subject, re.IGNORECASE)
    )
