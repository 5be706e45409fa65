"""The scripts that grant what Bicep can't: run by bash against a simulated directory, judged by what it then holds."""

import asyncio
import json
import os
import re
from pathlib import Path

import pytest

from tests.infra.team import ROOT, SCRIPTS, Team, undoing

OWN, GRANT, REGISTER = "own-applications.sh", "grant-graph-permissions.sh", "register-operator-api.sh"
JOIN = "join-azure-devops.sh"
NOBODYS = "7d0f8a4c-27f4-4a51-8f4b-6f3f4d8a0a11"


async def test_the_identity_becomes_an_owner_once(team: Team) -> None:
    """Of listed applications Rekey owns each once, others it doesn't, and a second run changes nothing and says so."""
    team.sign_in("apps@contoso.example")
    listed = team.folder / "applications"
    listed.write_text(f"# the shop's\n{team.client_id('shop').upper()} # live\n\n")
    arguments = ("--application", team.client_id("billing"), "--applications-file", str(listed))
    before, _ = team.held()
    first = await team.script(OWN, *arguments)
    assert first.code == 0, first.err
    owners, _ = team.held()
    assert owners == before | {"billing": [*before["billing"], team.rekey], "shop": [team.rekey]}
    assert "Made the identity an owner of 2 application(s)." in first.out
    second = await team.script(OWN, *arguments)
    assert (second.code, team.held()[0]) == (0, owners)
    assert second.out.count("is an owner already") == 2
    assert "Nothing was changed." in second.out
    for command in undoing(first.out):
        assert (await team.run("bash", "-c", command)).code == 0
    assert team.held()[0] == before


async def test_the_permission_is_granted_once(team: Team) -> None:
    """Rekey gets OwnedBy alone unless more is asked for; a second run changes nothing; the way back leads back."""
    team.sign_in("roles@contoso.example")
    first = await team.script(GRANT)
    assert first.code == 0, first.err
    assert team.held()[1] == ["Application.ReadWrite.OwnedBy"]
    second = await team.script(GRANT, "--also", "Policy.Read.All")
    assert second.code == 0, second.err
    assert "Application.ReadWrite.OwnedBy: granted already" in second.out
    assert team.held()[1] == ["Application.ReadWrite.OwnedBy", "Policy.Read.All"]
    third = await team.script(GRANT, "--also", "Policy.Read.All")
    assert (third.code, team.held()[1]) == (0, ["Application.ReadWrite.OwnedBy", "Policy.Read.All"])
    assert "Nothing was changed." in third.out
    for command in [*undoing(first.out), *undoing(second.out)]:
        assert (await team.run("bash", "-c", command)).code == 0
    assert team.held()[1] == []


async def test_what_if_changes_nothing(team: Team) -> None:
    """With --what-if both say what they would do, send no write, and warn whoever will probably be refused."""
    before = team.held()
    for who, warned in (("apps@contoso.example", [False, True]), ("roles@contoso.example", [True, False])):
        team.sign_in(who)
        own = await team.script(OWN, "--application", team.client_id("shop"), "--what-if")
        grant = await team.script(GRANT, "--what-if")
        assert (own.code, grant.code) == (0, 0)
        assert "would make rekey an owner" in own.out
        assert "Application.ReadWrite.OwnedBy: would grant it" in grant.out
        assert ["This will probably be refused" in ran.out for ran in (own, grant)] == warned
    assert team.held() == before
    requests = (await team.azure.call("GET", f"{team.azure.control}/_sim/requests")).body["requests"]
    asked = [request["method"] for request in requests if request["service"] == "graph"]
    assert asked
    assert set(asked) == {"GET"}


async def test_who_may_not_is_told_what_is_needed(team: Team) -> None:
    """A refusal is exit code 1 with the roles that are needed, and leaves everything as it was."""
    team.sign_in("reader@contoso.example")
    before = team.held()
    own = await team.script(OWN, "--application", team.client_id("shop"))
    grant = await team.script(GRANT)
    assert (own.code, grant.code, team.held()) == (1, 1, before)
    assert "the directory role Application Administrator or Cloud Application" in own.err
    assert "the directory role Privileged Role Administrator" in grant.err
    for ran in (own, grant):
        assert "Authorization_RequestDenied" in ran.err
        assert not list(undoing(ran.out))


async def test_one_refusal_does_not_stop_the_others(team: Team) -> None:
    """Who owns one of two applications hands that one over, and is told that the other was refused."""
    team.sign_in("ann@contoso.example")
    ids = [team.client_id(name) for name in ("shop", "billing")]
    ran = await team.script(OWN, "--application", ids[0], "--application", ids[1])
    assert ran.code == 1
    owners, _ = team.held()
    assert team.rekey in owners["billing"]
    assert team.rekey not in owners["shop"]
    assert "1 of 2 application(s) could not be taken care of" in ran.err


async def test_a_pipeline_may_run_it(team: Team) -> None:
    """An application that is signed in isn't asked for directory roles: it has none, and yet may."""
    team.sign_in("pipeline")
    ran = await team.script(OWN, "--application", team.client_id("shop"))
    assert ran.code == 0, ran.err
    assert team.rekey in team.held()[0]["shop"]


