"""What is wrong with a secret by its properties alone, and what is to be done about it. Never a value."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rekey.inventory import Care, Item
from rekey.model import Finding
from rekey.policy import PolicyError, Untagged, read_policy, written_ids
from rekey.reconcile.memory import Due, Reference, hashed
from rekey.settings import Settings

if TYPE_CHECKING:
    from rekey.vault import Version

SWEPT = timedelta(days=1)
"""How long the nightly sweep may take to start what is due."""


def findings(item: Item) -> Iterator[Finding]:
    """Yield what the newest version of one secret has that it shouldn't, or hasn't."""
    where = {"vault": item.vault, "secret": item.secret}
    if item.care is Care.BAD_POLICY:
        yield Finding(
            code="bad-policy",
            message=f"is not rotated: {item.why}",
            what_to_do="Check the tags with: python -m rekey check-tags",
            **where,
        )
    if item.care is not Care.MANAGED:
        return
    if not item.enabled:
        yield Finding(
            code="newest-version-disabled",
            message="has a policy, but its newest version is disabled: it can't be read, and is not rotated",
            what_to_do="Enable the version, or remove the policy's tags from it if the secret is not used any more.",
            **where,
        )
    if item.expires is None and not (item.policy and item.policy.by_age):
        yield Finding(
            code="no-expiry",
            message="has a policy, but no expiry date: nothing says when it is due",
            what_to_do="Rotate it once by hand (POST /api/rotations): the new version gets its expiry date.",
            **where,
        )


def reference(item: Item) -> Reference | None:
    """Return which credential the newest version claims to hold, None if it claims none."""
    key_id, rotation_id = written_ids(item.tags)
    if not key_id and not rotation_id:
        return None
    credential = item.policy.credential if item.policy else None
    return Reference(
        vault=item.vault,
        secret=item.secret,
        key=hashed(key_id),
        rotation_id=rotation_id or "",
        created=item.created,
        expires=item.expires,
        kind=credential.kind if credential else "",
        target=credential.target if credential else "",
    )


def due(item: Item, now: datetime) -> Due | None:
    """Return the secret if it is due for longer than the nightly sweep needs."""
    if not item.is_due or item.due_from is None or now - item.due_from < SWEPT:
        return None
    return Due(vault=item.vault, secret=item.secret, since=item.due_from, why=item.why)


def had_policy(vault: str, versions: Sequence["Version"], newest: datetime, settings: Settings) -> bool:
    """Tell whether a version before the newest one had a policy, be it a bad one."""
    return any(_has_policy(vault, version.tags, settings) for version in versions if version.created < newest)


def lost_policy(vault: str, secret: str) -> Finding:
    """Return what is told of a secret whose newest version has no policy although an earlier one had."""
    return Finding(
        code="policy-lost",
        message="is not rotated any more: its newest version has no policy, an earlier one had",
        what_to_do="`az keyvault secret set` without --tags drops them. Put them on the newest version again: "
        "az keyvault secret set-attributes --vault-name <vault> --name <secret> --tags ... If that was on purpose, "
        "remove the policy's tags from the earlier versions too.",
        vault=vault,
        secret=secret,
    )


def _has_policy(vault: str, tags: Mapping[str, str], settings: Settings) -> bool:
    try:
        read_policy(vault, tags, settings)
    except Untagged:
        return False
    except PolicyError:
        return True
    return True
