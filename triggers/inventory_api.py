"""The operator API's view of every secret in the allowed vaults: managed or not, due or not, by properties alone."""

import azure.durable_functions as df
import azure.functions as func

from rekey.clients import clients
from rekey.secrets_view import page
from triggers.answers import Answer, answered

blueprint = df.Blueprint()


@blueprint.route(route="secrets", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_secrets(req: func.HttpRequest) -> func.HttpResponse:
    """List the secrets of `?vault=`, `care`, `kind`, `due`, `never-expires`, `tag`, by `top` and `continuation`."""
    return await answered(_list(req))


async def _list(req: func.HttpRequest) -> Answer:
    return 200, await page(clients(), req.params)
