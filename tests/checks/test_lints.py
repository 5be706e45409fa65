"""Every rule of tools/lints, shown by what it finds and by what it leaves alone."""

import pytest

from tools.lint import lint

ORCHESTRATOR = "orchestrators/sample.py"
ACTIVITY = "activities/sample.py"
TRIGGER = "triggers/sample.py"
KIND = "rekey/credentials/sample.py"


def rules(path: str, text: str) -> set[str]:
    return {finding.rule for finding in lint(path, text)}


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "import random",
        "import secrets",
        "import os",
        "import os.path",
        "import pathlib",
        "import asyncio",
        "import threading",
        "import socket",
        "import subprocess",
        "import requests",
        "import httpx",
        "from aiohttp import ClientSession",
        "import azure.identity",
        "from azure.keyvault.secrets.aio import SecretClient",
        "from azure import functions",
        "from rekey import settings",
        "from rekey.settings import settings",
        "import rekey.clients",
        "from . import x\nimport local.demo",
        "from datetime import datetime\nNOW = datetime.now()",
        "import datetime as dt\nNOW = dt.datetime.now(dt.UTC)",
        "import datetime\nNOW = datetime.datetime.utcnow()",
        "from datetime import date\nNOW = date.today()",
        "from datetime import datetime\nAT = datetime.fromtimestamp(0)",
        "import uuid\nID = uuid.uuid4()",
        "from uuid import uuid1 as make\nID = make()",
        "TEXT = open('x').read()",
        "print('x')",
        "def pick(name):\n    return hash(name)",
        "async def run(context):\n    pass",
        "def run(context):\n    global COUNT\n    COUNT = 1",
        "def run(names):\n    for name in set(names):\n        yield name",
        "def run(names):\n    return [name for name in {*names}]",
        "import logging\nlogging.info('x')",
        "import logging\nlog = logging.getLogger('x')\ndef run(context):\n    log.info('x')",
        "import logging\nlogging.getLogger('x').warning('x')",
    ],
)
def test_orchestrators_may_use_nothing_that_differs_on_replay(text: str) -> None:
    """What reads a clock, chance, the environment or the outside is found in orchestrators, and only there."""
    assert "orchestrator-determinism" in rules(ORCHESTRATOR, text)
    assert "orchestrator-determinism" not in rules(ACTIVITY, text)


def test_an_orchestrator_that_replays_is_left_alone() -> None:
    """Replay-safe time, ids, timers and loggers of the context pass every rule."""
    text = """
import logging
import uuid
from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import azure.durable_functions as df
from durabletask import task

from rekey import names
from rekey.model import Outcome

LOG = logging.getLogger(__name__)


def run(context: task.OrchestrationContext, given: dict) -> Generator[task.Task, object, None]:
    log = context.create_replay_safe_logger(LOG)
    log.info("due %s", context.current_utc_datetime + timedelta(days=1))
    due = datetime.fromtimestamp(given["due"], UTC)
    name = uuid.uuid5(uuid.NAMESPACE_URL, context.new_uuid())
    yield context.create_timer(due)
    yield context.call_activity(names.READ_POLICY, input={"id": str(name)})
    for step in sorted({"b", "a"}):
        yield context.call_activity(given[step], input=None) if False else context.create_timer(due)
"""
    found = [finding for finding in lint(ORCHESTRATOR, text) if finding.rule != "durable-call"]
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        "from durabletask.task import RetryPolicy",
        "from azure.durable_functions import RetryOptions",
        "import azure.durable_functions as df\nP = df.RetryPolicy(1, 2)",
        "import durabletask.task\nP = durabletask.task.RetryPolicy",
        "def run(context):\n    yield context.call_activity_with_retry('x', None)",
        "def run(context):\n    yield context.call_sub_orchestrator_with_retry('x', None)",
        "def run(context, policy):\n    yield context.call_activity(NAME, input=1, retry_policy=policy)",
    ],
)
def test_the_engines_retries_are_found(text: str) -> None:
    """The durable engine's own retries are kept out of the whole product."""
    for path in (ORCHESTRATOR, ACTIVITY, TRIGGER, KIND, "function_app.py"):
        assert "no-retry-policy" in rules(path, text)


