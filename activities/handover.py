"""What the steps of a consumer hand to its kind: the published version, its value on demand, and its note."""

from activities.step import Desk
from rekey.errors import PermanentError
from rekey.model import ConsumerTarget, Published, Walk
from rekey.secret_value import SecretValue


class OfWalk:
    """The handover of one consumer in one walk."""

    def __init__(self, desk: Desk, walk: Walk) -> None:
        self._desk = desk
        self._rotation = walk.rotation
        self._uri = target_of(walk).uri
        self.version = _published(walk).version

    async def value(self) -> SecretValue:
        """Return the value of the published version, and of no other."""
        return await self._desk.vault(self._rotation.vault).value(self._rotation.secret, self.version)

    async def recall(self) -> str:
        """Return the note on the record, "" at first."""
        record = await self._desk.records().read(self._rotation.id)
        return record.notes.get(self._uri, "") if record else ""

    async def keep(self, note: str) -> None:
        """Put a note on the record."""
        await self._desk.records().keep_note(self._rotation.id, self._uri, note)


def target_of(walk: Walk) -> ConsumerTarget:
    """Return the consumer this step is about; a walk without it is a defect of the orchestrator."""
    if walk.target is None:
        raise PermanentError("no-consumer", "the step was given no consumer")
    return walk.target


def _published(walk: Walk) -> Published:
    if walk.published is None:
        raise PermanentError("not-published", "the step came before set_secret_version")
    return walk.published
