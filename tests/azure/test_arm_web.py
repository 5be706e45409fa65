"""Microsoft.Web of the simulated Azure Resource Manager: app settings and Key Vault references of sites and slots."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.azure.arm_web_state import Site
from local.azure.keyvault_state import Version
from tests.azure.contracts import needs_contracts, validate_request, validate_response
from tests.azure.simulated import Answer, Simulated, simulated

SPEC = "arm-web-appsettings/specification/web/resource-manager/Microsoft.Web/stable/2023-12-01/WebApps.json"
GROUP = "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rekey-sim"
SHOP = f"{GROUP}/providers/Microsoft.Web/sites/shop"
STAGE = f"{SHOP}/slots/stage"
SETTINGS = "/config/appsettings"
REFERENCES = "/config/configreferences/appsettings"
PASSWORD = "@Microsoft.KeyVault(VaultName=kv;SecretName=password)"
NONE = "0" * 32
DOCUMENT: dict[str, Any] = {
    "identities": {"editor": {}, "reader": {}, "shop": {}, "bare": {}},
    "applications": {"app": {"passwords": [{}]}},
    "role_assignments": [
        {"identity": "editor", "role": "Website Contributor", "scope": SHOP},
        {"identity": "reader", "role": "Reader", "scope": GROUP},
    ],
    "vaults": {
        "kv": {"roles": {"shop": "Key Vault Secrets User"}, "secrets": {"password": {"value": "first"}}},
        "other": {"secrets": {"password": {"value": "x"}}},
    },
    "sites": {
        "shop": {
            "identity": "shop",
            "settings": {"PASSWORD": PASSWORD, "COLOUR": "red", "KEY": {"password_of": "app"}},
            "sticky": ["COLOUR"],
            "slots": {"stage": {"settings": {"COLOUR": "blue", "PASSWORD": PASSWORD}}},
        },
    },
}


@pytest.fixture
async def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Simulated]:
    """A simulated Azure with a site and its slot."""
    async with simulated(tmp_path, monkeypatch) as running:
        await running.seed(DOCUMENT)
        yield running


def site(azure: Simulated, name: str = "shop") -> Site:
    """Return a site as App Service keeps it."""
    found: Site = azure.cloud.services["arm"].providers["Microsoft.Web"].named(name)  # type: ignore[attr-defined]
    return found


async def ask(azure: Simulated, method: str, path: str, body: Any = None, who: str = "editor") -> Answer:
    """Send a request of this api-version."""
    url = f"{azure.cloud.url('management')}{path}?api-version=2023-12-01"
    return await azure.call(method, url, token=azure.token(who, "https://management.azure.com"), body=body)


def new_version(azure: Simulated, value: str) -> str:
    """Store a version of the password and return its id."""
    made = Version(value, 0, 0)
    azure.cloud.keyvault.vaults["kv"].store("password", made)
    return made.id


@needs_contracts
async def test_answers_and_requests_are_as_specified(azure: Simulated) -> None:
    """Every operation's answer fits the published specification, for the site and for its slot."""
    for at, slot in ((SHOP, ""), (STAGE, "Slot")):
        listed = await ask(azure, "POST", f"{at}{SETTINGS}/list")
        validate_response(SPEC, f"WebApps_ListApplicationSettings{slot}", listed.status, listed.body)
        body = {"properties": {**listed.body["properties"], "MORE": "1"}}
        validate_request(SPEC, f"WebApps_UpdateApplicationSettings{slot}", body, {"api-version": "2023-12-01"})
        written = await ask(azure, "PUT", f"{at}{SETTINGS}", body)
        validate_response(SPEC, f"WebApps_UpdateApplicationSettings{slot}", written.status, written.body)
        found = await ask(azure, "GET", f"{at}{REFERENCES}")
        validate_response(SPEC, f"WebApps_GetAppSettingsKeyVaultReferences{slot}", found.status, found.body)
        one = await ask(azure, "GET", f"{at}{REFERENCES}/PASSWORD")
        validate_response(SPEC, f"WebApps_GetAppSettingKeyVaultReference{slot}", one.status, one.body)
    whole = await ask(azure, "GET", SHOP)
    validate_response(SPEC, "WebApps_Get", whole.status, whole.body)
    sticky = await ask(azure, "GET", f"{SHOP}/config/slotConfigNames")
    validate_response(SPEC, "WebApps_ListSlotConfigurationNames", sticky.status, sticky.body)
    assert sticky.body["properties"]["appSettingNames"] == ["COLOUR"]


