"""Rule old-version-read: somebody still asks for a version by its id that a rotation has replaced."""

from typing import ClassVar

from rekey.audit.access import Access
from rekey.audit.operations import READS
from rekey.audit.ports import Known, Severity


class OldVersionRead:
    """Only where it is known which version is current and since when; a read that names none gets the current one."""

    id: ClassVar[str] = "old-version-read"
    severity: ClassVar[Severity] = Severity.MEDIUM
    explanation: ClassVar[str] = "A version that a rotation has replaced was read, or asked for, after the switch."
    what_to_do: ClassVar[str] = (
        "Let that application read the secret without a version, or the current one: the old credential stops working "
        "when the rotation's grace is over."
    )

    def hit(self, access: Access, known: Known) -> bool:
        """Tell whether it named another version than the current one after that was published."""
        watched = known.secret(access.secret)
        if access.operation not in READS or not access.attempted():
            return False
        if not watched.current or watched.switched is None or known.is_own(access.caller):
            return False
        return access.version not in {"", watched.current} and access.last > watched.switched
