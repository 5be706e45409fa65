"""Settings: what starts the app, what stops it with a sentence that names the setting, and what scopes allow."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey.clouds import CLOUDS, Cloud
from rekey.errors import ScopeError, SettingError
from rekey.settings import PLANES, Partial, read, read_partial
from tests.rekey.toys import APP, ENVIRONMENT, FOREIGN_APP, OTHER_APP, VAULT, settings

IDENTITY = "cccccccc-0000-4000-8000-000000000001"
CUSTOM = msgspec.to_builtins(CLOUDS["public"]) | {
    "graph": "https://graph.localhost:8443",
    "azure_devops": "https://devops.localhost:8443",
    "vault_suffix": "vault.localhost:8443",
    "mail_suffix": "mail.localhost:8443",
}


def scope(**changes: object) -> str:
    """Return REKEY_SCOPES with one scope."""
    return json.dumps([{"vaults": ["kv-shop"], "applications": [APP]} | changes])


def test_valid_settings_are_read() -> None:
    """Ids come out in lower case, lists without spaces, the mail endpoint without its slash."""
    found = settings()
    assert found.tenant_id == "bbbbbbbb-0000-4000-8000-000000000001"
    assert found.cloud == CLOUDS["public"]
    assert found.mail_domains == ("contoso.example", "shop.contoso.example")
    assert found.mail_endpoint == "https://rekey.europe.communication.azure.com"
    assert found.vaults() == ("kv-other", "kv-shop")
    assert found.identities == {}


@pytest.mark.parametrize(
    "name", [name for name in ENVIRONMENT if name not in {"REKEY_CLOUD", "REKEY_IDENTITY_CLIENT_ID"}]
)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_setting_is_named(name: str, value: str | None) -> None:
    """Without any one of the mandatory settings, or with an empty one, the app stops with a sentence that names it."""
    environ = {k: v for k, v in ENVIRONMENT.items() if k != name} | ({} if value is None else {name: value})
    with pytest.raises(SettingError, match=f"^{name}: got .*, expected "):
        read(environ)


def test_the_staging_vault_is_rekeys_own() -> None:
    """A staging vault that a scope also binds would let tags name staged values: the app doesn't start with it."""
    environ = ENVIRONMENT | {"REKEY_STAGING_VAULT": VAULT.upper()}
    with pytest.raises(SettingError, match=r"^REKEY_STAGING_VAULT: "):
        read(environ)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("REKEY_DEPLOYMENT", v) for v in ("Prod", "a/b", "x" * 21, "-a", "a b")),
        *(("REKEY_TENANT_ID", v) for v in ("contoso.example", APP + "0", f"{{{APP}}}")),
        *(("REKEY_STAGING_VAULT", v) for v in ("ab", "1kv", "kv--a", "kv-", "https://kv.vault.azure.net", "kv_a")),
        *(
            ("REKEY_OPERATORS", v)
            for v in (",", "ops", "ops@localhost", "a@b.example, c", "a@b.example\nBcc:c@d.example")
        ),
        *(("REKEY_MAIL_DOMAINS", v) for v in ("@contoso.example", "*", "*.contoso.example", "contoso", "a.b, c d.e")),
        *(("REKEY_MAIL_SENDER", v) for v in ("rekey", "Rekey <rekey@contoso.example>")),
        ("REKEY_MAIL_ENDPOINT", "http://rekey.communication.azure.com"),
        ("REKEY_MAIL_ENDPOINT", "https://communication.azure.com"),
        ("REKEY_MAIL_ENDPOINT", "https://rekey.communication.azure.com.evil.example"),
        ("REKEY_MAIL_ENDPOINT", "https://evil.example:443.communication.azure.com"),
        ("REKEY_MAIL_ENDPOINT", "https://evil.example/x.communication.azure.com"),
        ("REKEY_MAIL_ENDPOINT", "https://user@rekey.communication.azure.com"),
        ("REKEY_MAIL_ENDPOINT", "https://[rekey.communication.azure.com"),
        ("REKEY_CLOUD", "moon"),
        ("REKEY_CLOUD", "{}"),
        ("REKEY_CLOUD", json.dumps(CUSTOM | {"surprise": "x"})),
        ("AzureWebJobsStorage__blobServiceUri", "http://a.blob.core.windows.net"),
        ("AzureWebJobsStorage__blobServiceUri", "https://a.blob.core.windows.net/container"),
        ("AzureWebJobsStorage__accountName", "a/../b"),
        ("REKEY_IDENTITIES", "[]"),
        ("REKEY_IDENTITIES", json.dumps({"moon": IDENTITY})),
        ("REKEY_IDENTITIES", json.dumps({"vault": "me"})),
        ("REKEY_IDENTITY_CLIENT_ID", "me"),
        ("REKEY_SCOPES", "kv-shop"),
        ("REKEY_SCOPES", "[]"),
        ("REKEY_SCOPES", "{}"),
        ("REKEY_SCOPES", scope(vaults=[])),
        ("REKEY_SCOPES", scope(vaults=["*"])),
        ("REKEY_SCOPES", scope(vaults=["kv-shop.vault.azure.net"])),
        ("REKEY_SCOPES", scope(applications=["My app"])),
        ("REKEY_SCOPES", scope(applications=["*"])),
        ("REKEY_SCOPES", scope(organizations={"https://dev.azure.com/contoso": ["Shop"]})),
        ("REKEY_SCOPES", scope(organizations={"contoso": "Shop"})),
        ("REKEY_SCOPES", scope(organizations={"contoso": [""]})),
        ("REKEY_SCOPES", scope(resources=["/"])),
        ("REKEY_SCOPES", scope(resources=["/subscriptions"])),
        ("REKEY_SCOPES", scope(resources=[f"/subscriptions/{APP}/"])),
        ("REKEY_SCOPES", scope(resources=[f"/subscriptions/{APP}/resourceGroups/../x?y"])),
        ("REKEY_SCOPES", scope(project="Shop")),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    """A setting that can't be used stops the app with what it got and what was expected."""
    with pytest.raises(SettingError, match=f"^{name}: got .*, expected .") as refused:
        settings(**{name: value})
    assert refused.value.code == "bad-setting"
    assert name in refused.value.what_to_do


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, "http://a.localhost") for field in ("authority", "graph", "resource_manager", "azure_devops")),
        ("azure_devops_release", "https://vsrm.dev.azure.com/contoso"),
        *(("graph", v) for v in ("https://a/b", "https://a@b", "https://a?b", "https://a b", "https://", "https://[a")),
        *(("vault_suffix", v) for v in ("", ".vault.azure.net", "a/b", "a@b")),
        ("mail_suffix", ".communication.azure.com"),
        ("storage_suffix", "core/windows"),
        ("vault_resource", "vault"),
    ],
)
def test_a_bad_endpoint_of_a_custom_cloud_is_named(field: str, value: str) -> None:
    """Every endpoint of a custom cloud is https and nothing but an origin, for tokens are sent there."""
    with pytest.raises(SettingError, match=rf"^REKEY_CLOUD\.{field}: "):
        settings(REKEY_CLOUD=json.dumps(CUSTOM | {field: value}))


