"""Shows people what Rekey makes of a secret's tags before they put them on it; knows the shapes az prints.

Nothing is looked up in Azure: a tag that is fine here may still name an application that doesn't exist.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from rekey import policy, spans
from rekey.errors import ScopeError
from rekey.model import Policy, Span
from rekey.settings import VAULT_NAME, Partial
from rekey.tag_reading import (
    LIFETIME_TAGS,
    TAG_ADOPT,
    TAG_APPROVAL,
    TAG_DISABLE_OLD,
    TAG_GRACE,
    TAG_LEAD,
    TAG_NOTIFY,
    TAG_OWNERS,
    TAG_READERS,
    TAG_WINDOW,
)

_SECRET_ID = re.compile(r"https://(?P<vault>[^./]+)\.[^/]+/secrets/(?P<name>[0-9A-Za-z-]{1,127})(?:/.*)?")


class Verdict(StrEnum):
    """What became of one secret's tags."""

    UNDERSTOOD = "understood"
    BAD = "bad"
    UNTAGGED = "untagged"


class Entry(msgspec.Struct, frozen=True):
    """The tags of one secret, and as far as the input says it, which secret that is."""

    tags: dict[str, str]
    vault: str = ""
    secret: str = ""


class ShapeError(Exception):
    """The input is no JSON, or neither tags nor what az prints of a secret. Quotes nothing of the input."""


def entries(text: bytes) -> tuple[Entry, ...]:
    """Return every secret's tags in `text`: an object of tags, what `az keyvault secret show` prints, or a list."""
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ShapeError(f"not JSON: {error}") from None
    return tuple(_entry(item) for item in (found if isinstance(found, list) else [found]))


def report(entry: Entry, vault: str, known: Partial) -> tuple[Verdict, list[str]]:
    """Return the verdict and the lines that say what Rekey understands, or one line for each bad tag."""
    title = "/".join(part for part in (vault, entry.secret) if part) or "tags"
    try:
        understood = policy.read_policy(vault, entry.tags, known)
    except policy.Untagged as error:
        return Verdict.UNTAGGED, [f"{title}: {error.message}"]
    except policy.PolicyError as error:
        return Verdict.BAD, [f"{title}: {wrong.message}" for wrong in error.errors]
    except ScopeError as error:
        return Verdict.BAD, [f"{title}: {error.message}"]
    return Verdict.UNDERSTOOD, [f"{title}: understood", *(f"  {line}" for line in _lines(understood, entry.tags))]


def notes(known: Partial) -> Iterator[str]:
    """Return what isn't checked because the environment doesn't say it."""
    if not known.scopes:
        yield "scopes not checked: REKEY_SCOPES is not set"
    if not known.mail_domains:
        yield "mail domains not checked: REKEY_MAIL_DOMAINS is not set"


def _entry(item: Any) -> Entry:
    if not isinstance(item, dict):
        raise ShapeError("neither an object of tags nor a secret as az prints it")
    if not isinstance(item.get("tags", ""), str):
        return _secret(item)
    return Entry(_tags(item))


def _secret(item: Mapping[str, Any]) -> Entry:
    tags = _tags(item["tags"] or {})
    found = _SECRET_ID.fullmatch(str(item.get("id") or ""))
    if found and VAULT_NAME.fullmatch(found["vault"]):
        return Entry(tags, found["vault"], found["name"])
    return Entry(tags)


def _tags(item: Any) -> dict[str, str]:
    try:
        return msgspec.convert(item, dict[str, str])
    except msgspec.ValidationError:
        raise ShapeError("tags must be an object whose values are all strings") from None


def _lines(understood: Policy, tags: Mapping[str, str]) -> Iterator[str]:
    yield f"credential   {understood.credential.kind}:{understood.credential.target}"
    for consumer in understood.consumers:
        yield f"consumer     {consumer.uri}"
    if not understood.consumers:
        yield "consumer     none: only the vault gets the new value"
    for label, setters, show in _SHOWN:
        default = "" if any(tag in tags for tag in setters) else " (default)"
        yield f"{label:<12} {show(understood)}{default}"


def _span(span: Span) -> str:
    return f"{spans.words(span)}, {spans.render(span)}"


def _lead(understood: Policy) -> str:
    capped = spans.length(understood.lead) > spans.length(understood.lifetime) / 3
    return f"{_span(understood.lead)} before the end{', capped to a third of the lifetime' if capped else ''}"


_SHOWN: tuple[tuple[str, tuple[str, ...], Callable[[Policy], str]], ...] = (
    ("lifetime", LIFETIME_TAGS, lambda p: _span(p.lifetime)),
    ("lead", (TAG_LEAD,), _lead),
    ("grace", (TAG_GRACE,), lambda p: f"{_span(p.grace)}, at most what is left of the old one"),
    ("owners", (TAG_OWNERS,), lambda p: ", ".join(p.owners) or "the application's owners, else the operators"),
    ("notify", (TAG_NOTIFY,), lambda p: ", ".join(p.notify) or "nobody else"),
    ("approval", (TAG_APPROVAL,), lambda p: "required" if p.approval else "not required"),
    ("window", (TAG_WINDOW,), lambda p: f"{p.window} (UTC)" if p.window else "any time"),
    ("disable old", (TAG_DISABLE_OLD,), lambda p: "at retire" if p.disable_old == "at-retire" else "now"),
    ("adopt", (TAG_ADOPT,), lambda p: "true" if p.adopt else "no: a credential made by hand is left to expire"),
    ("readers", (TAG_READERS,), lambda p: ", ".join(p.readers) or "not watched"),
)
