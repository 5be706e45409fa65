"""What the nightly check says of audit logs: whose isn't there, which isn't read, in which something is unreadable."""

from datetime import datetime, timedelta

from rekey import names
from rekey.model import Finding
from rekey.model.audit import Place, Trouble

LATE = timedelta(hours=2)
"""A log is read every few minutes; so long without getting to its end is no bad moment."""


def is_late(passed: datetime | None, now: datetime) -> bool:
    """Tell whether it is too long ago that a log was read to its end."""
    return passed is None or now - passed > LATE


def unlisted(trouble: Trouble) -> Finding:
    """Say why one of several accounts could not be looked through: whose logs are there nobody knows."""
    return Finding(code="audit-logs-unlisted", message=trouble.message, what_to_do=trouble.what_to_do)


def missing(vault: str) -> Finding:
    """Say that a vault has no log anywhere."""
    return Finding(
        code="audit-log-missing",
        message="it has no audit log in the storage accounts of REKEY_AUDIT_STORAGE: nobody knows who reads it",
        what_to_do="Add a diagnostic setting to the vault that sends its AuditEvent logs to one of these accounts.",
        vault=vault,
    )


def unread(place: Place, passed: datetime | None) -> Finding:
    """Say since when a log wasn't read to its end."""
    since = f"since {passed:%Y-%m-%d %H:%M} UTC" if passed else "ever"
    return Finding(
        code="audit-log-unread",
        message=f"its audit log was not read to its end {since}",
        what_to_do=f"Look at the instance {names.WATCH_VAULT_ACCESS}: its result says what failed and what to do.",
        vault=place.vault,
        subject=f"account {place.account} of REKEY_AUDIT_STORAGE",
    )


def silent(vault: str) -> Finding:
    """Say that a log has stopped: Rekey itself looks at each vault every night, which leaves a trace in any log."""
    return Finding(
        code="audit-log-silent",
        message="its audit log has had nothing for a day, not even what Rekey itself did: nobody knows who reads it",
        what_to_do="Check whether the vault's diagnostic setting still sends its AuditEvent logs to the account.",
        vault=vault,
    )


def unreadable(vault: str, turns: int) -> Finding:
    """Say where that is which could not be read."""
    return Finding(
        code="audit-lines-unreadable",
        message=f"lines of its audit log could not be read: {turns} blobs below audit/unreadable/{vault}/ have them",
        what_to_do="Look at these blobs in Rekey's container, then delete them: that ends this finding.",
        vault=vault,
    )