def test_a_custom_cloud_is_used_as_given() -> None:
    """Hosts with ports are fine, and the mail endpoint is held against the cloud's own suffix."""
    found = settings(REKEY_CLOUD=json.dumps(CUSTOM), REKEY_MAIL_ENDPOINT="https://me.mail.localhost:8443")
    assert found.cloud == msgspec.convert(CUSTOM, Cloud)
    assert found.cloud.vault_url("kv-shop") == "https://kv-shop.vault.localhost:8443"
    with pytest.raises(SettingError, match="REKEY_MAIL_ENDPOINT"):
        settings(REKEY_CLOUD=json.dumps(CUSTOM))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REKEY_MAIL_ENDPOINT", "endpoint=https://rekey.communication.azure.com/;accesskey=canary-1"),
        ("AzureWebJobsStorage__blobServiceUri", "https://a.blob.core.windows.net/?sv=2030-01-01&sig=canary-1"),
    ],
)
def test_a_key_in_the_wrong_place_is_not_shown(name: str, value: str) -> None:
    """Where people paste connection strings and SAS URLs, the refusal names the setting and hides the value."""
    with pytest.raises(SettingError, match=f"^{name}: ") as refused:
        settings(**{name: value})
    assert "canary" not in str(refused.value) + repr(refused.value.value)


