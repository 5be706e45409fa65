"""The script that registers the operator API's application: run by bash against a simulated directory."""

import pytest

from local.azure.directory import Application
from tests.infra.team import Team, undoing

SCRIPT = "register-operator-api.sh"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


def registered(team: Team) -> list[Application]:
    """Return the applications of the default name."""
    return [app for app in team.azure.cloud.directory.applications.values() if app.name == "rekey-operator-api"]


async def test_it_is_registered_once(team: Team) -> None:
    """Anybody may register it; tokens of version 2 for the Azure CLI, no password; a second run changes nothing."""
    team.sign_in("ann@contoso.example")
    first = await team.tool(SCRIPT)
    assert first.code == 0, first.err
    (app,) = registered(team)
    assert app.identifier_uris == [f"api://{app.app_id}"]
    assert app.service_principal
    assert not app.passwords
    assert app.api["requestedAccessTokenVersion"] == 2
    (scope,) = app.api["oauth2PermissionScopes"]
    assert scope["value"] == "user_impersonation"
    assert app.api["preAuthorizedApplications"] == [{"appId": AZURE_CLI, "delegatedPermissionIds": [scope["id"]]}]
    assert f"export REKEY_OPERATOR_API_CLIENT_ID={app.app_id}\n" in first.out
    second = await team.tool(SCRIPT)
    assert second.code == 0, second.err
    assert ": done" not in second.out
    assert f"export REKEY_OPERATOR_API_CLIENT_ID={app.app_id}\n" in second.out
    (command,) = undoing(first.out)
    assert (await team.run("bash", "-c", command)).code == 0
    assert registered(team) == []


async def test_what_is_missing_is_completed(team: Team) -> None:
    """A run that was stopped half-way is finished by the next one: same application, nothing twice."""
    team.sign_in("ann@contoso.example")
    assert (await team.tool(SCRIPT)).code == 0
    (app,) = registered(team)
    scopes = app.api["oauth2PermissionScopes"]
    vars(app).update(identifier_uris=[], service_principal=None)
    app.api["preAuthorizedApplications"] = []
    told = await team.tool(SCRIPT, "--what-if")
    assert (told.code, app.identifier_uris) == (0, [])
    assert "0, 0 and 0 are there; the rest would be made" in told.out
    again = await team.tool(SCRIPT)
    assert again.code == 0, again.err
    assert registered(team) == [app]
    assert app.identifier_uris
    assert app.service_principal
    assert app.api["preAuthorizedApplications"][0]["appId"] == AZURE_CLI
    assert app.api["oauth2PermissionScopes"] == scopes


async def test_what_if_registers_nothing(team: Team) -> None:
    """With --what-if it is said what would be registered, and it isn't."""
    team.sign_in("ann@contoso.example")
    ran = await team.tool(SCRIPT, "--what-if")
    assert ran.code == 0, ran.err
    assert "would register the application rekey-operator-api" in ran.out
    assert registered(team) == []


@pytest.mark.parametrize(("who", "said"), [("ann@contoso.example", "wasn't made by this script"), (None, "az login")])
async def test_it_does_not_touch_what_it_did_not_make(team: Team, who: str | None, said: str) -> None:
    """An application that has the name for another reason stays as it is; nobody signed in is said."""
    team.sign_in(who)
    before = dict(vars(team.azure.cloud.directory.application("billing")))
    ran = await team.tool(SCRIPT, "--name", "billing")
    assert ran.code == 1
    assert said in ran.err
    assert vars(team.azure.cloud.directory.application("billing")) == before


async def test_a_directory_that_lets_only_some_register_says_so(team: Team) -> None:
    """A refusal is exit code 1 with the role that is needed."""
    team.sign_in("reading")
    ran = await team.tool(SCRIPT)
    assert ran.code == 1
    assert "Authorization_RequestDenied" in ran.err
    assert "needed is the directory role Application Developer" in ran.err
    assert registered(team) == []