def test_an_http_pipelines_retry_policy_is_another_thing() -> None:
    """An SDK client may be given the HTTP retry policy it is to use."""
    text = (
        "from azure.core.pipeline.policies import AsyncRetryPolicy, RetryPolicy\n"
        "OPTIONS = dict(retry_policy=AsyncRetryPolicy.no_retries())\n"
    )
    assert "no-retry-policy" not in rules("rekey/clients.py", text)


@pytest.mark.parametrize(
    "call",
    [
        "context.call_activity(names.READ_POLICY)",
        "context.call_sub_orchestrator(names.SWITCH_CONSUMER)",
        "context.call_activity('read_policy', input=1)",
        "context.call_activity(f'read_{1}', input=1)",
        "context.call_activity(activity=LITERAL, input=1)",
        "context.call_activity(local_function, input=1)",
        "context.call_activity(read_policy, input=1)",
        "context.call_activity(input=1)",
    ],
)
def test_work_without_input_or_shared_name_is_found(call: str) -> None:
    """Work is scheduled with an input, by a name that the activity's registration shares."""
    head = "from activities.x import read_policy\nfrom rekey import names\nLITERAL = 'x'\n"
    text = f"{head}def local_function(x): ...\ndef run(context):\n    yield {call}\n"
    assert "durable-call" in rules(ORCHESTRATOR, text)


@pytest.mark.parametrize(
    "call",
    [
        "context.call_activity(names.READ_POLICY, input=1)",
        "context.call_activity(READ_POLICY, input=1)",
        "context.call_activity(activity=names.READ_POLICY, input=None)",
        "context.call_activity(step, input=1)",
        "context.call_activity(step.activity, input=1)",
    ],
)
def test_work_by_a_shared_or_passed_name_is_left_alone(call: str) -> None:
    """A name from rekey.names, or one that the caller passes in, is fine."""
    head = "from rekey import names\nfrom rekey.names import READ_POLICY\n"
    assert "durable-call" not in rules(ORCHESTRATOR, f"{head}def run(context, step):\n    yield {call}\n")


@pytest.mark.parametrize(
    "text",
    [
        "import os\nX = os.environ['X']",
        "import os\nX = os.getenv('X')",
        "from os import environ",
        "import os as system\nX = system.environ.get('X')",
    ],
)
def test_only_settings_read_the_environment(text: str) -> None:
    """The environment is read in rekey/settings.py and nowhere else in the product."""
    assert "environment" in rules(KIND, text)
    assert "environment" in rules("function_app.py", text)
    assert "environment" not in rules("rekey/settings.py", text)
    assert "environment" not in rules("local/host/sample.py", text)


@pytest.mark.parametrize(
    "text",
    [
        "from azure.keyvault.secrets.aio import SecretClient\nC = SecretClient('u', None)",
        "def go():\n    from azure.identity.aio import DefaultAzureCredential\n    return DefaultAzureCredential()",
        "import azure.identity\nC = azure.identity.ManagedIdentityCredential()",
        "from azure.storage.blob.aio import BlobServiceClient as B\nC = B.from_connection_string('x')",
        "from msgraph import GraphServiceClient\nC = GraphServiceClient(None)",
        "from azure.core import AsyncPipelineClient\nC = AsyncPipelineClient('u')",
        "import aiohttp\nC = aiohttp.ClientSession()",
        "import httpx\nC = httpx.AsyncClient()",
    ],
)
def test_only_one_file_makes_clients(text: str) -> None:
    """SDK clients, credentials and sessions are made in rekey/clients.py and nowhere else in the product."""
    assert "clients" in rules(KIND, text)
    assert "clients" in rules(ACTIVITY, text)
    assert "clients" not in rules("rekey/clients.py", text)


def test_a_model_named_like_a_credential_is_no_client() -> None:
    """Graph's PasswordCredential is a part of a request and may be made anywhere."""
    text = "from msgraph.generated.models.password_credential import PasswordCredential as P\nBODY = P()"
    assert not rules(KIND, text)


@pytest.mark.parametrize(
    "text",
    [
        "import azure.functions as func",
        "import azure.durable_functions",
        "from azure import functions",
        "def late():\n    from durabletask import task",
    ],
)
def test_rekey_knows_nothing_of_functions(text: str) -> None:
    """The package below the triggers can be used without any Functions host."""
    assert "functions-free" in rules(KIND, text)
    assert "functions-free" not in rules(TRIGGER, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (KIND, "import local.azure.wire"),
        (ACTIVITY, "from tests.support import x"),
        (TRIGGER, "def late():\n    from tools import lint"),
        (TRIGGER, "import function_app"),
        ("function_app.py", "import rekey.clients"),
        ("function_app.py", "import json"),
    ],
)
def test_imports_point_one_way(path: str, text: str) -> None:
    """Nothing deployed imports what isn't, nothing imports the map, and the map imports only what it maps."""
    assert "one-way" in rules(path, text)


