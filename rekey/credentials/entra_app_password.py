"""Rotates a password of an Entra application (client secret): Graph issues it, the token endpoint proves it.

Source: https://learn.microsoft.com/graph/api/application-addpassword. The value is shown once; a new one is refused for
seconds to minutes with AADSTS7000215 while the directory replicates; the same code says for good that it is wrong.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import ClassVar

from azure.core.rest import AsyncHttpResponse, HttpRequest

from rekey import names
from rekey.azure_errors import of_status, retry_after, translated
from rekey.clients import Clients
from rekey.entra_advice import advice
from rekey.entra_graph import Application, EntraGraph, Password
from rekey.errors import InputError, NotYetError, PermanentError, ScopeError
from rekey.graph_errors import GRANT
from rekey.model import Facts, Rotation
from rekey.nightly_settings import GRAPH_WRITES
from rekey.ports import Held, Holdings, NewCredential, Past, Permission, Turn
from rekey.secret_value import SecretValue
from rekey.settings import GUID, Settings

POLICY_REMEMBERED = 3600.0
"""Seconds the tenant's app management policy is believed: one read an hour and process, not one per rotation."""

NOT_KNOWN_YET = 7000215
CLOCKS = timedelta(days=1)
"""How far a version's end date may be from its password's, when a password made by hand is recognised by both."""


class EntraAppPassword:
    """A password of the application with that client id."""

    permissions: ClassVar[tuple[Permission, ...]] = (
        Permission(
            "graph", "Application.ReadWrite.OwnedBy", "addPassword, removePassword on owned applications", GRANT
        ),
        Permission("graph", "Policy.Read.All", "clamping the lifetime to the tenant's policy (optional)", ""),
    )
    reveals_once: ClassVar[bool] = True
    never_ends: ClassVar[bool] = False
    writes: ClassVar[Mapping[str, int]] = MappingProxyType({GRAPH_WRITES: 2})  # addPassword, removePassword

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    @staticmethod
    def check_target(target: str, vault: str, settings: Settings) -> str:
        """Return the client id in lower case; InputError if it is no GUID, ScopeError if the vault may not name it."""
        if not GUID.fullmatch(target):
            raise InputError("application (client) id", target, "a GUID")
        if not settings.allows_application(vault, target):
            raise ScopeError("application (client) id", target, f"an application REKEY_SCOPES binds to vault {vault}")
        return target.lower()

    @staticmethod
    def targets(settings: Settings) -> Sequence[str]:
        """Return the client ids of all scopes, in lower case."""
        return sorted({client_id.lower() for scope in settings.scopes for client_id in scope.applications})

    async def holdings(self, target: str) -> Holdings:
        """Return all passwords of the application; `created` is when one begins to be valid, as Graph says no other."""
        application = await self._graph().application(target)
        return Holdings(
            target=target,
            object_id=application.object_id,
            owned=application.writable_by(await self._clients.caller("graph")),
            answered=application.answered,
            credentials=tuple(
                Held(key_id=p.key_id, label=p.label, created=p.start, expires=p.end) for p in application.passwords
            ),
        )

    async def discard(self, holdings: Holdings, key_id: str) -> None:
        """Remove that password from the application."""
        await self._graph().remove_password(holdings.object_id, key_id)

    async def inspect(self, rotation: Rotation, past: Past) -> Facts:
        """Check ownership, room and the tenant's policy; find out which password the current version holds."""
        application = await self._application(rotation)
        application.require_writable(await self._clients.caller("graph"), rotation.policy.credential.target)
        if application.room() == 0:
            raise PermanentError(
                "no-room",
                f"application {rotation.policy.credential.target} holds as many passwords as it may",
                "Remove a password of this application that nobody uses, then retry.",
            )
        longest, remark = await self._longest(application)
        old = _labelled(rotation, application, self._clients.settings.deployment)
        if old is None and rotation.policy.adopt:
            old = _adopted(rotation, application, await past.value())
        remarks = [remark] if remark else []
        if old is None:
            remarks.append(_LEFT_ALONE)
        return Facts(
            object_id=application.object_id,
            display_name=application.display_name,
            owners=tuple(mail for mail in application.owners.values() if mail),
            old_key_id=old.key_id if old else None,
            longest=longest,
            remarks=tuple(remarks),
        )

    async def generate(
        self,
        rotation: Rotation,
        label: str,
        expires: datetime,
        turn: Turn,  # noqa: ARG002 - what an attempt left is found by its label
    ) -> NewCredential:
        """Ask Graph for a password under `label`; UnclearError if it may have been made and its value is lost."""
        return await self._graph().add_password(rotation.object_id, label, expires)

    async def reveal(self, rotation: Rotation, key_id: str) -> SecretValue:
        """Refuse: Graph shows a password once."""
        raise PermanentError("shown-once", f"Graph doesn't show password {key_id} of {rotation.object_id} again")

    def published(self, rotation: Rotation, value: SecretValue, current: SecretValue) -> SecretValue:  # noqa: ARG002
        """Return the password as it is."""
        return value

    async def labelled(self, rotation: Rotation, label: str) -> Sequence[str]:
        """Return the key ids under `label`; Graph's reads lag its writes, so an empty answer proves little."""
        application = await self._application(rotation)
        return [p.key_id for p in application.labelled(label)]

    async def remove(self, rotation: Rotation, key_id: str) -> None:
        """Remove that password from the application."""
        await self._graph().remove_password(rotation.object_id, key_id)

    async def retire(self, rotation: Rotation, key_id: str, kept: str) -> None:  # noqa: ARG002 - both can be there
        """Remove the old password from the application."""
        await self.remove(rotation, key_id)

    async def verify(self, rotation: Rotation, value: SecretValue) -> None:
        """Sign in with the value once: NotYetError on AADSTS7000215, PermanentError on any other refusal."""
        settings = self._clients.settings
        request = HttpRequest(
            "POST",
            f"{settings.cloud.authority}/{settings.tenant_id}/oauth2/v2.0/token",
            data={
                "grant_type": "client_credentials",
                "client_id": rotation.policy.credential.target,
                "client_secret": value.reveal(),
                "scope": f"{settings.cloud.graph}/.default",
            },
        )
        with translated("Entra token endpoint"):
            response = await self._clients.authority().send_request(request)
        _judge_sign_in(response)

    def _graph(self) -> EntraGraph:
        return EntraGraph(self._clients.graph())

    async def _application(self, rotation: Rotation) -> Application:
        return await self._graph().application(rotation.policy.credential.target)

    async def _longest(self, application: Application) -> tuple[datetime | None, str]:
        try:
            rules = await self._clients.remember("password-rules", POLICY_REMEMBERED, self._graph().password_rules)
        except PermanentError as error:
            if error.code != "forbidden":
                raise
            return None, "The tenant's app management policy was not read (Policy.Read.All is not granted)."
        lifetime = application.longest(rules)
        return (datetime.now(UTC) + lifetime if lifetime else None), ""


