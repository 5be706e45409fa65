"""Knows of secrets that nobody needs any more: whose last rotation found that, and which password of theirs is gone.

Their newest version stays due for ever, and names a password that its issuer doesn't have: neither is news.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from rekey.model import NOTHING_LEFT
from rekey.notices.told import Told
from rekey.reconcile.memory import hashed
from rekey.records import Summary

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

LATELY = timedelta(days=3)
"""How old that finding may be: the nightly sweep makes it anew, for a consumer may be back on a key."""


def lately(summaries: Iterable[Summary], now: datetime) -> frozenset[tuple[str, str]]:
    """Return vault and secret, lower case, of those whose last rotation found it lately; `summaries`: newest first."""
    found = _found(summaries).items()
    return frozenset(secret for secret, one in found if now - datetime.fromisoformat(one.opened) < LATELY)


def ever(summaries: Iterable[Summary], vault: str, secret: str) -> bool:
    """Tell whether the last rotation of that secret found it, however long ago."""
    return (vault.lower(), secret.lower()) in _found(summaries)


def _found(summaries: Iterable[Summary]) -> dict[tuple[str, str], Summary]:
    last: dict[tuple[str, str], Summary] = {}
    for summary in summaries:
        last.setdefault((summary.vault.lower(), summary.secret.lower()), summary)
    return {secret: one for secret, one in last.items() if one.result == NOTHING_LEFT}


async def remember_gone(container: "ContainerClient", vault: str, secret: str, key_id: str) -> None:
    """Remember that this credential of the secret was retired without a successor, and that this was told."""
    await Told(container).first_time(_gone(vault, secret, hashed(key_id)))


async def is_gone(container: "ContainerClient", vault: str, secret: str, key: str) -> bool:
    """Tell whether the credential with that hashed id was retired without a successor."""
    return await Told(container).before(_gone(vault, secret, key))


def _gone(vault: str, secret: str, key: str) -> str:
    return f"retired for good {vault} {secret} {key}".lower()
