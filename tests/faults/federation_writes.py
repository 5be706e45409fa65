"""Which requests of a federation change something: the places at which what was done can be lost with its answer."""

from tests.faults.walking import Request

_IDENTITY = "/userAssignedIdentities/[^/]+"

CHANGES = {
    "tell": Request("email", "POST", "emails:send"),
    "trust, in Entra": Request("graph", "POST", "/federatedIdentityCredentials"),
    "trust, on an identity": Request("arm", "PUT", "/federatedIdentityCredentials/"),
    "convert": Request("azuredevops", "PUT", "/endpoints/", repeatable=False),
    "convert again": Request("azuredevops", "PUT", "/endpoints/", 1, repeatable=False),
    "make the identity": Request("arm", "PUT", f"{_IDENTITY}$"),
    "make the connection": Request("azuredevops", "POST", "/endpoints$", repeatable=False),
    "grant the role": Request("arm", "PUT", "/roleAssignments/"),
    "prove": Request("azuredevops", "POST", "/endpointproxy"),
    "copy a check": Request("azuredevops", "POST", "/checks/configurations$", repeatable=False),
    "copy the permissions": Request("azuredevops", "PATCH", "/pipelinepermissions/"),
    "delete a connection": Request("azuredevops", "DELETE", "/endpoints/"),
    "convert back": Request("azuredevops", "PUT", "/endpoints/", 1, repeatable=False),
    "trust no more, in Entra": Request("graph", "DELETE", "/federatedIdentityCredentials/"),
    "trust no more, on an identity": Request("arm", "DELETE", "/federatedIdentityCredentials/"),
    "take the role back": Request("arm", "DELETE", "/roleAssignments/"),
    "delete the identity": Request("arm", "DELETE", f"{_IDENTITY}$"),
}
"""The requests by what they are for."""

_NEW = ("tell", "make the connection", "prove", "copy a check", "copy the permissions", "delete a connection")

FORWARD: dict[str, tuple[str, ...]] = {
    "in place": ("tell", "trust, in Entra", "convert", "prove"),
    "in place, refused first": ("convert", "trust, in Entra", "convert again", "prove"),
    "repair": ("tell", "trust, in Entra", "prove"),
    "side by side": (*_NEW, "trust, in Entra"),
    "side by side, another identity": (*_NEW, "trust, on an identity", "grant the role"),
    "vend": (
        "tell",
        "make the identity",
        "make the connection",
        "trust, on an identity",
        "grant the role",
        "prove",
    ),
}
"""What each way changes until its end."""

BACK: dict[str, tuple[str, ...]] = {
    "in place": ("convert back", "trust no more, in Entra"),
    "side by side": ("delete a connection", "trust no more, in Entra"),
    "side by side, another identity": (
        "delete a connection",
        "trust no more, on an identity",
        "take the role back",
    ),
}
"""What each way changes when it is reverted after its proof."""

UNDONE = ("delete a connection", "take the role back", "delete the identity")
"""What is changed when a vended connection never signs in: the identity's credentials go with it."""
