"""ASP.NET route templates, as HTTP triggers have them, and which one a path belongs to."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PART = re.compile(r"\{(?P<star>\*{0,2})(?P<name>\w+)(?P<constraints>(?::[^{}?]+)*)(?P<optional>\?)?\}")
_CONSTRAINTS = {
    "int": r"-?\d+",
    "long": r"-?\d+",
    "decimal": r"-?\d+(?:\.\d+)?",
    "double": r"-?\d+(?:\.\d+)?",
    "float": r"-?\d+(?:\.\d+)?",
    "bool": r"true|false",
    "alpha": r"[a-z]+",
    "guid": r"\{?[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\}?",
    "datetime": r"[^/]+",
    "required": r"[^/]+",
}
_SIZED = re.compile(r"(length|minlength|maxlength)\((\d+)(?:,(\d+))?\)")
# How specific a segment is; the most specific template that matches wins.
_LITERAL, _CONSTRAINED, _OPEN, _CATCH_ALL = range(4)


class RouteError(Exception):
    """A route template that this host doesn't understand."""


@dataclass(frozen=True)
class Route:
    """One HTTP trigger: which requests it takes. No methods means all of them."""

    function: str
    template: str
    methods: frozenset[str]
    pattern: re.Pattern[str]
    precedence: tuple[int, ...]

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the route's values if this request is for it; `path` is decoded and has no slash at its ends."""
        if self.methods and method not in self.methods:
            return None
        found = self.pattern.fullmatch(path)
        return {k: v for k, v in found.groupdict().items() if v is not None} if found else None


def compile_route(function: str, template: str, methods: Iterable[str]) -> Route:
    """Compile a template without a slash at its ends; RouteError names what isn't understood."""
    pattern, precedence = "", []
    for index, segment in enumerate(template.split("/")):
        text, rank, optional = _segment(segment)
        slash = "/" if index else ""
        pattern += f"(?:{slash}{text})?" if optional else f"{slash}{text}"
        precedence.append(rank)
    compiled = re.compile(pattern, re.IGNORECASE)
    return Route(function, template, frozenset(m.upper() for m in methods), compiled, tuple(precedence))


def find_route(routes: Iterable[Route], method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """Return the most specific route for a request, and its values."""
    for route in sorted(routes, key=lambda route: route.precedence):
        values = route.match(method, path.strip("/"))
        if values is not None:
            return route, values
    return None


def _segment(segment: str) -> tuple[str, int, bool]:
    text, rank, position, optional = "", _LITERAL, 0, False
    for part in _PART.finditer(segment):
        text += _literal(segment[position : part.start()], segment)
        pattern, part_rank = _parameter(part)
        text += pattern
        rank, position = max(rank, part_rank), part.end()
        optional = optional or bool(part["optional"] or part["star"])
    return text + _literal(segment[position:], segment), rank, optional


def _literal(text: str, segment: str) -> str:
    if "{" in text or "}" in text:
        raise RouteError(f"route segment {segment!r} is not understood")
    return re.escape(text)


def _parameter(part: re.Match[str]) -> tuple[str, int]:
    if part["star"]:
        return f"(?P<{part['name']}>.*)", _CATCH_ALL
    constraints = [text for text in part["constraints"].split(":") if text]
    lookaheads = "".join(f"(?=(?:{_constraint(text)})(?:/|$))" for text in constraints)
    return f"{lookaheads}(?P<{part['name']}>[^/]+)", _CONSTRAINED if constraints else _OPEN


def _constraint(text: str) -> str:
    if text.lower() in _CONSTRAINTS:
        return _CONSTRAINTS[text.lower()]
    if sized := _SIZED.fullmatch(text.lower()):
        kind, first, second = sized.groups()
        low, high = {"length": (first, second or first), "minlength": (first, ""), "maxlength": ("0", first)}[kind]
        return f"[^/]{{{low},{high}}}"
    raise RouteError(f"route constraint {text!r} is not understood by the local host")