async def test_a_read_that_lags_is_no_failure(team: Team) -> None:
    """Where the directory doesn't show yet what was granted, its refusal to grant it twice counts as done."""
    graph = {"service": "graph", "stale": 120, "count": None}
    await team.azure.call("POST", f"{team.azure.control}/_sim/faults", body=graph)
    for who, script, more in (
        ("apps@contoso.example", OWN, ("--application", team.client_id("shop"))),
        ("roles@contoso.example", GRANT, ()),
    ):
        team.sign_in(who)
        assert (await team.script(script, *more)).code == 0
        again = await team.script(script, *more)
        assert again.code == 0, again.err
        assert "already" in again.out
        assert "Nothing was changed." in again.out
    assert team.held()[0]["shop"].count(team.rekey) == 1


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        (OWN, ["--application", NOBODYS], "--identity: got nothing"),
        (OWN, ["--identity", NOBODYS], "--application: got nothing, expected at least one"),
        (OWN, ["--identity", "rekey", "--application", NOBODYS], "--identity: got 'rekey', expected the object id"),
        (OWN, ["--identity", NOBODYS, "--application", "shop"], "--application: got 'shop', expected an application"),
        (OWN, ["--application"], "--application: got nothing, expected a value after it"),
        (OWN, ["--applications-file", "/nowhere"], "--applications-file: got '/nowhere', expected a file"),
        (OWN, ["--app", NOBODYS], "got '--app', expected --identity"),
        (GRANT, [], "--identity: got nothing"),
        (GRANT, ["--identity", NOBODYS[:-1]], f"--identity: got '{NOBODYS[:-1]}', expected the object id"),
        (GRANT, ["--also", "Directory.Read.All"], "--also: got 'Directory.Read.All', expected one of: Policy.Read.All"),
        (GRANT, ["--also"], "--also: got nothing, expected a value after it"),
        (REGISTER, ["--name", "a'b"], "--name: got 'a'b', expected letters"),
        (REGISTER, ["rekey"], "got 'rekey', expected --name"),
        (JOIN, ["--identity", NOBODYS, "--project", "Shop"], "--organization: got nothing"),
        (JOIN, ["--organization", "https://dev.azure.com/contoso"], "--organization: got 'https://dev.azure.com/cont"),
        (JOIN, ["--project", "a'b"], "--project: got 'a'b', expected a project's name"),
        (JOIN, ["--group", "x'] | [0"], "--group: got 'x'] | [0', expected the name of a project's group"),
    ],
)
async def test_a_wrong_argument_is_named(tmp_path: Path, script: str, arguments: list[str], said: str) -> None:
    """A wrong argument is exit code 2 with its name, its value and what was expected; nothing is asked before."""
    done = await asyncio.create_subprocess_exec(
        "bash",
        str(SCRIPTS / script),
        *arguments,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, err = await done.communicate()
    assert done.returncode == 2, err
    assert said in err.decode()
    assert not out


@pytest.mark.parametrize("script", [OWN, GRANT, REGISTER, JOIN])
async def test_help_says_every_option(team: Team, script: str) -> None:
    """--help names every option that the script takes, and ends well without anybody signed in."""
    ran = await team.run("bash", str(SCRIPTS / script), "--help")
    taken = set(re.findall(r"^ +(--[a-z-]+)\)", (SCRIPTS / script).read_text(), re.MULTILINE)) | {"--what-if", "--help"}
    assert ran.code == 0
    assert taken <= set(re.findall(r"^  (--[a-z-]+) ", ran.out, re.MULTILINE))


async def test_an_identity_that_is_not_there_is_named(team: Team) -> None:
    """Of a client id in place of the object id the right one is told; of an unknown one, where to find it."""
    team.sign_in("roles@contoso.example")
    client = team.azure.cloud.directory.identity("rekey").client_id
    swapped = await team.run("bash", str(SCRIPTS / GRANT), "--identity", client)
    assert swapped.code == 2
    assert f"which is a client id; expected the object id of that service principal: {team.rekey}" in swapped.err
    unknown = await team.run("bash", str(SCRIPTS / GRANT), "--identity", NOBODYS)
    assert unknown.code == 1
    assert "main.bicep's output identityPrincipalId" in unknown.err


async def test_an_unknown_application_is_named(team: Team) -> None:
    """An application that this tenant doesn't have is named, and the run fails."""
    team.sign_in("apps@contoso.example")
    ran = await team.script(OWN, "--application", NOBODYS)
    assert ran.code == 1
    assert f"{NOBODYS}: this tenant has no application with this client id" in ran.err


@pytest.mark.parametrize("script", [OWN, GRANT])
async def test_nobody_signed_in_is_said(team: Team, script: str) -> None:
    """Without a sign-in the scripts say how to sign in."""
    more = ("--application", team.client_id("shop")) if script == OWN else ()
    ran = await team.script(script, *more)
    assert ran.code == 1
    assert "az login --tenant" in ran.err


def test_the_script_grants_what_the_list_says() -> None:
    """The script's permissions are those of infra/permissions.json: the required ones always, the rest on demand."""
    listed = json.loads((ROOT / "infra" / "permissions.json").read_text())
    text = (SCRIPTS / GRANT).read_text()
    named = {
        name: re.findall(rf"^{name}=\((.*)\)$", text, re.MULTILINE)[0].split() for name in ("permissions", "optional")
    }
    assert named["permissions"] == [role["name"] for role in listed["appRoles"] if role["required"]]
    assert named["optional"] == [role["name"] for role in listed["appRoles"] if not role["required"]]
    assert f"graph_app={listed['resource']['appId']}\n" in text
