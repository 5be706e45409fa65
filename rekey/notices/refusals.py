"""What becomes of a notice that somebody can never be sent: set aside, and the operators hear of the address once."""

from typing import TYPE_CHECKING

from rekey.model import Finding, Notice, NoticeKind
from rekey.notices.identity import digest_id
from rekey.notices.outbox import DIGEST, SET_ASIDE, Outbox, Waiting
from rekey.notices.recipients import distinct
from rekey.notices.told import Told

if TYPE_CHECKING:
    from azure.storage.blob.aio import ContainerClient

    from rekey.settings import Settings

CODE = "mail-refused"


class Refusals:
    """Sets aside what can't be delivered; errors: NotYetError, PermanentError."""

    def __init__(self, container: "ContainerClient", settings: "Settings") -> None:
        self._outbox = Outbox(container)
        self._told = Told(container)
        self._operators = settings.operators

    async def take(self, waiting: Waiting, refused: tuple[str, ...], why: str) -> None:
        """Set the notice aside for these, tell the operators, and let it wait no longer. Repeating it does no harm."""
        if not refused:
            return
        await self._outbox.set_aside(waiting, refused)
        for address in refused:
            await self._tell(address, waiting, why)
        await self._outbox.settle(waiting, refused)

    async def _tell(self, address: str, waiting: Waiting, why: str) -> None:
        key = f"{CODE} {address}".lower()
        others = tuple(o for o in distinct(self._operators) if o.lower() != address.lower())
        # An operator who can't be told that an operator can't be told ends this here.
        if others and not await self._told.before(key):
            await self._outbox.put(_notice(address, waiting, why, others), DIGEST)
            await self._told.first_time(key)


def _notice(address: str, waiting: Waiting, why: str, operators: tuple[str, ...]) -> Notice:
    finding = Finding(
        code=CODE,
        vault=waiting.notice.vault,
        secret=waiting.notice.secret,
        subject=address,
        message=f"{why} What was to be told is kept in the container, under {SET_ASIDE}; so is what comes later.",
        what_to_do="Correct the address in rekey-owners, rekey-notify or rekey-consumer-1 to -8, or with the "
        "application's owners.",
    )
    return Notice(
        kind=NoticeKind.DIGEST,
        rotation_id=digest_id(address, [CODE]),
        vault="",
        secret="",
        to=operators,
        findings=(finding,),
    )
