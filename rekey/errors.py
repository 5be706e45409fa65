"""The ways a step can go wrong, each with a kebab-case code and what to do about it.

RekeyError
├── InputError            a field has a value that can't be used
│   ├── SettingError      ... of the app's own settings
│   ├── TagError          ... of a policy tag on a secret
│   └── ScopeError        ... that the app's settings don't allow
├── PermanentError        trying again won't help
├── NotYetError           trying again, after a while, is expected to help
└── UnclearError          a write may or may not have happened: look before repeating it
    └── OvertakenError    ... because another attempt has taken over

No message may hold a secret: what a service said is quoted only where the service never echoes one.
"""


class RekeyError(Exception):
    """Anything Rekey refuses or fails at; `what_to_do` is a sentence for whoever reads the mail."""

    def __init__(self, code: str, message: str, what_to_do: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.what_to_do = what_to_do
        self.service_code = ""
        """The service's own code for it, where one was told: letters and digits."""


class InputError(RekeyError):
    """A field holds a value that can't be used; says field, value and what was expected."""

    code_prefix = "bad-input"

    def __init__(self, field: str, value: object, expected: str) -> None:
        shown = ascii(value) if len(ascii(value)) <= 200 else ascii(value)[:200] + "..."
        super().__init__(
            self.code_prefix,
            f"{field}: got {shown}, expected {expected}",
            f"Correct {field} and start again.",
        )
        self.field = field
        self.value = value
        self.expected = expected


class SettingError(InputError):
    """An app setting can't be used; the app doesn't start with it."""

    code_prefix = "bad-setting"


class TagError(InputError):
    """A policy tag can't be used; nothing is changed, the owners are told."""

    code_prefix = "bad-tag"


class ScopeError(InputError):
    """A tag or an event names something that REKEY_SCOPES doesn't bind to that vault."""

    code_prefix = "out-of-scope"


class PermanentError(RekeyError):
    """Trying again won't help until somebody changes something."""


class NotYetError(RekeyError):
    """Trying again is expected to help; `seconds` is the service's own Retry-After, or None."""

    def __init__(self, code: str, message: str, seconds: float | None = None) -> None:
        super().__init__(code, message, "Rekey tries again on its own.")
        self.seconds = seconds


class UnclearError(RekeyError):
    """A write may have happened although its answer was lost; the next attempt looks first, after `seconds`."""

    def __init__(self, code: str, message: str, seconds: float | None = None) -> None:
        super().__init__(code, message, "Rekey looks what happened and goes on.")
        self.seconds = seconds


class OvertakenError(UnclearError):
    """Another attempt to generate the credential has taken over; what this one made must not count."""

    def __init__(self) -> None:
        super().__init__("overtaken", "another attempt to generate the credential has taken over")
