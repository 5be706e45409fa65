"""Knows the one form of condition that the simulated role assignments understand: which roles may be granted, to whom.

Azure evaluates a language (https://learn.microsoft.com/azure/role-based-access-control/conditions-format); this is the
form of its examples for delegating role assignments, with lists of role definitions and of principal types. Any other
one is refused: what isn't evaluated must not be taken for a limit.
https://learn.microsoft.com/azure/role-based-access-control/delegate-role-assignments-examples
"""

import re
from dataclasses import dataclass
from typing import Self

_TYPE = r"Microsoft\.Authorization/roleAssignments"
_CLAUSE = re.compile(
    rf"\(\s*\(\s*!\s*\(\s*ActionMatches\s*\{{\s*'{_TYPE}/(?P<action>write|delete)'\s*\}}\s*\)\s*\)\s*OR\s*\(\s*"
    rf"@(?P<source>Request|Resource)\[{_TYPE}:RoleDefinitionId\]\s*ForAnyOfAnyValues:GuidEquals\s*"
    r"\{(?P<roles>[^{}]*)\}"
    rf"(?:\s*AND\s*@(?P=source)\[{_TYPE}:PrincipalType\]\s*(?:"
    r"ForAnyOfAnyValues:StringEqualsIgnoreCase\s*\{(?P<types>[^{}]*)\}"
    r"|StringEqualsIgnoreCase\s*(?P<type>'[A-Za-z]+')))?\s*\)\s*\)",
)
_JOINED = re.compile(r"\s*#(?:\s*AND\s*#)?\s*")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TYPE_NAME = re.compile(r"'([A-Za-z]+)'")
_SOURCES = {"write": "Request", "delete": "Resource"}
_EXPECTED = (
    "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
    "(@Request[...:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {...} AND "
    "@Request[...:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {'...'})), the same of delete with @Resource"
)


@dataclass(frozen=True)
class Limit:
    """Which role definitions (GUIDs) may be granted or taken away, to which types of principal (None: to all)."""

    roles: frozenset[str]
    types: frozenset[str] | None

    def allows(self, role: str, principal_type: str) -> bool:
        """Tell whether this role may be, to a principal of this type."""
        return role in self.roles and (self.types is None or principal_type.lower() in self.types)


@dataclass(frozen=True)
class Condition:
    """A condition as it was written, with the limits it sets on `write` and `delete` of role assignments."""

    text: str
    limits: tuple[tuple[str, Limit], ...]

    @classmethod
    def parsed(cls, text: str) -> Self:
        """Return a condition of the known form; a ValueError says what was expected."""
        clauses = list(_CLAUSE.finditer(text))
        if "#" in text or not _JOINED.fullmatch(_CLAUSE.sub("#", text)):
            raise ValueError(f"got {text!r}, expected {_EXPECTED}")
        return cls(text, tuple((found["action"], _limit(found)) for found in clauses))

    def allows(self, operation: str, role: str, principal_type: str) -> bool:
        """Tell whether `write` or `delete` of an assignment of this role (GUID) to such a principal is within it."""
        return all(limit.allows(role, principal_type) for about, limit in self.limits if about == operation)


def _limit(found: re.Match[str]) -> Limit:
    if found["source"] != _SOURCES[found["action"]]:
        raise ValueError(f"got @{found['source']} for {found['action']}, expected @{_SOURCES[found['action']]}")
    roles = [part.strip().lower() for part in found["roles"].split(",")]
    if not all(_GUID.fullmatch(role) for role in roles):
        raise ValueError(f"got roles {found['roles']!r}, expected role definitions by their GUID")
    return Limit(frozenset(roles), _types(found["types"] or found["type"]))


def _types(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    parts = [_TYPE_NAME.fullmatch(part.strip()) for part in text.split(",")]
    if not all(parts):
        raise ValueError(f"got principal types {text!r}, expected such as 'ServicePrincipal'")
    return frozenset(part[1].lower() for part in parts if part)