async def test_put_takes_every_other_setting_away(azure: Simulated) -> None:
    """Settings that a PUT doesn't name are deleted, those of the slot stay, and the site starts anew."""
    answer = await ask(azure, "PUT", f"{SHOP}{SETTINGS}", {"properties": {"COLOUR": "green"}})
    assert answer.body["properties"] == site(azure).settings == {"COLOUR": "green"}
    assert site(azure).slots["stage"].settings["COLOUR"] == "blue"
    assert site(azure).restarts == 1
    await ask(azure, "PUT", f"{SHOP}{SETTINGS}", {"properties": {"COLOUR": "green"}})
    assert site(azure).restarts == 1
    wrong = await ask(azure, "PUT", f"{SHOP}{SETTINGS}", {"properties": {"COLOUR": 1}})
    assert wrong.status == 400
    assert site(azure).settings == {"COLOUR": "green"}


async def test_references_are_read_with_the_sites_identity(azure: Simulated) -> None:
    """A reference is resolved to the vault's value, and the vault knows who read it."""
    answer = await ask(azure, "GET", f"{SHOP}{REFERENCES}/PASSWORD")
    version = azure.cloud.keyvault.vaults["kv"].secret("password").latest
    told = answer.body["properties"]
    assert (told["status"], told["vaultName"], told["secretName"]) == ("Resolved", "kv", "password")
    assert told["activeVersion"] == version.id
    assert "secretVersion" not in told
    assert site(azure).environment()["PASSWORD"] == "first"
    assert version.reads[0].caller == azure.cloud.directory.identity("shop").client_id
    assert (await ask(azure, "GET", f"{SHOP}{REFERENCES}/COLOUR")).status == 404


async def test_new_version_arrives_within_a_day(azure: Simulated) -> None:
    """Without anything being asked, the app gets the old value for up to 24 hours."""
    await ask(azure, "GET", f"{SHOP}{REFERENCES}")
    made = new_version(azure, "second")
    azure.cloud.clock.advance(timedelta(hours=23))
    assert site(azure).environment()["PASSWORD"] == "first"
    azure.cloud.clock.advance(timedelta(hours=1))
    answer = await ask(azure, "GET", f"{SHOP}{REFERENCES}/PASSWORD")
    assert answer.body["properties"]["activeVersion"] == made
    assert site(azure).environment()["PASSWORD"] == "second"


async def test_any_change_and_a_refresh_read_references_again(azure: Simulated) -> None:
    """A changed setting brings the newest version at once, and so does a refresh, which restarts nothing."""
    await ask(azure, "GET", f"{SHOP}{REFERENCES}")
    second = new_version(azure, "second")
    body = {"properties": {**site(azure).settings, "COLOUR": "green"}}
    await ask(azure, "PUT", f"{SHOP}{SETTINGS}", body)
    answer = await ask(azure, "GET", f"{SHOP}{REFERENCES}/PASSWORD")
    assert answer.body["properties"]["activeVersion"] == second
    third = new_version(azure, "third")
    refreshed = await ask(azure, "POST", f"{SHOP}{REFERENCES}/refresh")
    assert [one["properties"]["activeVersion"] for one in refreshed.body["value"]] == [third]
    assert site(azure).restarts == 1


