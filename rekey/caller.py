"""Who the app is to a service, as its own access token says."""

import base64
from typing import Self

import msgspec


class Caller(msgspec.Struct, frozen=True):
    """The app's own identity, as its token has it: object id and granted application roles."""

    object_id: str = msgspec.field(name="oid", default="")
    app_roles: tuple[str, ...] = msgspec.field(name="roles", default=())

    @classmethod
    def of(cls, token: str) -> Self:
        """Return whom a token speaks for; nobody, if it isn't a JSON Web Token."""
        payload = token.split(".")[1] if token.count(".") == 2 else ""
        try:
            return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=cls)
        except (ValueError, msgspec.DecodeError):
            return cls()
