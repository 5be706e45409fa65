"""Rule sensitive-operation: something was done that takes secrets away, copies them or opens the vault to others."""

from typing import ClassVar

from rekey.audit.access import Access
from rekey.audit.operations import REMOVALS, SENSITIVE
from rekey.audit.ports import Known, Severity


class SensitiveOperation:
    """Whoever does it, for it is rare: of all these, Rekey itself only removes what it has staged in its own vault.

    An attempt that was refused counts: nobody tries these by chance.
    """

    id: ClassVar[str] = "sensitive-operation"
    severity: ClassVar[Severity] = Severity.HIGH
    explanation: ClassVar[str] = (
        "Something was deleted, purged or backed up, or the vault itself was changed: its access policies, its "
        "firewall, its protection against deletion."
    )
    what_to_do: ClassVar[str] = (
        "If nobody planned this, undo it: recover what was deleted, put the vault's settings back, take away the "
        "caller's right, and rotate with reason leak what may have been copied."
    )

    def hit(self, access: Access, known: Known) -> bool:
        """Tell whether it was one of these, tried or done."""
        if access.operation not in SENSITIVE or not access.attempted():
            return False
        return not (known.closed and access.operation in REMOVALS and known.is_own(access.caller))
