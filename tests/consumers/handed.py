"""What a test hands to a consumer in place of a step: a version, its value, and a note kept in memory."""

from uuid import uuid4

from rekey.secret_value import SecretValue


class Handed:
    """A published version with its value; `note` is what the kind remembered."""

    def __init__(self, value: SecretValue | str, version: str = "") -> None:
        self._value = value if isinstance(value, SecretValue) else SecretValue(value)
        self.version = version or uuid4().hex
        self.note = ""

    async def value(self) -> SecretValue:
        """Return the value."""
        return self._value

    async def recall(self) -> str:
        """Return the note."""
        return self.note

    async def keep(self, note: str) -> None:
        """Remember the note."""
        self.note = note
