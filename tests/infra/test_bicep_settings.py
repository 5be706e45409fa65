"""The settings in templates, example file and code are the same, and the app takes what is deployed."""

import json
import re
from pathlib import Path

import pytest

from rekey import settings
from rekey.clouds import CLOUDS
from tests.infra.bicep_defaults import at
from tests.infra.bicep_source import Expression, Template, Value, parts, source, value, walk

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"

OF_THE_PLAN = {"FUNCTIONS_WORKER_RUNTIME"}
"""Flex Consumption refuses it as a setting: functionAppConfig.runtime says it."""
STORAGE = "AzureWebJobsStorage"
OF_AZURE = {"APPLICATIONINSIGHTS_CONNECTION_STRING", "APPLICATIONINSIGHTS_AUTHENTICATION_STRING"}
"""What a machine without Azure has no use for."""


def example() -> dict[str, str]:
    """Return the settings of the example file."""
    values: dict[str, str] = json.loads((ROOT / "local.settings.example.json").read_text(encoding="utf-8"))["Values"]
    return values


def deployed(app: str = "functionApp") -> dict[str, Value]:
    """Return the settings that the templates give a function app: the host's, those of both apps, and its own."""
    main = Template(INFRA / "main.bicep")
    host = Template(INFRA / "app" / "function-app.bicep").variables["hostSettings"]
    shared = main.variables["sharedSettings"]
    given = at(main.modules[app].body, "params.rekeySettings")
    assert isinstance(given, Expression)
    assert given.text.startswith("union(sharedSettings, {")
    own = value(next(node for node in walk(given.node) if node.type == "object"))
    assert isinstance(host, dict)
    assert isinstance(shared, dict)
    assert isinstance(own, dict)
    assert not set(host) & set(own | shared)
    assert not set(own) & set(shared)
    return host | shared | own


def test_the_settings_of_example_and_templates_are_the_same() -> None:
    """Whatever the example shows is deployed, and nothing that it doesn't show but what only Azure needs."""
    names = {name.partition("__")[0] for name in deployed()}
    assert names - OF_AZURE == set(example()) - OF_THE_PLAN


def test_both_function_apps_have_the_same_settings() -> None:
    """The app that vends is given every setting that the one that rotates has, and no other."""
    assert list(deployed("vendingApp")) == list(deployed())


def test_the_settings_of_code_and_templates_are_the_same() -> None:
    """What Rekey's settings modules read is what is deployed."""
    modules = (path.read_text(encoding="utf-8") for path in (ROOT / "rekey").glob("*settings.py"))
    read = {name for module in modules for name in re.findall(r'"(REKEY_[A-Z_]+)"', module)}
    assert {name for name in deployed() if name.startswith("REKEY_")} == read


def test_all_settings_reach_the_app() -> None:
    """The app's configuration is made of both parts, the host's and Rekey's own."""
    template = Template(INFRA / "app" / "function-app.bicep")
    written = template.resources["settings"].body["properties"]
    assert isinstance(written, Expression)
    assert written.text == "union(hostSettings, rekeySettings)"


def test_what_the_plan_says_instead_of_a_setting_is_the_same() -> None:
    """The worker's runtime of the example is the one that the plan is given."""
    app = Template(INFRA / "app" / "function-app.bicep").resources["app"]
    assert at(app.body, "properties.functionAppConfig.runtime.name") == example()["FUNCTIONS_WORKER_RUNTIME"]
    assert set(example()) - {name.partition("__")[0] for name in deployed()} == OF_THE_PLAN


def test_storage_is_reached_by_identity_in_every_service() -> None:
    """Blobs, queues and tables, the durable engine's included, are named by address, with the identity's client id."""
    of_storage = {name: value for name, value in deployed().items() if name.startswith(STORAGE)}
    assert set(of_storage) == {
        *(f"{STORAGE}__{service}ServiceUri" for service in ("blob", "queue", "table")),
        *(f"{STORAGE}__credential", f"{STORAGE}__clientId"),
    }
    assert of_storage[f"{STORAGE}__credential"] == "managedidentity"


def test_every_cloud_of_the_code_can_be_deployed_to() -> None:
    """Each Azure environment is mapped to the name that the code has for it."""
    assert Template(INFRA / "main.bicep").variables["clouds"] == {
        "AzureCloud": "public",
        "AzureUSGovernment": "usgovernment",
        "AzureChinaCloud": "china",
    }
    assert set(CLOUDS) == {"public", "usgovernment", "china"}


def test_every_plane_but_the_apps_own_storage_may_have_its_identity() -> None:
    """The planes that the template knows are those of the code."""
    text = (INFRA / "main.bicep").read_text(encoding="utf-8")
    listed = re.search(r"^  plane: (.*)$", text, re.MULTILINE)
    assert listed
    assert set(re.findall(r"'([\w-]+)'", listed[1])) == set(settings.PLANES) - {"storage"}
    for plane in set(settings.PLANES) - {"storage"}:
        assert re.search(rf"principals(?:\.\?{plane}\b|\[\?'{plane}'\]) \?\? identity\.", text), plane


def test_the_scopes_have_the_fields_that_the_code_takes() -> None:
    """Each vault becomes one scope, with every field that a scope may have."""
    scopes = Template(INFRA / "main.bicep").variables["scopes"]
    assert isinstance(scopes, Expression)
    (body,) = [n for n in scopes.node.named_children[1].named_children[1].named_children if n.type == "object"]
    assert {source(parts(p)[0]) for p in parts(body)} == set(settings.Scope.__struct_fields__)


@pytest.mark.parametrize(
    ("old", "new"),
    [("  REKEY_OPERATORS: join(operators, ',')\n", ""), ("REKEY_OPERATORS:", "REKEY_OPERATOR:")],
)
def test_a_missing_or_misspelt_setting_is_noticed(
    old: str, new: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A setting that is left out, or that nobody reads, breaks the comparison with example and code."""
    (tmp_path / "app").mkdir()
    for file in ("main.bicep", "app/function-app.bicep"):
        text = (INFRA / file).read_text(encoding="utf-8")
        (tmp_path / file).write_text(text.replace(old, new), encoding="utf-8")
    monkeypatch.setattr("tests.infra.test_bicep_settings.INFRA", tmp_path)
    for check in (
        test_the_settings_of_example_and_templates_are_the_same,
        test_the_settings_of_code_and_templates_are_the_same,
    ):
        with pytest.raises(AssertionError):
            check()
