"""Knows who made a project's pipelines, and which of them name something in the steps that a designer keeps.

https://learn.microsoft.com/rest/api/azure/devops/build/definitions (7.1), and release/definitions for classic releases,
which have a host of their own. What a YAML file says isn't in there: of such a pipeline only the variables are.
"""

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from rekey.azure_devops import AzureDevOps, below
from rekey.azure_errors import malformed

_AT_ONCE = "200"
_PAGES = 25
"""At most, of one project."""
_DEEPEST = 20
"""Levels of a definition that are looked through."""
_TELLING = frozenset({"inputs", "variables"})
"""Below which keys connections are named; elsewhere the same word is the name of a stage, or of a job."""


class _Author(msgspec.Struct, rename="camel"):
    unique_name: str | None = None


class _Definition(msgspec.Struct, rename="camel"):
    id: int
    name: str | None = None
    authored_by: _Author | None = None
    created_by: _Author | None = None
    process: Any = None
    process_parameters: Any = None
    variables: Any = None
    environments: Any = None


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A pipeline; `author` is whatever the service calls who made it: often a mail address.

    `naming`: what was looked for is the value of something in its steps or variables.
    """

    id: int
    name: str
    author: str = ""
    naming: bool = False


class Definitions(AzureDevOps):
    """The pipelines of one organization, or its classic release pipelines, whichever the host has."""

    async def builds(self, project: str, words: Collection[str]) -> tuple[tuple[Definition, ...], bool]:
        """Return the project's pipelines, which of them name one of `words` (any case), and whether these are all."""
        return await self._all(f"{below(project)}/build/definitions", {"includeAllProperties": "true"}, words)

    async def releases(self, project: str, words: Collection[str]) -> tuple[tuple[Definition, ...], bool]:
        """Return the same of classic release pipelines."""
        return await self._all(f"{below(project)}/release/definitions", {"$expand": "environments,variables"}, words)

    async def _all(
        self, path: str, query: dict[str, str], words: Collection[str]
    ) -> tuple[tuple[Definition, ...], bool]:
        wanted, found, more = {word.lower() for word in words}, list[Definition](), False
        async for page in self.pages(path, {**query, "$top": _AT_ONCE}, _PAGES):
            try:
                read = msgspec.convert(page.items, list[_Definition])
            except msgspec.ValidationError:
                raise malformed(self._where, repeatable=True) from None
            found += [_judged(one, wanted) for one in read]
            more = bool(page.following)
        return tuple(found), not more


def _judged(found: _Definition, wanted: set[str]) -> Definition:
    author = found.authored_by or found.created_by
    parts = {"inputs": found.process_parameters, "variables": found.variables, "": [found.process, found.environments]}
    return Definition(
        id=found.id,
        name=found.name or "",
        author=(author.unique_name if author else None) or "",
        naming=any(text.lower() in wanted for text in _texts(parts, _DEEPEST, telling=False)),
    )


def _texts(value: Any, deep: int, *, telling: bool) -> Iterator[str]:
    """Yield every text below the telling keys of a JSON value, itself no key; of a list in a text each part."""
    match value:
        case str() if telling:
            yield from (part.strip() for part in value.split(","))
            yield value
        case dict() if deep:
            for key, inner in value.items():
                yield from _texts(inner, deep - 1, telling=telling or key in _TELLING)
        case list() if deep:
            for inner in value:
                yield from _texts(inner, deep - 1, telling=telling)
