"""What settings allow to be done to service connections, and which function app may do it."""

import json

import pytest

from rekey.errors import SettingError
from rekey.federation_settings import REFUSED, Duty, Federating, federating
from rekey.model.federation import Mode

CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
SUBSCRIPTION = "/subscriptions/6b1b3a51-08a8-4dd9-8f4c-6b0f2d7ac0de"


def vending(**changes: object) -> dict[str, str]:
    """Return the environment of an app that vends."""
    found = {
        "roles": [CONTRIBUTOR.upper()],
        "scopes": [f"{SUBSCRIPTION}/resourceGroups/shop"],
        "identities": f"{SUBSCRIPTION}/resourceGroups/identities",
        "location": "westeurope",
    }
    return {"REKEY_DUTY": "vending", "REKEY_VENDING": json.dumps(found | changes)}


def test_an_app_that_rotates_repairs_alone_unless_told_otherwise() -> None:
    """Conversion, new connections and roles are off by default."""
    assert federating({}) == Federating(duty=Duty.ROTATION, modes=(Mode.REPAIR,), vending=None)
    assert federating({"REKEY_FEDERATION": "in-place"}).modes == (Mode.IN_PLACE,)
    assert federating({"REKEY_FEDERATION": ""}).modes == ()


def test_an_app_that_vends_rotates_nothing_and_converts_nothing() -> None:
    """Whoever may grant roles does nothing else."""
    found = federating(vending())
    assert found.modes == (Mode.SIDE_BY_SIDE, Mode.VEND)
    with pytest.raises(SettingError, match="in-place"):
        federating(vending() | {"REKEY_FEDERATION": "in-place"})


@pytest.mark.parametrize("mode", ["side-by-side", "vend", "everything"])
def test_an_app_that_rotates_can_not_be_told_to_make_connections(mode: str) -> None:
    """What needs rights over role assignments is refused by name."""
    with pytest.raises(SettingError, match=f"REKEY_FEDERATION.*{mode}"):
        federating({"REKEY_FEDERATION": mode})


@pytest.mark.parametrize("role", REFUSED)
def test_roles_that_grant_all_others_are_refused(role: str) -> None:
    """Neither Owner nor an access administrator can be put into the setting, in any case."""
    with pytest.raises(SettingError, match=REFUSED[role]):
        federating(vending(roles=[CONTRIBUTOR, role.upper()]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("roles", ["Contributor"]),
        ("scopes", ["/"]),
        ("scopes", ["/providers/Microsoft.Management/managementGroups/all"]),
        ("scopes", [f"{SUBSCRIPTION}/"]),
        ("identities", SUBSCRIPTION),
        ("location", "West Europe"),
        ("more", "of it"),
    ],
)
def test_what_can_not_be_used_is_named(field: str, value: object) -> None:
    """A wrong part of REKEY_VENDING is named, with its value."""
    with pytest.raises(SettingError, match=field):
        federating(vending(**{field: value}))


def test_vending_without_its_settings_or_settings_without_the_duty_stop_the_app() -> None:
    """Half of it is refused, so that nobody believes that it works."""
    with pytest.raises(SettingError, match="REKEY_VENDING"):
        federating({"REKEY_DUTY": "vending"})
    with pytest.raises(SettingError, match="REKEY_VENDING"):
        federating(vending() | {"REKEY_DUTY": "rotation"})
    with pytest.raises(SettingError, match="REKEY_DUTY"):
        federating({"REKEY_DUTY": "both"})


def test_a_role_is_allowed_at_its_scopes_and_below_alone() -> None:
    """A scope that merely begins alike is another one."""
    allowed = federating(vending()).vending
    assert allowed is not None
    group = f"{SUBSCRIPTION}/resourceGroups/shop"
    assert allowed.allows(CONTRIBUTOR, group)
    assert allowed.allows(CONTRIBUTOR.upper(), f"{group.upper()}/providers/Microsoft.Web/sites/web")
    assert not allowed.allows(CONTRIBUTOR, f"{group}-other")
    assert not allowed.allows(CONTRIBUTOR, SUBSCRIPTION)
    assert not allowed.allows("acdd72a7-3385-48ef-bd42-f606fba81ae7", group)
