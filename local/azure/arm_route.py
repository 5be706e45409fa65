"""Knows that Azure Resource Manager reads its paths without regard to case, whatever is in them."""

import re
from collections.abc import Sequence
from typing import Any, override

from starlette.requests import Request
from starlette.routing import Route

from local.azure.arm_access import error


class AnyCase(Route):
    """A route whose fixed parts match in any case, as ids come back in other spellings than they were written."""

    @override
    def __init__(self, path: str, endpoint: Any, *, methods: list[str]) -> None:
        super().__init__(path, endpoint, methods=methods)
        self.path_regex = re.compile(self.path_regex.pattern, re.IGNORECASE)


def require_version(request: Request, type_: str, versions: Sequence[str]) -> None:
    """Refuse an api-version that a resource type doesn't have, as the service does."""
    asked = request.query_params.get("api-version", "")
    if asked not in versions:
        raise error(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location 'westeurope' and API version '{asked}' for type "
            f"'{type_}'. The supported api-versions are '{', '.join(versions)}'. The supported locations are "
            "'westeurope'.",
        )
