"""Knows how consumers in Azure DevOps are named: `<kind>://<organization>/<project>/<names...>[?option=value]`."""

import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import msgspec

from rekey.errors import InputError, ScopeError
from rekey.settings import Settings

ORGANIZATION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,48}[A-Za-z0-9])?")
NAME = re.compile(r"[^\x00-\x1f\x7f/\\:*?\"<>|;#$&{}%+,@]{1,256}")
"""What a project and things in it may be called: no control characters, nothing that ends a path or starts a query."""


class Form(msgspec.Struct, frozen=True):
    """How the URIs of one kind look: `names` is how many names follow the project."""

    scheme: str
    field: str
    """What an error calls it."""
    expected: str
    names: int = 1
    options: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True):
    """Where something is in Azure DevOps, as its URI says; names and options are decoded."""

    scheme: str
    organization: str
    project: str
    names: tuple[str, ...]
    options: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The first name after the project."""
        return self.names[0]

    @property
    def uri(self) -> str:
        """The normal form."""
        path = "/".join(quote(segment) for segment in (self.project, *self.names))
        query = "&".join(f"{name}={quote(value)}" for name, value in sorted(self.options.items()))
        return f"{self.scheme}://{self.organization.lower()}/{path}" + (f"?{query}" if query else "")


def parsed(uri: str, form: Form) -> Place:
    """Return the place that a URI names; InputError for one that isn't plainly of that form."""
    # urlsplit would drop a space in front, and control characters anywhere.
    if not uri.isascii() or not uri.isprintable() or " " in uri:
        raise InputError(form.field, uri, f"{form.expected}, percent-encoded")
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise InputError(form.field, uri, form.expected) from None
    segments = [unquote(s) for s in parts.path.split("/")[1:]]
    plain = not (parts.fragment or "@" in parts.netloc or ":" in parts.netloc)
    if parts.scheme != form.scheme or not plain or len(segments) != form.names + 1:
        raise InputError(form.field, uri, form.expected)
    if not ORGANIZATION.fullmatch(parts.netloc) or uri.endswith(("?", "#")):
        raise InputError(form.field, uri, form.expected)
    if not all(NAME.fullmatch(s) and s.isprintable() and s == s.strip() and s not in {".", ".."} for s in segments):
        raise InputError(form.field, uri, f"{form.expected}, with names Azure DevOps allows")
    options = _options(uri, parts.query, form)
    return Place(form.scheme, parts.netloc, segments[0], tuple(segments[1:]), options)


def bound(place: Place, vault: str, settings: Settings) -> Place:
    """Return the place; ScopeError if secrets of that vault may not name its project."""
    if not settings.allows_project(vault, place.organization, place.project):
        allowed = f"an organization and project REKEY_SCOPES binds to vault {vault}"
        raise ScopeError("Azure DevOps project", f"{place.organization}/{place.project}", allowed)
    return place


def _options(uri: str, query: str, form: Form) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise InputError(form.field, uri, form.expected) from None
    options = dict(pairs)
    if len(options) < len(pairs) or not set(options) <= set(form.options):
        raise InputError(form.field, uri, form.expected)
    return options