def test_the_map_imports_what_it_maps() -> None:
    """Blueprints and the Functions packages are all that function_app needs."""
    text = (
        "import azure.durable_functions as df\nimport azure.functions as func\n"
        "import azure.functions\nfrom triggers import operator_api\nfrom activities.read_policy import bp\n"
    )
    assert not rules("function_app.py", text)


@pytest.mark.parametrize(
    "text",
    [
        "client(verify_challenge_resource=False)",
        "client(logging_enable=True)",
        "client(connection_verify=False)",
        "client(verify=False)",
        "OPTIONS = {'connection_verify': False}",
        "context.check_hostname = False",
        "import ssl\nMODE = ssl.CERT_NONE",
    ],
)
def test_protections_stay_on(text: str) -> None:
    """Certificate and challenge checks can't be switched off in the product, nor can bodies be logged."""
    assert "unsafe-option" in rules("rekey/clients.py", text)
    assert "unsafe-option" in rules(ACTIVITY, text)


def test_protections_that_are_on_are_left_alone() -> None:
    """The same options with their safe values, or with a certificate bundle, are fine."""
    text = "client(verify_challenge_resource=True, logging_enable=False, connection_verify='/ca.pem')"
    assert "unsafe-option" not in rules("rekey/clients.py", text)


@pytest.mark.parametrize("annotation", ["dict[str, str]", "str | None", "Optional[str]", "'list[str]'"])
def test_bound_parameters_have_plain_types(annotation: str) -> None:
    """The worker refuses generics and unions on what it binds."""
    decorated = f"@bp.activity_trigger(input_name='given')\ndef step(given: {annotation}) -> dict[str, str]: ..."
    assert "trigger-annotation" in rules(ACTIVITY, decorated)
    routed = f"@bp.route(route='x')\nasync def api(req: func.HttpRequest, *, x: {annotation}): ..."
    assert "trigger-annotation" in rules(TRIGGER, routed)


@pytest.mark.parametrize("annotation", ["dict", "str", "func.QueueMessage", "'dict'"])
def test_plain_types_on_bound_parameters_are_left_alone(annotation: str) -> None:
    """Plain classes pass, and so does anything on a function that the worker never binds."""
    text = f"@bp.activity_trigger(input_name='given')\ndef step(given: {annotation}) -> dict[str, str]: ..."
    assert "trigger-annotation" not in rules(ACTIVITY, text)
    assert "trigger-annotation" not in rules(ACTIVITY, "@cache\ndef inner(given: dict[str, str]): ...")


@pytest.mark.parametrize(
    "docstring",
    ["", '"""No full stop"""', '"""One sentence. And another."""'],
)
def test_a_test_says_one_sentence(docstring: str) -> None:
    """Each test has a docstring of one sentence."""
    text = f"class TestX:\n    async def test_x(self):\n        {docstring or 'pass'}\n"
    assert "test-sentence" in rules("tests/test_sample.py", text)
    assert "test-sentence" not in rules("rekey/sample.py", text)


def test_one_sentence_is_enough() -> None:
    """A sentence over two lines, with an abbreviation in it, is still one."""
    text = 'def test_x():\n    """What is meant, e.g. Key Vault\'s limit,\n    holds at 1.5 times."""\n'
    assert "test-sentence" not in rules("tests/test_sample.py", text)


def test_traces_of_one_machine_are_found() -> None:
    """Paths that only one machine has are found in any kind of file, but not in the middle of a URL."""
    assert "machine-path" in rules("docs/x.md", f"see /{'work'}/notes")
    assert "machine-path" in rules("Makefile", f"x: ../.{'library'}/x")
    assert "machine-path" not in rules("docs/x.md", f"https://dev.azure.com/{'work'}/items, framework/x")


def test_broken_syntax_is_a_finding() -> None:
    """A file that doesn't parse is reported with its line instead of ending the run."""
    assert [(f.rule, f.line) for f in lint(KIND, "x = 1\ndef (")] == [("syntax", 2)]
