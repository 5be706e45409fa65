"""Knows the OData options that the simulated Graph understands: $filter (eq), $select, $top, $count, paging."""

import base64
import binascii
import re
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from local.azure.graph_entities import Entity
from local.azure.graph_errors import GraphErrors

_EQUALS = re.compile(r"^\s*(?P<field>\w+)\s+eq\s+'(?P<value>(?:[^']|'')*)'\s*$")
_FILTERABLE = frozenset({"appId", "displayName", "id", "name", "subject"})
_MAXIMUM_PAGE = 999
_DEFAULT_PAGE = 100


class Query:
    """The OData options of one request; what isn't understood is refused, never ignored."""

    def __init__(self, request: Request, errors: GraphErrors) -> None:
        self._request = request
        self._errors = errors

    def selected(self, entity: Entity) -> Entity:
        """Return what $select asks for; an unknown property is a 400."""
        wanted = self._option("$select")
        if wanted is None:
            return entity
        names = [name.strip() for name in wanted.split(",")]
        for name in names:
            if name not in entity:
                message = f"Could not find a property named '{name}' on type 'microsoft.graph.directoryObject'."
                raise self._errors.bad(f"Parsing OData Select and Expand failed: {message}", "BadRequest")
        kinds = {key: value for key, value in entity.items() if key.startswith("@odata.")}
        return kinds | {name: entity[name] for name in names}

    def filtered(self, entities: list[Entity]) -> list[Entity]:
        """Return what $filter leaves; only `field eq 'value'` is understood."""
        wanted = self._option("$filter")
        if wanted is None:
            return entities
        match = _EQUALS.match(wanted)
        if match is None or match["field"] not in _FILTERABLE:
            raise self._errors.bad(f"Unsupported or invalid query filter clause: {wanted}.", "Request_UnsupportedQuery")
        value = match["value"].replace("''", "'").lower()
        return [entity for entity in entities if str(entity.get(match["field"])).lower() == value]

    def page(self, entities: list[Entity], context: str, origin: str) -> dict[str, Any]:
        """Return one page as Graph sends it, with a nextLink where there is more."""
        found = self.filtered(entities)
        start, size = self._offset(), self._size()
        page: dict[str, Any] = {"@odata.context": context}
        if self._option("$count") == "true":
            page["@odata.count"] = len(found)
        if start + size < len(found):
            token = base64.urlsafe_b64encode(str(start + size).encode()).decode()
            options = [(k, v) for k, v in self._request.query_params.multi_items() if k != "$skiptoken"]
            query = urlencode([*options, ("$skiptoken", token)], safe="$'")
            page["@odata.nextLink"] = f"{origin}{self._request.url.path}?{query}"
        page["value"] = [self.selected(entity) for entity in found[start : start + size]]
        return page

    def expands(self, name: str) -> bool:
        """Tell whether $expand names a relation."""
        return name in (self._option("$expand") or "").split("(")[0].split(",")

    def _option(self, name: str) -> str | None:
        return self._request.query_params.get(name)

    def _size(self) -> int:
        top = self._option("$top")
        if top is None:
            return _DEFAULT_PAGE
        if not top.isdigit() or not 1 <= int(top) <= _MAXIMUM_PAGE:
            raise self._errors.bad(f"Invalid page size specified: '{top}'. Must be between 1 and 999 inclusive.")
        return int(top)

    def _offset(self) -> int:
        token = self._option("$skiptoken")
        try:
            return int(base64.urlsafe_b64decode(token)) if token else 0
        except (binascii.Error, ValueError):
            raise self._errors.bad("The skip token is not valid.", "Directory_ExpiredPageToken") from None
