"""Tries a storage account's key by one signed call to its blob service, and knows what the refusals mean.

Source: https://learn.microsoft.com/rest/api/storageservices/common-rest-api-error-codes. The call reads the service's
properties: it needs no container and changes nothing.
"""

from typing import TYPE_CHECKING

from azure.core.exceptions import HttpResponseError

from rekey.azure_errors import translated
from rekey.errors import NotYetError, PermanentError

if TYPE_CHECKING:
    from rekey.clients import Clients
    from rekey.secret_value import SecretValue

KEYS_OFF = "KeyBasedAuthenticationNotPermitted"


async def signs(clients: "Clients", account: str, key: "SecretValue") -> bool:
    """Return True if the account takes the key, False if it takes none; NotYetError while it isn't known there."""
    where = f"blob service of {account}"
    with translated(where):
        try:
            await clients.signed_blobs(account, key).get_service_properties()
        except HttpResponseError as error:
            code = getattr(error.response, "headers", {}).get("x-ms-error-code", "")
            if error.status_code == 403 and code == KEYS_OFF:
                return False
            _judge(where, error.status_code, code)
            raise
    return True


def _judge(where: str, status: int | None, code: str) -> None:
    if status == 403 and code == "AuthenticationFailed":
        raise NotYetError("not-known-yet", f"{where}: the new key isn't known there yet ({code})") from None
    if status == 403 and code == "AuthorizationFailure":
        raise PermanentError(
            "network-refused",
            f"{where}: its network rules keep Rekey out ({code})",
            "Let Rekey's function app in: the account's Networking page (networkAcls: virtual network or IP rules, "
            "publicNetworkAccess), or a private endpoint that it can reach.",
        ) from None