_LEFT_ALONE = (
    "Rekey can't prove which password of the application the old version holds, so it leaves that one alone until it "
    "expires. Set the tag rekey-adopt=true to let Rekey recognise it by its first three characters and its dates."
)


def _labelled(rotation: Rotation, application: Application, deployment: str) -> Password | None:
    """A key id in a tag is believed only if the issuer's label agrees: tags are written by others."""
    claimed = names.label(deployment, rotation.tagged_rotation_id or "none")
    for password in application.labelled(claimed):
        if password.key_id == rotation.tagged_key_id:
            return password
    return None


def _adopted(rotation: Rotation, application: Application, current: SecretValue) -> Password | None:
    """Exactly one password must match the old value's hint and the version's end date."""
    matching = [
        p
        for p in application.passwords
        if p.hint == current.hint() and (rotation.expires is None or abs(p.end - rotation.expires) <= CLOCKS)
    ]
    return matching[0] if len(matching) == 1 else None


def _judge_sign_in(response: AsyncHttpResponse) -> None:
    if response.status_code == 200:
        return
    try:
        codes = [int(code) for code in response.json().get("error_codes", [])]
    except (ValueError, AttributeError):
        codes = []
    if NOT_KNOWN_YET in codes:
        raise NotYetError("not-known-yet", "Entra doesn't know the new password everywhere yet (AADSTS7000215)")
    code = f"AADSTS{codes[0]}" if codes else ""
    if response.status_code in {400, 401} and code:
        known = advice(code)
        what_to_do = f"{known.means}. {known.what_to_do}" if known else f"Look {code} up."
        raise PermanentError("sign-in-refused", f"Entra refuses the new password: {code}", what_to_do)
    raise of_status(
        response.status_code, "Entra token endpoint", service_code=code, retry_after=retry_after(response.headers)
    )
