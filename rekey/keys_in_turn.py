"""What every kind shares whose issuer has a fixed number of keys that are made anew in turn, such as two of an account.

No such key can be made and forgotten: making one anew takes the place of another, and whatever an attempt left behind
is still one of them. So there is nothing to label, to undo or to look for at night; what there is to get wrong instead
is making the one anew that is in use, which a kind rules out by the creation time in the key's id.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar

from rekey.model import Rotation
from rekey.ports import Holdings
from rekey.settings import Settings


class KeysInTurn:
    """The verbs that have nothing to do for such a kind."""

    reveals_once: ClassVar[bool] = False
    never_ends: ClassVar[bool] = True
    writes: ClassVar[Mapping[str, int]] = MappingProxyType({})

    @staticmethod
    def targets(settings: Settings) -> Sequence[str]:  # noqa: ARG004 - the port's signature
        """Return none: nothing can be left behind there."""
        return ()

    async def holdings(self, target: str) -> Holdings:
        """Return that nothing could have been forgotten."""
        return Holdings(target=target, object_id=target, owned=False, answered=None, credentials=())

    async def discard(self, holdings: Holdings, key_id: str) -> None:
        """Leave the key: it is one of a fixed number."""

    async def labelled(self, rotation: Rotation, label: str) -> Sequence[str]:  # noqa: ARG002 - the port's signature
        """Return none: these keys have no labels."""
        return ()

    async def remove(self, rotation: Rotation, key_id: str) -> None:
        """Leave the key: nobody was given it, and making it anew would change nothing."""
