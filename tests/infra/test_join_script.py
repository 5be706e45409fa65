"""The script that lets an identity into Azure DevOps: run by bash, judged by what the organization then has."""

import json
from typing import Any

import pytest

from tests.infra.team import Ran, Team, undoing

JOIN = "join-azure-devops.sh"
GROUPS = ("--group", "Readers", "--group", "Endpoint Administrators")
SHOP, WEB = "b3f47e91-6c8a-4d12-9a4e-1b9d3e9f4dc1", "b3f47e91-6c8a-4d12-9a4e-1b9d3e9f4dc2"
STATE: dict[str, Any] = {
    "projects": {
        "Shop": {"id": SHOP, "groups": {"Readers": "vssgp.sr", "Endpoint Administrators": "vssgp.se"}},
        "Web Site": {"id": WEB, "groups": {"Readers": "vssgp.wr"}},
    },
    "users": {"7d0f8a4c-27f4-4a51-8f4b-6f3f4d8a0a11": "aadsp.other"},
    "members": {"aadsp.other": ["vssgp.sr"]},
    "may": True,
    "full": False,
    "requests": [],
}


def given(team: Team, **changes: Any) -> None:
    """Let the organization be so, and sign in somebody."""
    (team.folder / "devops.json").write_text(json.dumps(STATE | changes))
    team.sign_in("ann@contoso.example")


def state(team: Team) -> Any:
    """Return what the organization has."""
    return json.loads((team.folder / "devops.json").read_text())


async def run(team: Team, *arguments: str, project: str = "Shop") -> Ran:
    """Run the script for Rekey's identity."""
    return await team.script(JOIN, "--organization", "contoso", "--project", project, *arguments)


async def test_the_identity_becomes_a_user_and_a_member_once(team: Team) -> None:
    """It is a user with a licence and in both groups; a second run changes nothing; the way back leads back."""
    given(team)
    first = await run(team, *GROUPS)
    assert first.code == 0, first.err
    known = state(team)
    user = known["users"][team.rekey]
    assert known["members"] == {"aadsp.other": ["vssgp.sr"], user: ["vssgp.sr", "vssgp.se"]}
    assert "rekey is a user now, with the access level Basic" in first.out
    second = await run(team, *GROUPS)
    assert (second.code, second.out.count("already")) == (0, 3)
    assert "Nothing was changed." in second.out
    assert state(team)["members"] == known["members"]
    for command in undoing(first.out):
        assert (await team.run("bash", "-c", command)).code == 0
    assert state(team)["members"][user] == []


async def test_what_if_changes_nothing(team: Team) -> None:
    """With --what-if it says what it would do, for somebody who isn't a user yet, and sends no write."""
    given(team)
    ran = await run(team, "--what-if", project="Web Site")
    assert ran.code == 0, ran.err
    assert "contoso: would make rekey a user with the access level Basic" in ran.out
    assert "Web Site, Readers: would make rekey a member" in ran.out
    known = state(team)
    assert set(known.pop("requests")) == {"GET"}
    assert known == {name: value for name, value in STATE.items() if name != "requests"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"may": False}, "needed is membership of the organization's group Project Collection Administrators"),
        pytest.param({"full": True}, "added to contoso: No licence is left.", marks=pytest.mark.exhaustive),
    ],
)
async def test_who_can_not_be_added_is_said(team: Team, changes: dict[str, Any], said: str) -> None:
    """A refusal is exit code 1, with what is needed or what Azure DevOps said."""
    given(team, **changes)
    ran = await run(team)
    assert ran.code == 1
    assert said in ran.err


async def test_an_unknown_project_does_not_stop_the_others(team: Team) -> None:
    """A project or a group that isn't there is named, the others are done, and the run fails."""
    given(team, users=STATE["users"] | {team.rekey: "aadsp.rekey"})
    ran = await run(team, "--project", "Web Site", *GROUPS, project="Nowhere")
    assert ran.code == 1
    assert "Nowhere: contoso has no such project, or you may not see it" in ran.err
    assert "Web Site, Endpoint Administrators: there is no such group" in ran.err
    assert state(team)["members"]["aadsp.rekey"] == ["vssgp.wr"]
