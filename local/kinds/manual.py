"""Somebody outside who holds a copy and changes it by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from local.company import Company
from local.kinds.copy import Copy
from local.kinds.ports import Credential, Judgements, Seed
from rekey import names
from rekey.model import DecisionKind

if TYPE_CHECKING:
    from local.answer import Answer
    from local.onlooker import Onlooker
    from local.seen import Seen
    from local.stack import Stack


@dataclass(frozen=True)
class Manual(Copy):
    """One person, who acts as soon as the mail is there, and says so to somebody who may put that down."""

    part: ClassVar[str] = "by hand"

    mail: str = "grace@contoso.example"

    def uri(self) -> str:
        """Return its normal form."""
        return f"manual:{self.mail}"

    def shown(self) -> str:
        """Say who it is."""
        return f"{self.mail}, who changes a copy that nobody else can"

    def seed(self, value: Any, canary: str) -> Seed:  # noqa: ARG002 - no service knows of it
        """Return nothing: there is nothing of it in Azure."""
        return {}

    def scope(self) -> dict[str, Any]:
        """Return nothing: settings allow mail to the whole company."""
        return {}

    def third_parties(self) -> Sequence[str]:
        """Return who it is."""
        return (self.mail,)

    def held(self, company: Company) -> str | None:  # noqa: ARG002 - the port's signature
        """Return none: nobody but them knows."""
        return None

    def tried(self, onlooker: "Onlooker", company: Company, credential: Credential) -> "Answer | None":  # noqa: ARG002 - the port's signature
        """Return nothing: nobody but them can."""
        return None

    def may_change(self) -> Iterator[str]:
        """Yield nothing."""
        yield from ()

    def judgements(self) -> Judgements:
        """It was put down, before the old credential went, that they have the new one."""
        return {"it was acknowledged that they have it": self._acknowledged}

    def updated(self) -> str:
        """Say nothing: the app never does."""
        raise NotImplementedError

    def witnessed(self, answer: "Answer", *, same: bool) -> str:
        """Say nothing: nothing is tried."""
        raise NotImplementedError

    def acts(self, stack: "Stack", rotation_id: str, told: Sequence[str]) -> str:
        """Have it acknowledged over the operator API, once the mail is there."""
        if self.mail not in told:
            return ""
        path = f"/api/rotations/{rotation_id}/{DecisionKind.ACKNOWLEDGE}"
        status, answer = stack.call("POST", path, {"consumer": self.uri()})
        if status != HTTPStatus.OK:
            raise OSError(f"POST {path}: got {status}, expected {HTTPStatus.OK:d}: {answer}")
        return f"{self.mail} uses the new one and says so: POST /api/rotations/<id>/acknowledge (HTTP {status})"

    def _acknowledged(self, seen: "Seen") -> tuple[bool, str]:
        about = (DecisionKind.ACKNOWLEDGE, self.uri())
        at = [d.at for record in seen.records for d in record.decisions if (d.kind, d.subject) == about]
        gone = [e.at for record in seen.records for e in record.entries if e.step == names.RETIRE_OLD_CREDENTIAL]
        told = f"acknowledged at {_moments(at)}; the old one was retired at {_moments(gone)}"
        return len(at) == 1 and bool(gone) and max(at) < min(gone), told


def _moments(moments: Sequence[datetime]) -> str:
    return ", ".join(f"{moment:%H:%M:%S}" for moment in moments) or "no time"
