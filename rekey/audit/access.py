"""What somebody did in a vault, as its audit log has it, in the form that rules judge and readers are learned from."""

from datetime import datetime

import msgspec

CHALLENGED = 401
FORBIDDEN = 403


class Caller(msgspec.Struct, frozen=True):
    """Who it was: application (client) id, object id, both lower case; a person's sign-in name where there is one."""

    app_id: str = ""
    object_id: str = ""
    name: str = ""

    def known_as(self) -> frozenset[str]:
        """Return the ids that a list of readers may have this caller under."""
        return frozenset(filter(None, (self.app_id, self.object_id)))


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """The same thing done by the same caller from the same address within one minute, `times` times.

    `vault`, `secret` and `version` are lower case; `secret` is "" for what is about the vault, `version` is "" for what
    named none. `operation` is Key Vault's own name of it (SecretGet, SecretSet, VaultPatch, ...), `status` the HTTP
    status. `disabled`: it was refused because that version is disabled, which a reader with the right to read sees.
    """

    vault: str
    operation: str
    status: int
    caller: Caller
    first: datetime
    last: datetime
    secret: str = ""
    version: str = ""
    address: str = ""
    times: int = 1
    disabled: bool = False

    def allowed(self) -> bool:
        """Tell whether Key Vault did what was asked."""
        return self.status < 400

    def attempted(self) -> bool:
        """Tell whether Key Vault did it, or refused it for want of rights; what failed otherwise tells nothing."""
        return self.allowed() or self.status == FORBIDDEN