async def test_refresh_may_take_its_time(azure: Simulated) -> None:
    """Where a refresh takes a while, the old version is told until it is through."""
    part = {"identity": "shop", "settings": {"P": PASSWORD}, "refresh_seconds": 30}
    await azure.seed({"sites": {"slow": part, "mute": {**part, "tells_version": False}}})
    site(azure, "slow").references()
    new_version(azure, "second")
    site(azure, "slow").refresh()
    assert site(azure, "slow").environment()["P"] == "first"
    azure.cloud.clock.advance(timedelta(seconds=30))
    assert site(azure, "slow").environment()["P"] == "second"
    told = await ask(azure, "GET", f"{GROUP}/providers/Microsoft.Web/sites/mute{REFERENCES}/P", who="reader")
    assert told.body["properties"]["status"] == "Resolved"
    assert "activeVersion" not in told.body["properties"]


async def test_references_that_fail_say_why(azure: Simulated) -> None:
    """Each way in which a reference can't be resolved has its status, and the app gets the reference's own text."""
    kv = azure.cloud.keyvault.vaults["kv"]
    disabled = Version("x", 0, 0, enabled=False)
    kv.store("disabled", disabled)
    wanted = {
        "@Microsoft.KeyVault(SecretUri=https://kv.vault.localhost:1/secrets/password/)": "Resolved",
        f"@Microsoft.KeyVault(SecretUri=https://kv.vault.localhost/secrets/password/{NONE})": "SecretVersionNotFound",
        "@Microsoft.KeyVault(VaultName=kv;SecretName=none)": "SecretNotFound",
        "@Microsoft.KeyVault(VaultName=kv;SecretName=disabled)": "OtherReasons",
        "@Microsoft.KeyVault(VaultName=nowhere;SecretName=password)": "VaultNotFound",
        "@Microsoft.KeyVault(VaultName=other;SecretName=password)": "AccessToKeyVaultDenied",
        "@Microsoft.KeyVault(password)": "InvalidSyntax",
    }
    settings = {f"S{number}": text for number, text in enumerate(wanted)}
    await azure.seed({"sites": {"odd": {"identity": "shop", "settings": settings}}})
    found = site(azure, "odd").references()
    assert [found[name].status for name in settings] == list(wanted.values())
    assert {k: v for k, v in site(azure, "odd").environment().items() if k != "S0"} == {
        k: v for k, v in settings.items() if k != "S0"
    }
    assert site(azure).slots["stage"].references()["PASSWORD"].status == "MSINotEnabled"


async def test_rights_and_names_are_checked(azure: Simulated) -> None:
    """Readers see sites and references but no settings; what isn't there is a 404; a seed names its mistakes."""
    assert (await ask(azure, "GET", f"{SHOP}{REFERENCES}", who="reader")).status == 200
    for method, path in (("POST", f"{SETTINGS}/list"), ("PUT", SETTINGS), ("POST", f"{REFERENCES}/refresh")):
        refused = await ask(azure, method, f"{SHOP}{path}", {"properties": {}}, who="reader")
        assert (refused.status, refused.body["error"]["code"]) == (403, "AuthorizationFailed")
    assert (await ask(azure, "GET", SHOP, who="bare")).status == 403
    assert (await ask(azure, "GET", STAGE.upper().replace("SUBSCRIPTIONS", "subscriptions"))).status == 200
    for path in (f"{GROUP}/providers/Microsoft.Web/sites/none", f"{SHOP}/slots/none"):
        assert (await ask(azure, "GET", path, who="reader")).body["error"]["code"] == "ResourceNotFound"
    for part in ({"identity": "nobody"}, {"settings": {"A": {"password_of": "nobody"}}}, {"slots": {"s": {"x": 1}}}):
        answer = await azure.call("POST", f"{azure.control}/_sim/seed", body={"sites": {"odd": part}})
        assert answer.status == 400
        assert "sites.odd" in answer.body["error"]