@pytest.mark.parametrize(
    ("cloud", "mail", "origin"),
    [
        ("public", "communication.azure.com", "https://rekeystore.blob.core.windows.net"),
        ("usgovernment", "communication.azure.us", "https://rekeystore.blob.core.usgovcloudapi.net"),
        ("china", "communication.azure.cn", "https://rekeystore.blob.core.chinacloudapi.cn"),
    ],
)
def test_a_storage_account_by_name_is_in_its_own_cloud(cloud: str, mail: str, origin: str) -> None:
    """The account's name alone becomes the blob service's origin in the cloud that is set."""
    changes = {"AzureWebJobsStorage__accountName": "rekeystore", "REKEY_MAIL_ENDPOINT": f"https://a.{mail}"}
    assert settings(REKEY_CLOUD=cloud, **changes).storage == origin


def test_in_azure_an_identity_is_mandatory() -> None:
    """Where there is a managed identity, its client id is set: never one falling through to another."""
    with pytest.raises(SettingError, match="REKEY_IDENTITY_CLIENT_ID"):
        settings(IDENTITY_ENDPOINT="http://localhost/msi")
    assert settings(REKEY_IDENTITY_CLIENT_ID=IDENTITY).identities == dict.fromkeys(PLANES, IDENTITY)


def test_a_plane_can_have_its_own_identity() -> None:
    """REKEY_IDENTITIES replaces the identity of the planes it names and of no other."""
    found = settings(REKEY_IDENTITY_CLIENT_ID=IDENTITY, REKEY_IDENTITIES=json.dumps({"graph": APP})).identities
    assert found == dict.fromkeys(PLANES, IDENTITY) | {"graph": APP}


def test_a_scope_binds_its_own_vaults_only() -> None:
    """What one vault's secrets may name, another's may not; names compare without case."""
    found = settings()
    assert found.allows_application(VAULT.upper(), OTHER_APP.upper())
    assert not found.allows_application(VAULT, FOREIGN_APP)
    assert found.allows_project(VAULT, "CONTOSO", "shop")
    assert not found.allows_project(VAULT, "contoso", "web")
    assert not found.allows_project(VAULT, "fabrikam", "web")
    assert found.allows_organization(VAULT, "contoso")
    assert not found.allows_organization(VAULT, "fabrikam")


def test_a_vault_without_scope_is_refused() -> None:
    """A vault that no scope names allows nothing, and the refusal names those that are."""
    with pytest.raises(ScopeError, match="kv-other, kv-shop"):
        settings().allows_application("kv-rogue", APP)


NAMES = st.lists(st.sampled_from(["kv-a", "kv-b", "kv-c"]), min_size=1, max_size=3)
APPS = st.lists(st.sampled_from([APP, OTHER_APP, FOREIGN_APP]), max_size=3)


@given(st.lists(st.tuples(NAMES, APPS), min_size=1, max_size=4))
def test_nothing_is_allowed_that_no_scope_says(pairs: list[tuple[list[str], list[str]]]) -> None:
    """An application is allowed to a vault exactly if one scope has both of them."""
    found = settings(REKEY_SCOPES=json.dumps([{"vaults": v, "applications": a} for v, a in pairs]))
    for vault in found.vaults():
        for app in (APP, OTHER_APP, FOREIGN_APP):
            assert found.allows_application(vault, app) is any(vault in v and app in a for v, a in pairs)


