"""Rule unexpected-reader: somebody got, or tried to get, a secret that only others are expected to read."""

from typing import ClassVar

from rekey.audit import first_party
from rekey.audit.access import Access
from rekey.audit.operations import OF_SECRETS, READS
from rekey.audit.ports import Known, Severity


class UnexpectedReader:
    """Expected are the ids on the secret's own list, else on the vault's; with neither, nobody is watched.

    A read is what Key Vault answered, or refused for want of rights. What failed otherwise tells nothing of the caller:
    a secret that is gone, for one, has lost its list.
    """

    id: ClassVar[str] = "unexpected-reader"
    severity: ClassVar[Severity] = Severity.HIGH
    explanation: ClassVar[str] = "A secret was read, or asked for, by somebody who is not among its expected readers."
    what_to_do: ClassVar[str] = (
        "Find out who uses that identity. If it may read the secret, add its application id to the tag rekey-readers, "
        "or for a person the object id, because an application such as the Azure CLI is everybody's; if not, take "
        "away the right to the vault and rotate the secret with reason leak."
    )

    def hit(self, access: Access, known: Known) -> bool:
        """Tell whether it was a read, and by none of those who are expected."""
        if not access.attempted() or known.is_own(access.caller):
            return False
        if known.closed:
            return access.operation.startswith(OF_SECRETS)
        return access.operation in READS and not _expected(access, known)


def _expected(access: Access, known: Known) -> bool:
    listed = known.secret(access.secret).readers
    readers = known.readers if listed is None else listed
    if readers is None or not readers.isdisjoint(access.caller.known_as()):
        return True
    return access.allowed() and access.caller.app_id in first_party.READERS
