"""Knows which variables are called as if they held a secret: by their last words, for the value is never looked at."""

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TRAILING = frozenset({"value", "secure", "string", "text", "raw", "base", "env", "var", "old", "new", "current"})
"""What may follow: CLIENT_SECRET_VALUE, password2, token_base64."""
_LAST = ("password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "credentials", "connectionstring")
_ALONE = frozenset({"pat", "sas", "pass"})
_KEYS = frozenset(
    {"api", "access", "account", "private", "storage", "subscription", "signing", "encryption", "master", "function"}
)
"""Of which a key is a secret; a plain key, or a cache key, isn't."""


def looks_secret(name: str) -> bool:
    """Tell whether a variable of that name holds a secret, as far as names tell."""
    words = [word.lower() for word in _WORD.findall(name)]
    if words[-2:] == ["connection", "string"]:
        return True
    while words and (words[-1] in _TRAILING or words[-1].isdigit()):
        words.pop()
    if not words:
        return False
    last = words[-1]
    return last.endswith(_LAST) or last in _ALONE or (last == "key" and len(words) > 1 and words[-2] in _KEYS)
