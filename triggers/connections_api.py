"""The operator API's view of service connections: the last report of their audit."""

import azure.durable_functions as df
import azure.functions as func

from rekey.clients import clients
from triggers.answers import Answer, answered

blueprint = df.Blueprint()


@blueprint.route(route="service-connections", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_service_connections(req: func.HttpRequest) -> func.HttpResponse:
    """List connections and findings of the last report by `organization`, `project`, `way`, `finding`, `managed`."""
    return await answered(_list(req))


async def _list(req: func.HttpRequest) -> Answer:
    from rekey.connections.view import page  # noqa: PLC0415 - storage would be a tenth of the app's start

    return 200, await page(clients(), req.params)
