"""A secret that can be used but not shown: the only form in which a credential's value is handed around."""

from typing import Never

HIDDEN = "(the secret's own value)"
SHORTEST = 8
"""Characters of a value that is looked for in texts: a shorter one would be found in any."""


class SecretValue:
    """A credential in memory; refuses to be formatted, serialised, pickled, copied or compared to a str.

    `reveal()` hands out the value and is called only where a request to the vault, the issuer or a consumer is built.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        if not value:
            raise ValueError("a secret value can't be empty")
        self.__value = value

    def reveal(self) -> str:
        """Return the value; never store, log or return it from a step."""
        return self.__value

    def hint(self) -> str:
        """Return the first three characters, which Microsoft Graph shows of a password to everybody anyway."""
        return self.__value[:3]

    def hidden_in(self, text: str) -> str:
        """Return `text` with the value replaced wherever it is written as it is: people paste it into tags."""
        return text.replace(self.__value, HIDDEN) if self.can_be_hidden() else text

    def can_be_hidden(self) -> bool:
        """Tell whether the value is long enough to be told from other text."""
        return len(self.__value) >= SHORTEST

    def same_as(self, other: "SecretValue") -> bool:
        """Tell whether both hold the same value."""
        return self.__value == other.reveal()

    def __repr__(self) -> str:
        return "SecretValue(hidden)"

    def __str__(self) -> Never:
        raise TypeError("a secret value is not shown; call reveal() where the request is built")

    def __format__(self, format_spec: str) -> Never:
        raise TypeError("a secret value is not formatted; call reveal() where the request is built")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            raise TypeError("a secret value is not compared to a str; use same_as()")
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> Never:
        raise TypeError("a secret value is neither pickled nor copied")

    def __copy__(self) -> Never:
        raise TypeError("a secret value is not copied")

    def __deepcopy__(self, memo: object) -> Never:
        raise TypeError("a secret value is not copied")
