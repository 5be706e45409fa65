"""How those who hold a copy that only people can change are spoken of: how theirs stands, how it is acknowledged."""

import re

from rekey.model import ConsumerResult, Notice, NoticeKind
from rekey.notices.wording import moment, noun

_FOR_A_SHELL = re.compile(r"[a-z][a-z0-9-]*:[A-Za-z0-9._@+-]+")
_ROTATION = re.compile(r"[0-9a-f-]{36}")


def state(kind: NoticeKind) -> str:
    """Return how such a consumer stands as long as it is not acknowledged."""
    match kind:
        case NoticeKind.STARTING:
            return "changed by hand: told in a mail of its own once the new one is out"
        case NoticeKind.DONE:
            return "changed by hand: never acknowledged"
        case _:
            return "changed by hand: not acknowledged yet"


def commands(notice: Notice) -> list[str]:
    """Return the commands that put down who has the new credential; none where a name could mean more to a shell."""
    if not _ROTATION.fullmatch(notice.rotation_id):
        return []
    plain = (c.uri for c in waiting(notice) if _FOR_A_SHELL.fullmatch(c.uri))
    return [f"python -m rekey acknowledge {notice.rotation_id} {uri}" for uri in plain]


def waiting(notice: Notice) -> list[ConsumerResult]:
    """Return the consumers that people have to change yet."""
    return [c for c in notice.consumers if c.by_hand and not c.confirmed_by]


def contacts(notice: Notice) -> str:
    """Return whom those who have acted tell."""
    return " or ".join(notice.contacts) or "the people you have this secret from"


def advice(notice: Notice) -> str:
    """Return in a sentence or two what a notice for those who have to act asks of them."""
    word, until = noun(notice), notice.old_valid_until
    before = f" before {moment(until)}" if until else ""
    return (
        f"You hold a copy that nobody but you can change: put the new {word} to use{before}, then say so to "
        f"{contacts(notice)}, who put that down. Read it by the secret's name from the vault {notice.vault}."
    )
