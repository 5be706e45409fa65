"""The operator API's view of every secret in the allowed vaults: managed or not, due or not, by properties alone.

And of who reads one of them, by the vault's audit log.
"""

import azure.durable_functions as df
import azure.functions as func
import msgspec

from rekey import operator_requests as requests
from rekey.clients import clients
from rekey.secrets_view import page
from triggers.answers import Answer, answered

blueprint = df.Blueprint()


@blueprint.route(route="secrets", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_secrets(req: func.HttpRequest) -> func.HttpResponse:
    """List the secrets of `?vault=`, `care`, `kind`, `due`, `never-expires`, `tag`, by `top` and `continuation`."""
    return await answered(_list(req))


@blueprint.route(route="secrets/{vault}/{name}/readers", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def list_readers(req: func.HttpRequest) -> func.HttpResponse:
    """Say who read which version of a secret, first and last, and whether that can be all."""
    return await answered(_readers(req.route_params.get("vault", ""), req.route_params.get("name", "")))


async def _readers(vault: str, secret: str) -> Answer:
    from rekey.readers_view import readers  # noqa: PLC0415 - the vault and storage would be a tenth of the app's start

    asked = requests.read_one({"vault": vault, "secret": secret}, "")
    return 200, msgspec.to_builtins(await readers(clients(), asked.vault, asked.secret))


async def _list(req: func.HttpRequest) -> Answer:
    return 200, await page(clients(), req.params)
