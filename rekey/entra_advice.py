"""What a refused sign-in of a service connection means, and what to do: by Entra's code, else by what was said.

Codes: https://learn.microsoft.com/entra/identity-platform/reference-error-codes, those of federation:
https://learn.microsoft.com/azure/devops/pipelines/release/troubleshoot-workload-identity. What a service said may quote
anything, so that of all it says only the code is repeated.
"""

import re

import msgspec

_CODE = re.compile(r"AADSTS(\d{5,8})(?!\d)")
_COPY = (
    "Compare issuer and subject of the connection with the federated credentials of its application or managed "
    "identity, to the letter, and copy both from the connection."
)


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What a refusal means and what to do; `code` is Entra's, such as AADSTS70021, "" if it was told in words.

    `passes`: it may pass by itself, as after a change that hasn't got everywhere yet. `signed_in`: Entra took the
    connection for whom it says it is, and what refused it came after that.
    """

    means: str
    what_to_do: str
    code: str = ""
    passes: bool = False
    signed_in: bool = False

    def __str__(self) -> str:
        """Say it in a sentence or two."""
        return f"{self.means}{f' ({self.code})' if self.code else ''}. {self.what_to_do}"


_BY_CODE = {
    70021: Advice(
        means="Entra knows no federated credential with the issuer, subject and audience that the connection presents",
        what_to_do=f"{_COPY} A new federated credential takes minutes to be known everywhere.",
        passes=True,
    ),
    700211: Advice(
        means="no federated credential has the issuer that the connection presents", what_to_do=_COPY, passes=True
    ),
    700212: Advice(
        means="the federated credential that fits has another audience than the connection's tokens",
        what_to_do="Give that federated credential the audience api://AzureADTokenExchange (in the public cloud).",
        passes=True,
    ),
    700213: Advice(
        means="no federated credential has the subject that the connection presents, as after it was renamed",
        what_to_do=_COPY,
        passes=True,
    ),
    7002138: Advice(
        means="a federated credential's subject differs from the connection's in upper and lower case alone",
        what_to_do=f"Entra compares to the letter. {_COPY}",
        passes=True,
    ),
    70025: Advice(
        means="the application or managed identity has no federated credential at all", what_to_do=_COPY, passes=True
    ),
    700024: Advice(
        means="the token that the connection presented was too old, or not valid yet",
        what_to_do=(
            "Set the clock of the self-hosted agent (NTP). In a task that runs for long the token has ended meanwhile: "
            "move what needs Azure to its beginning, or use a managed identity, whose tokens last for a day."
        ),
        passes=True,
    ),
    70052: Advice(
        means="the application is open to other tenants, and may not be signed in to with a token that Entra issued",
        what_to_do=(
            "Set its supported account types to this tenant only (signInAudience AzureADMyOrg), or use an application "
            "of one tenant or a managed identity."
        ),
    ),
    700016: Advice(
        means="the tenant knows nobody with the connection's client id",
        what_to_do=(
            "Check client id and tenant id of the connection. An application that was deleted can be restored for "
            "30 days."
        ),
        passes=True,
    ),
    7000215: Advice(
        means="the secret that was presented is none of the application's, or not known everywhere yet",
        what_to_do=(
            "Give the connection the application's present secret, the value and not its id; or convert it to workload "
            "identity federation, where there is none."
        ),
        passes=True,
    ),
    7000222: Advice(
        means="the secret that was presented has ended",
        what_to_do=(
            "Give the connection a new secret; or convert it to workload identity federation, where there is none."
        ),
    ),
    7000229: Advice(
        means="the application has no service principal in the tenant, so that nobody can sign in as it there",
        what_to_do="Make one: az ad sp create --id <client id>.",
        passes=True,
    ),
}

_BY_WORDS = (
    (
        ("does not have authorization", "authorizationfailed"),
        Advice(
            means="the sign-in works, and who signed in has no role on what it asked for",
            what_to_do=(
                "Give the connection's application or managed identity the role that it needs, where it needs it (az "
                "role assignment create). A new role counts after some minutes."
            ),
            passes=True,
            signed_in=True,
        ),
    ),
    (
        ("serviceconnectionid is malformed", "connection does not exist"),
        Advice(
            means="the project has no connection of that name or id",
            what_to_do=(
                "Check the name that the pipeline uses; share the connection with the project (the connection, "
                "Security, Project permissions)."
            ),
        ),
    ),
    (
        ("unable to access service connection",),
        Advice(
            means="the run may not use the connection, or not yet",
            what_to_do=(
                "Look whether the run waits for an approval or check, of the connection or of an environment; else "
                "permit the pipeline (the connection, Security, Pipeline permissions)."
            ),
        ),
    ),
)


def code_of(text: str) -> str:
    """Return Entra's code of what was said, "" if there is none."""
    found = _CODE.search(text)
    return found.group() if found else ""


def advice(text: str) -> Advice | None:
    """Return what there is to say to a refusal; None if nothing is known of it. `text` itself is never repeated."""
    if found := _CODE.search(text):
        known = _BY_CODE.get(int(found[1]))
        return msgspec.structs.replace(known, code=found.group()) if known else None
    said = text.lower()
    return next((one for words, one in _BY_WORDS if any(word in said for word in words)), None)


def explained(text: str) -> str:
    """Return a refusal in words, beginning after a colon or dash; of what isn't known only Entra's code."""
    known = advice(text)
    return str(known) if known else code_of(text)
