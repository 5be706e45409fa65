"""Rule outside-rekey-change: somebody else changed a secret that Rekey rotates."""

from typing import ClassVar

from rekey.audit.access import Access
from rekey.audit.operations import CHANGES
from rekey.audit.ports import Known, Severity


class OutsideRekeyChange:
    """A new version, other properties or tags, an older copy put back: whatever Key Vault did for somebody else."""

    id: ClassVar[str] = "outside-rekey-change"
    severity: ClassVar[Severity] = Severity.MEDIUM
    explanation: ClassVar[str] = "A secret that Rekey rotates, or its tags, was changed by somebody else."
    what_to_do: ClassVar[str] = (
        "If that was on purpose, nothing: the newest version stays. If not, compare the secret's tags with what they "
        "should be, and rotate it with reason manual so that value and credential agree again."
    )

    def hit(self, access: Access, known: Known) -> bool:
        """Tell whether it changed a managed secret."""
        changed = access.operation in CHANGES and access.allowed()
        return changed and known.secret(access.secret).managed and not known.is_own(access.caller)
