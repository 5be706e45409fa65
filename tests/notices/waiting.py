"""Makes notices that wait, for the tests of what becomes of them."""

from datetime import UTC, datetime
from typing import Any

from rekey.model import CredentialRef, Notice, NoticeKind
from rekey.notices.identity import notice_id
from rekey.notices.outbox import Waiting

ANN, BOB, CEM = "ann@contoso.example", "bob@contoso.example", "cem@contoso.example"
SINCE = datetime(2026, 11, 21, tzinfo=UTC)


def notice(secret: str, kind: NoticeKind = NoticeKind.STARTING, to: tuple[str, ...] = (ANN,), **more: Any) -> Notice:
    """Return a notice about that secret; each secret has one rotation."""
    about = {"rotation_id": f"r-{secret}", "vault": "kv-shop", "secret": secret}
    credential = CredentialRef("entra-app-password", "9d4b7e9e-6b0c-4b52-9a3f-0d1f5f6a7c20")
    return Notice(kind=kind, to=to, **{"credential": credential, **about, **more})


def waiting(one: Notice) -> Waiting:
    """Return it as the outbox would."""
    return Waiting(id=str(notice_id(one, one.to)), notice=one, reason="digest", since=SINCE)
