"""Which file alone may do what: read the environment, make a client, know of Functions, be imported when."""

import ast
from collections.abc import Iterator

from tools.lints.source import PRODUCT, Finding, Source, matches

ENVIRONMENT = "environment"
CLIENTS = "clients"
FUNCTIONS = "functions-free"
IMPORTS = "one-way"

READERS = ("os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.unsetenv")
SDKS = ("azure", "msgraph", "msgraph_core", "kiota_http", "kiota_authentication_azure", "aiohttp", "httpx", "requests")
FUNCTIONS_SIDE = ("azure.functions", "azure.durable_functions")
MODELS = ("msgraph.generated.models",)
NEVER_DEPLOYED = ("local", "tests", "tools")
MAPPED = ("triggers", "orchestrators", "activities", "rekey.settings", *FUNCTIONS_SIDE)
MADE = ("Client", "Credential", "Session", "Pipeline", "Transport")


def check(source: Source) -> Iterator[Finding]:
    """Find what only rekey/settings.py, rekey/clients.py or the Functions side may do, done elsewhere."""
    if not source.within(*PRODUCT):
        return
    yield from _imports(source)
    if source.path != "rekey/settings.py":
        yield from _environment(source)
    if source.path != "rekey/clients.py":
        yield from _clients(source)
    if source.within("rekey"):
        yield from _functions(source)


def _imports(source: Source) -> Iterator[Finding]:
    for node, _, origin in source.imports:
        if matches(origin, *NEVER_DEPLOYED):
            yield source.finding(node, IMPORTS, f"imports {origin}, which is never deployed")
        elif matches(origin, "function_app"):
            yield source.finding(node, IMPORTS, "imports function_app, which stands above everything")
        elif source.path == "function_app.py" and not matches(origin, *MAPPED) and origin != "azure":
            yield source.finding(node, IMPORTS, f"imports {origin}: function_app only registers blueprints")


def _environment(source: Source) -> Iterator[Finding]:
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and source.origin(node) in READERS:
            yield source.finding(node, ENVIRONMENT, f"{source.origin(node)}: only rekey/settings.py reads it")
    for node, _, origin in source.imports:
        if origin in READERS:
            yield source.finding(node, ENVIRONMENT, f"imports {origin}: only rekey/settings.py reads it")


def _clients(source: Source) -> Iterator[Finding]:
    for call in source.calls:
        origin = source.origin(call.func)
        if matches(origin, *SDKS) and not matches(origin, *FUNCTIONS_SIDE, *MODELS) and _makes_client(origin):
            yield source.finding(call, CLIENTS, f"makes {origin}: only rekey/clients.py does, one per endpoint")


def _makes_client(origin: str) -> bool:
    # The class itself, or a constructor of it: BlobServiceClient.from_connection_string(...).
    return any(part.endswith(MADE) for part in origin.split(".")[-2:])


def _functions(source: Source) -> Iterator[Finding]:
    for node, _, origin in source.imports:
        if matches(origin, *FUNCTIONS_SIDE, "durabletask"):
            yield source.finding(node, FUNCTIONS, f"imports {origin}: rekey knows nothing of Functions")
