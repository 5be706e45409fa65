"""What an activity returns. It never throws: an exception's text would be kept in the durable store as it is."""

from typing import Any

import msgspec


class Ok(msgspec.Struct, frozen=True, tag="ok", tag_field="outcome"):
    """The step is done; `value` is the step's own result."""

    value: Any = None


class RetryAfter(msgspec.Struct, frozen=True, tag="retry-after", tag_field="outcome"):
    """Try again; `seconds` is what the service asked for, None leaves it to the backoff."""

    code: str
    message: str
    seconds: float | None = None


class Permanent(msgspec.Struct, frozen=True, tag="permanent", tag_field="outcome"):
    """Trying again won't help."""

    code: str
    message: str
    what_to_do: str = ""


class Unclear(msgspec.Struct, frozen=True, tag="unclear", tag_field="outcome"):
    """A write may have happened; the step looks before it repeats anything, after `seconds` if the service lags."""

    code: str
    message: str
    seconds: float | None = None


type Outcome = Ok | RetryAfter | Permanent | Unclear
