"""Asks every rule about every access."""

from collections.abc import Sequence

from rekey.audit.access import Access
from rekey.audit.ports import Hit, Known, Rule


def judge(accesses: Sequence[Access], known: Known, rules: Sequence[Rule]) -> list[Hit]:
    """Return what people are to be told, with the owners of the secret each concerns."""
    return [
        Hit(rule=rule.id, access=access, owners=known.secret(access.secret).owners)
        for access in accesses
        for rule in rules
        if rule.hit(access, known)
    ]