@given(st.text(max_size=60) | st.recursive(st.none() | st.booleans() | st.text(), st.lists).map(json.dumps))
def test_any_text_as_scopes_is_read_or_named(text: str) -> None:
    """Whatever REKEY_SCOPES holds, the app starts or stops with a sentence that names it."""
    named = "REKEY_SCOPES"
    try:
        settings(REKEY_SCOPES=text)
    except SettingError as refused:
        named = refused.field
    assert named == "REKEY_SCOPES"


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("ann@contoso.example", True),
        ("ann@CONTOSO.example", True),
        ("ann@shop.contoso.example", True),
        ("ops@fabrikam.example", True),
        ("ann@fabrikam.example", False),
        ("ann@it.contoso.example", False),
        ("ann@evilcontoso.example", False),
        ("ann@contoso.example.evil.example", False),
        ("ann@evil.example@contoso.example", False),
        ("ann@contoso.example\nBcc: eve@evil.example", False),
        ("ann@contoso.example\n", False),
        ("Ann <ann@contoso.example>", False),
        ("ann@contoso.example,eve@evil.example", False),
        ("", False),
    ],
)
def test_mail_goes_to_allowed_domains_and_operators_only(address: str, allowed: bool) -> None:  # noqa: FBT001
    """A domain is allowed as it is written, without its subdomains; operators are allowed wherever they are."""
    assert settings().allows_address(address) is allowed


def test_partial_settings_allow_what_is_not_known() -> None:
    """Without scopes and domains nothing is held against a tag, but an address still has to be one."""
    known = read_partial({})
    assert isinstance(known, Partial)
    assert known.allows_application("any", "thing")
    assert known.allows_organization("any", "thing")
    assert known.allows_project("any", "thing", "else")
    assert known.allows_address("ann@anywhere.example")
    assert not known.allows_address("ann")
    assert known.cloud == CLOUDS["public"]


def test_partial_settings_check_what_is_known() -> None:
    """Scopes, domains and operators that are set count as they do in the app; a bad one is an error."""
    known = read_partial(ENVIRONMENT)
    assert known.allows_application(VAULT, APP)
    assert not known.allows_application(VAULT, FOREIGN_APP)
    assert not known.allows_organization(VAULT, "fabrikam")
    assert not known.allows_project(VAULT, "contoso", "web")
    assert known.allows_address("ops@fabrikam.example")
    assert not known.allows_address("ann@fabrikam.example")
    with pytest.raises(SettingError, match="REKEY_SCOPES"):
        read_partial({"REKEY_SCOPES": "{"})


def test_what_runs_by_itself_has_defaults() -> None:
    """Nobody has to say when the timers fire, how fast Rekey may go or how long history is kept."""
    nightly = settings().nightly
    assert nightly.schedules["rotate_due"] == "0 0 1 * * *"
    assert nightly.limits["vault-creates"].count == 300
    assert (nightly.history_days, nightly.silent_when_well) == (90, False)


def test_what_runs_by_itself_can_be_changed_one_by_one() -> None:
    """A changed timer or limit leaves the others as they were."""
    nightly = settings(
        REKEY_SCHEDULES='{"reconcile": "0 30 2 * * *"}',
        REKEY_LIMITS='{"graph-writes": {"count": 10, "seconds": 1.5}}',
        REKEY_HISTORY_DAYS="7",
        REKEY_WHEN_WELL="silent",
    ).nightly
    assert (nightly.schedules["reconcile"], nightly.schedules["rotate_due"]) == ("0 30 2 * * *", "0 0 1 * * *")
    assert (nightly.limits["graph-writes"].seconds, nightly.limits["vault-creates"].count) == (1.5, 300)
    assert (nightly.history_days, nightly.silent_when_well) == (7, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REKEY_SCHEDULES", '{"rotate_dew": "0 0 1 * * *"}'),
        ("REKEY_SCHEDULES", '{"rotate_due": ""}'),
        ("REKEY_SCHEDULES", "nightly"),
        ("REKEY_LIMITS", '{"graph-reads": {"count": 1, "seconds": 1}}'),
        ("REKEY_LIMITS", '{"graph-writes": {"count": 0, "seconds": 1}}'),
        ("REKEY_LIMITS", '{"graph-writes": {"count": 1, "seconds": 0}}'),
        ("REKEY_HISTORY_DAYS", "0"),
        ("REKEY_HISTORY_DAYS", "P90D"),
        ("REKEY_WHEN_WELL", "quiet"),
    ],
)
def test_a_bad_setting_of_what_runs_by_itself_is_named(name: str, value: str) -> None:
    """The app doesn't start with it."""
    with pytest.raises(SettingError, match=name):
        settings(**{name: value})
