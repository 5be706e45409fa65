"""Which requests a rotation makes: the places at which a request can be lost, refused or torn from its answer."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """Requests of one kind; `skip` of those before pass. `repeatable`: asking twice is the same as asking once."""

    service: str
    method: str
    path: str
    skip: int = 0
    repeatable: bool = True


SECRET = "/secrets/deploy-[0-9a-f]+"
TENANT = "/[0-9a-f]{8}-[0-9a-f-]+"
"""Lower case, as the app writes it: other people's sign-ins are left alone."""

REQUESTS = {
    "read the current version": Request("keyvault", "GET", f"{SECRET}/$"),
    "prove the right to write": Request("keyvault", "PATCH", SECRET),
    "look at the application": Request("graph", "GET", "/applications"),
    "read the tenant's policy": Request("graph", "GET", "/policies/"),
    "read the old value": Request("keyvault", "GET", f"{SECRET}/[0-9a-f]+$"),
    "find the connection": Request("azuredevops", "GET", "/endpoints$"),
    "ask for the permission": Request("azuredevops", "GET", "/permissions/"),
    "send a mail": Request("email", "POST", "emails:send"),
    "add the password": Request("graph", "POST", "addPassword", repeatable=False),
    "stage, asking how to sign in": Request("keyvault", "PUT", "/secrets/staged-", repeatable=False),
    "stage the value": Request("keyvault", "PUT", "/secrets/staged-", 1, repeatable=False),
    "read the staged value": Request("keyvault", "GET", "/secrets/staged-"),
    "sign in": Request("entra", "POST", f"{TENANT}/oauth2/"),
    "read before publishing": Request("keyvault", "GET", f"{SECRET}/$", 2),
    "publish": Request("keyvault", "PUT", SECRET, repeatable=False),
    "read back": Request("keyvault", "GET", f"{SECRET}/$", 3),
    "delete the staged value": Request("keyvault", "DELETE", "/secrets/staged-"),
    "purge the staged value": Request("keyvault", "DELETE", "/deletedsecrets/staged-"),
    "disable the old version": Request("keyvault", "PATCH", SECRET, 1),
    "read the published value": Request("keyvault", "GET", f"{SECRET}/[0-9a-f]+$", 1),
    "read the connection": Request("azuredevops", "GET", "/endpoints/[0-9a-f-]+$"),
    "write the connection": Request("azuredevops", "PUT", "/endpoints/"),
    "test the connection": Request("azuredevops", "POST", "/endpointproxy"),
    "tell the switch": Request("email", "POST", "emails:send", 1),
    "look for leftovers": Request("graph", "GET", "/applications", 1),
    "remove the old password": Request("graph", "POST", "removePassword"),
    "tell the end": Request("email", "POST", "emails:send", 2),
}
"""The requests of a rotation by what they are for, in order of their first appearance."""

REPEATABLE = tuple(request for request in REQUESTS.values() if request.repeatable and not request.skip)
"""The kinds of requests that may be repeated, each once."""
