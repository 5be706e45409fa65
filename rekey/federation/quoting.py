"""Knows how names that others wrote into Azure DevOps are passed on: printable, in one line, of bounded length."""

_LONGEST = 120


def quoted(name: str) -> str:
    """Return a name as text to show, never to act on; for what doesn't print there is a question mark."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}..."
