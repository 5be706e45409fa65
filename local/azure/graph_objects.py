"""Finds the objects that a request to Microsoft Graph addresses by id or by `(appId='...')`, and reads its body."""

from collections.abc import Iterator

import msgspec
from starlette.requests import Request

from local.azure import graph_roles
from local.azure.directory import Application, Directory, Principal
from local.azure.graph_errors import GraphErrors


class Objects:
    """What a directory holds, as requests address it; what isn't there is Graph's 404."""

    def __init__(self, directory: Directory, errors: GraphErrors) -> None:
        self._directory = directory
        self._errors = errors

    def principals(self) -> Iterator[Principal]:
        """Yield every service principal, Graph's own last."""
        yield from self._directory.principals()
        yield graph_roles.principal(self._directory)

    def application(self, request: Request) -> Application:
        """Return the application that the path names."""
        key = request.path_params
        by_id, by_app_id = self._directory.by_object_id, self._directory.by_app_id
        found = by_id(key["id"]) if "id" in key else by_app_id(key["app_id"])
        if found is None:
            raise self._errors.missing(key.get("id") or key["app_id"])
        return found

    def principal(self, request: Request) -> Principal:
        """Return the service principal that the path names."""
        key = request.path_params
        wanted = str(key.get("id") or key["app_id"]).lower()
        for principal in self.principals():
            if (principal.object_id if "id" in key else principal.app_id) == wanted:
                return principal
        raise self._errors.missing(wanted)

    async def body[T](self, request: Request, kind: type[T]) -> T:
        """Return the request's body; what doesn't fit is Graph's 400."""
        try:
            return msgspec.json.decode(await request.body() or b"{}", type=kind)
        except msgspec.MsgspecError as error:
            raise self._errors.bad(f"Invalid request body: {error}") from None
