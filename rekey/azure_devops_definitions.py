"""Knows who made a project's build pipelines, and which of them name something in the steps that a designer keeps.

https://learn.microsoft.com/rest/api/azure/devops/build/definitions (7.1). What a YAML file says isn't in there: of such
a pipeline only the variables are.
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


class _Author(msgspec.Struct, rename="camel"):
    unique_name: str | None = None


class _Definition(msgspec.Struct, rename="camel"):
    id: int
    name: str | None = None
    authored_by: _Author | None = None
    process: Any = None
    process_parameters: Any = None
    variables: Any = None


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A build pipeline; `author` is whatever the service calls who made it: often a mail address.

    `naming`: what was looked for is the value of something in its steps or variables.
    """

    id: int
    name: str
    author: str = ""
    naming: bool = False


class Definitions(AzureDevOps):
    """The build pipelines of one organization."""

    async def all(self, project: str, words: Collection[str]) -> tuple[tuple[Definition, ...], bool]:
        """Return the project's pipelines, which of them name one of `words` (any case), and whether these are all."""
        wanted, found, more = {word.lower() for word in words}, list[Definition](), False
        query = {"includeAllProperties": "true", "$top": _AT_ONCE}
        async for page in self.pages(f"{below(project)}/build/definitions", query, _PAGES):
            try:
                read = msgspec.convert(page.items, list[_Definition])
            except msgspec.ValidationError:
                raise malformed(self._where, repeatable=True) from None
            found += [_judged(one, wanted) for one in read]
            more = bool(page.following)
        return tuple(found), not more


def _judged(found: _Definition, wanted: set[str]) -> Definition:
    parts = (found.process, found.process_parameters, found.variables)
    return Definition(
        id=found.id,
        name=found.name or "",
        author=(found.authored_by.unique_name if found.authored_by else None) or "",
        naming=any(text.lower() in wanted for text in _texts(parts, _DEEPEST)),
    )


def _texts(value: Any, deep: int) -> Iterator[str]:
    """Yield every text in a JSON value, none of its keys; of a list in a text each part."""
    match value:
        case str():
            yield from (part.strip() for part in value.split(","))
            yield value
        case dict() | list() | tuple() if deep:
            for inner in value.values() if isinstance(value, dict) else value:
                yield from _texts(inner, deep - 1)
