"""What a hit of each rule means to people, also of what is noticed without a rule."""

import msgspec

from rekey.audit.ports import Severity

LOG_CHANGED = "log-changed"
"""A log that was read is shorter now, or another one: nobody but Azure Monitor should write there."""


class Meaning(msgspec.Struct, frozen=True):
    """How bad a hit is, what it means, and what to do: sentences that only Rekey's own code writes."""

    severity: Severity
    explanation: str
    what_to_do: str


_CHANGED = Meaning(
    Severity.HIGH,
    "A part of the vault's audit log that was read already was replaced or cut short.",
    "Find out who may write to the storage account of the audit logs: nobody but Azure Monitor should. What the log"
    " says of that hour may not be complete; it was read again from its beginning.",
)


def meaning(rule: str) -> Meaning:
    """Return what a hit of that rule means; of a rule that is no more, that it was one."""
    from rekey.registry import AUDIT_RULES, audit_rule

    if rule == LOG_CHANGED:
        return _CHANGED
    if rule not in AUDIT_RULES:  # counted by an earlier version, told by this one
        return Meaning(Severity.MEDIUM, f"A rule hit that Rekey no longer has: {rule}.", "Look at who it was, and why.")
    found = audit_rule(rule)
    return Meaning(found.severity, found.explanation, found.what_to_do)
