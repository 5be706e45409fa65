"""Policies: every tag as people write it, one clear error for each bad one, and nothing beyond what settings allow."""

import os
import re
import socket
import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey.errors import ScopeError, TagError
from rekey.model import ConsumerRef, CredentialRef, Policy, Span
from rekey.policy import (
    PolicyError,
    Untagged,
    policy_digest,
    policy_owners,
    read_policy,
    tags_for_new_version,
    written_ids,
)
from rekey.tag_reading import POLICY_TAGS
from tests.rekey.toys import APP, FOREIGN_APP, OTHER_APP, VAULT, install, settings

ROTATION = "dddddddd-0000-4000-8000-000000000001"
DAY = 86400
SETTINGS = settings()
BASE = {"rekey-credential": f"toy:{APP}"}
LEGACY = {
    "azureADAppId": APP,
    "azureADAppName": "Shop",
    "azureDevOpsAccountUrl": "https://dev.azure.com/contoso",
    "azureDevOpsProjectName": "Shop",
    "azureDevOpsConnectionName": "prod (west)",
    "SecretDurationInMonths": "6",
}


@pytest.fixture(autouse=True, scope="module")
def _toys() -> object:
    with pytest.MonkeyPatch.context() as patch:
        install(patch)

        def refused(*_: object) -> object:
            raise AssertionError("reading tags must not open a connection")

        patch.setattr(socket.socket, "connect", refused)
        patch.setattr(socket, "getaddrinfo", refused)
        yield


def read(tags: dict[str, str] | None) -> Policy:
    """Return the policy of a secret in the vault that the toy scopes bind."""
    return read_policy(VAULT, tags, SETTINGS)


def errors(tags: dict[str, str]) -> dict[str, TagError]:
    """Return the errors by tag; each tag has one at most."""
    with pytest.raises(PolicyError) as refused:
        read(tags)
    found = {error.field: error for error in refused.value.errors}
    assert len(found) == len(refused.value.errors)
    return found


def the_error(tags: dict[str, str], tag: str) -> TagError:
    """Return the only error that these tags have, which is about `tag`."""
    found = errors(tags)
    assert list(found) == [tag]
    assert found[tag].value == tags.get(tag, "")
    assert tag in found[tag].message
    assert found[tag].expected in found[tag].message
    return found[tag]


def test_defaults() -> None:
    """A secret with nothing but a credential gets the documented defaults."""
    assert read(BASE) == Policy(
        credential=CredentialRef("toy", APP),
        lifetime=Span(seconds=180 * DAY),
        lead=Span(seconds=30 * DAY),
        grace=Span(seconds=7 * DAY),
    )


def test_the_older_tags_are_understood_as_they_are() -> None:
    """The tags people already have name the application, the connection and the months."""
    assert read(LEGACY) == Policy(
        credential=CredentialRef("entra-app-password", APP),
        consumers=(ConsumerRef("azdo-service-connection", "azdo-service-connection://contoso/Shop/prod%20%28west%29"),),
        lifetime=Span(months=6),
    )


def test_every_tag_is_understood() -> None:
    """Each policy tag reaches its field of the policy."""
    tags = BASE | {
        "rekey-consumer-2": "toy-place://contoso/shop/a",
        "rekey-consumer-8": "toy-place://contoso/shop/b",
        "rekey-lifetime": "P1Y",
        "rekey-lead": "P20D",
        "rekey-grace": "PT12H",
        "rekey-owners": "ann@contoso.example, Bob@contoso.example,ann@contoso.example",
        "rekey-notify": "ops@fabrikam.example",
        "rekey-approval": "required",
        "rekey-adopt": "true",
        "rekey-disable-old": "at-retire",
        "rekey-window": "Sat 02:00 PT240M",
        "rekey-readers": f"{APP.upper()},{OTHER_APP}",
        "rekey-rotation-id": "whatever",
        "rekey-key-id": "whatever",
        "team": "shop",
    }
    assert read(tags) == Policy(
        credential=CredentialRef("toy", APP),
        consumers=(
            ConsumerRef("toy-place", "toy-place://contoso/shop/a"),
            ConsumerRef("toy-place", "toy-place://contoso/shop/b"),
        ),
        lifetime=Span(months=12),
        lead=Span(seconds=20 * DAY),
        grace=Span(seconds=DAY // 2),
        owners=("ann@contoso.example", "Bob@contoso.example"),
        notify=("ops@fabrikam.example",),
        approval=True,
        adopt=True,
        disable_old="at-retire",
        window="Sat 02:00 PT4H",
        readers=(APP, OTHER_APP),
    )


@pytest.mark.parametrize(
    "tags",
    [
        None,
        {},
        {"team": "shop"},
        {"CredentialId": "key1", "ValidityPeriodDays": "60"},
        {"azureADAppName": "Shop"},
        {"rekey-rotation-id": ROTATION, "rekey-key-id": "k"},
        {"rekeyed-by": "Ann"},
    ],
)
def test_a_secret_that_nobody_meant_to_rotate_is_untagged(tags: dict[str, str] | None) -> None:
    """Tags of others, and what Rekey itself left behind, make no policy and no error."""
    with pytest.raises(Untagged, match="no rotation policy"):
        read(tags)


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("rekey-credental", "rekey-credential"),
        ("Rekey-Credential", "rekey-credential"),
        ("rekey_credential", "rekey-credential"),
        (" rekey-credential", "rekey-credential"),
        ("azureAdAppId", "azureADAppId"),
        ("provideraddress", "ProviderAddress"),
    ],
)
def test_a_misspelled_credential_tag_is_no_silence(tag: str, meant: str) -> None:
    """Somebody who nearly wrote the tag is told its name, once, instead of nothing ever happening."""
    assert f"did you mean {meant}?" in the_error({tag: f"toy:{APP}"}, tag).expected


@pytest.mark.parametrize(
    ("tag", "meant"),
    [
        ("rekey-lifetme", "rekey-lifetime"),
        ("REKEY-LEAD", "rekey-lead"),
        ("rekey-consumer-9", "rekey-consumer-"),
        ("rekey-consumer-0", "rekey-consumer-"),
        ("rekey-consumer-01", "rekey-consumer-1"),
        ("rekey-consumer", "rekey-consumer-"),
        ("secretDurationInMonths", "SecretDurationInMonths"),
        ("azureDevOpsAccountURL", "azureDevOpsAccountUrl"),
    ],
)
def test_an_unknown_tag_is_refused_with_a_suggestion(tag: str, meant: str) -> None:
    """A tag that looks like one of ours and isn't would otherwise leave a default in force."""
    expected = the_error(BASE | {tag: "x"}, tag).expected
    assert "unknown tag" in expected
    assert f"did you mean {meant}" in expected


def test_policy_tags_without_a_credential_are_refused() -> None:
    """A lifetime of nothing names the tag that is missing."""
    assert "missing" in the_error({"rekey-lifetime": "P90D"}, "rekey-credential").expected


BAD = {
    "rekey-credential": ["", "toy", "toy:", ":x", "moon:x", "toy:a b", "entra-app-password", f"toy:{APP}\n"],
    "azureADAppId": ["", "a/b", "My app"],
    "rekey-consumer-1": [
        *("", "contoso/shop/a", "://contoso/shop/a", "moon://a/b/c", "toy-place://contoso/shop", "Toy-Place://a/b/c"),
        *("toy-place://contoso/shop/a b", "toy-place://contoso/shop/a\n", "toy-place://contoso/shop\\a"),
        *("toy-place://contoso/sh\u043ep/a", "toy-place://[::1]/shop/a", "toy-place://contoso/shop/a#b"),
    ],
    "rekey-lifetime": ["", "180", "P0D", "PT59M", "P1.5M", "-P1D", "P25M", "P3Y", "P732D", "p90d", "P90D "],
    "rekey-lead": ["", "P0D", "PT0S", "-P1D", "P0.5D", "P25M", "30"],
    "rekey-grace": ["", "-P1D", "P0.5D", "P181D", "P7M", "7"],
    "SecretDurationInMonths": ["", "0", "-1", "25", "6.0", "06", "six", " 6", "\u0666", "1e1", "999999999999"],
    "ValidityPeriodDays": ["", "0", "732", "60 days", "+60"],
    "CredentialId": ["", "key1\n", "a/b", "x" * 129],
    "rekey-owners": [
        *("", " ", ",", "ann", "ann@contoso.example;bob@contoso.example", "Ann <ann@contoso.example>"),
        *("ann@contoso.example\nBcc: eve@evil.example", "ann@contoso.example\r\n", "ann@contoso.example\x00"),
        *("ann@c\u043entoso.example", ",".join(f"a{n}@contoso.example" for n in range(21))),
    ],
    "rekey-notify": ["ann@", "@contoso.example"],
    "rekey-approval": ["", "true", "Required", "no", "required "],
    "rekey-adopt": ["", "True", "yes", "false", "1"],
    "rekey-disable-old": ["", "now", "At-Retire", "never"],
    "rekey-window": [
        *("", "Sat", "Sat 02:00", "Saturday 02:00 PT4H", "sat 02:00 PT4H", "Sat 24:00 PT4H", "Sat 2:00 PT4H"),
        *("Sat 02:60 PT4H", "Sat 02:00 4H", "Sat 02:00 PT0S", "Sat 02:00 PT25H", "Sat 02:00 P1M", "Sat 02:00  PT4H"),
    ],
    "rekey-readers": ["", ",", "me", f"{APP};{OTHER_APP}", f"{{{APP}}}"],
}


@pytest.mark.parametrize(("tag", "value"), [(tag, value) for tag, values in BAD.items() for value in values])
def test_a_bad_value_is_refused(tag: str, value: str) -> None:
    """Each bad value gets one error that names tag, value and expectation, and can be shown on any terminal."""
    tags = {tag: value} if tag in {"rekey-credential", "azureADAppId"} else BASE | {tag: value}
    error = the_error(tags, tag)
    assert error.code == "bad-tag"
    assert error.message.isprintable()


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("rekey-credential", f"toy:{FOREIGN_APP}"),
        ("azureADAppId", FOREIGN_APP),
        ("rekey-consumer-3", "toy-place://contoso/web/a"),
        ("rekey-consumer-3", "toy-place://fabrikam/web/a"),
        ("rekey-owners", "ann@contoso.example,eve@evil.example"),
        ("rekey-notify", "eve@it.contoso.example"),
    ],
)
def test_what_another_team_may_name_is_out_of_scope(tag: str, value: str) -> None:
    """A value that is well-formed and not allowed to this vault keeps its own code, for it may be an attempt."""
    tags = {tag: value} if tag in {"rekey-credential", "azureADAppId"} else BASE | {tag: value}
    assert the_error(tags, tag).code == "out-of-scope"


def test_a_vault_of_nobody_is_refused_before_its_tags() -> None:
    """A secret in a vault that settings don't name is a scope error of the vault, tagged or not."""
    for tags in (None, BASE):
        with pytest.raises(ScopeError, match="kv-rogue"):
            read_policy("kv-rogue", tags, SETTINGS)


def test_all_errors_are_told_at_once() -> None:
    """Whoever wrote five bad tags reads about five, not about the first."""
    tags = {
        "rekey-credential": "moon:x",
        "rekey-lifetime": "long",
        "rekey-owners": "ann",
        "rekey-oops": "",
        "rekey-consumer-1": "x",
        "rekey-lead": "P10D",
    }
    assert set(errors(tags)) == set(tags) - {"rekey-lead"}
    with pytest.raises(PolicyError) as refused:
        read(tags)
    assert all(tag in refused.value.message for tag in errors(tags))


def test_an_unknown_kind_lists_the_known() -> None:
    """A kind that isn't there is told apart from a malformed value: the known ones are listed."""
    assert "entra-app-password, toy" in the_error({"rekey-credential": "moon:x"}, "rekey-credential").expected
    expected = the_error(BASE | {"rekey-consumer-1": "moon://a/b/c"}, "rekey-consumer-1").expected
    assert "azdo-service-connection, toy-place" in expected


ACCOUNT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/shop"


def test_microsofts_tags_say_which_kind_is_missing() -> None:
    """The samples' tags make a policy; while storage keys are no known kind, the address's tag says so."""
    tags = {"ProviderAddress": ACCOUNT, "CredentialId": "key1", "ValidityPeriodDays": "60"}
    assert "credential kind" in the_error(tags, "ProviderAddress").expected


@pytest.mark.parametrize("address", ["", "shop", ACCOUNT + "/x", ACCOUNT.replace("Storage/", "Cache/"), ACCOUNT + "\n"])
def test_another_provider_address_is_refused(address: str) -> None:
    """An address that is no ARM id of a known resource type is refused as such."""
    assert "ARM id" in the_error({"ProviderAddress": address, "CredentialId": "key1"}, "ProviderAddress").expected


def test_two_tags_may_say_the_same() -> None:
    """Old and new tags side by side are fine as long as they agree, in whatever unit."""
    tags = LEGACY | {"rekey-credential": f"entra-app-password:{APP.upper()}", "rekey-lifetime": "P6M"}
    assert read(tags) == read(LEGACY)
    assert read(BASE | {"ValidityPeriodDays": "60", "rekey-lifetime": "P60D"}).lifetime == Span(seconds=60 * DAY)


def test_two_credentials_are_refused() -> None:
    """Tags that name different applications name no credential."""
    tags = LEGACY | {"rekey-credential": f"entra-app-password:{OTHER_APP}"}
    assert "rekey-credential" in the_error(tags, "azureADAppId").expected


def test_two_lifetimes_are_refused() -> None:
    """Tags that say different lifetimes say none, 180 days not being 6 months."""
    tags = LEGACY | {"rekey-lifetime": "P180D"}
    assert "rekey-lifetime" in the_error(tags, "SecretDurationInMonths").expected


@pytest.mark.parametrize(
    "uri", ["azdo-service-connection://contoso/Shop/prod%20%28west%29", "toy-place://contoso/shop/A"]
)
def test_a_consumer_is_named_once(uri: str) -> None:
    """Two tags for one consumer, old or new, in whatever case, are refused and say which names it already."""
    tags = LEGACY | {"rekey-consumer-1": "toy-place://contoso/Shop/a", "rekey-consumer-5": uri}
    assert re.search("rekey-consumer-1|azureDevOps", the_error(tags, "rekey-consumer-5").expected)


@pytest.mark.parametrize("tag", ["azureDevOpsAccountUrl", "azureDevOpsProjectName", "azureDevOpsConnectionName"])
def test_an_incomplete_connection_names_the_missing_tag(tag: str) -> None:
    """Two of the three tags are no connection, and the third is named."""
    tags = {name: value for name, value in LEGACY.items() if name != tag}
    assert "missing" in the_error(tags, tag).expected


@pytest.mark.parametrize(
    "url",
    [
        *("https://dev.azure.com/contoso", "https://dev.azure.com/contoso/", "https://dev.azure.com/Contoso"),
        *("https://contoso.visualstudio.com", "https://contoso.visualstudio.com/"),
    ],
)
def test_an_account_url_names_its_organization(url: str) -> None:
    """Both addresses that Azure DevOps gives an organization lead to it."""
    uri = read(LEGACY | {"azureDevOpsAccountUrl": url}).consumers[0].uri
    assert uri.lower().startswith("azdo-service-connection://contoso/")


HOSTILE_URLS = [
    "",
    "contoso",
    "http://dev.azure.com/contoso",
    "//dev.azure.com/contoso",
    "https:/dev.azure.com/contoso",
    "https:\\\\dev.azure.com\\contoso",
    "https://dev.azure.com\\contoso",
    "https://dev.azure.com\\@evil.example/contoso",
    "https://dev.azure.com@evil.example/contoso",
    "https://user:pass@dev.azure.com/contoso",
    "https://contoso@dev.azure.com/contoso",
    "https://dev.azure.com:443/contoso",
    "https://dev.azure.com:8443/contoso",
    "https://dev.azure.com./contoso",
    "https://contoso.visualstudio.com./",
    "https://DEV.AZURE.COM/contoso",
    "HTTPS://dev.azure.com/contoso",
    "https://Contoso.visualstudio.com",
    "https://dev.azure.com.evil.example/contoso",
    "https://evil.example/dev.azure.com/contoso",
    "https://evil.example#https://dev.azure.com/contoso",
    "https://evil.example?https://dev.azure.com/contoso",
    "https://evil.example/contoso.visualstudio.com",
    "https://contoso.visualstudio.com.evil.example",
    "https://evil.example%2f.visualstudio.com",
    "https://contoso.evil.visualstudio.com",
    "https://devXazure.com/contoso",
    "https://d\u0435v.azure.com/contoso",
    "https://dev.azure.com/c\u043entoso",
    "https://dev.\u0430zure.com/contoso",
    "https://dev\u3002azure\u3002com/contoso",
    "https://dev\uff0eazure.com/contoso",
    "https://xn--dv-nja.azure.com/contoso",
    "https://dev.azure.com/contoso?x=1",
    "https://dev.azure.com/contoso#x",
    "https://dev.azure.com/contoso/../fabrikam",
    "https://dev.azure.com/contoso/..",
    "https://dev.azure.com/./contoso",
    "https://dev.azure.com//contoso",
    "https://dev.azure.com/contoso//",
    "https://dev.azure.com/contoso/Shop",
    "https://dev.azure.com/",
    "https://dev.azure.com",
    "https://dev.azure.com/%63ontoso",
    "https://dev.azure.com/contoso%2f..%2ffabrikam",
    "https://dev.azure.com/contoso%252f",
    "https://dev.azure.com%2f@evil.example/contoso",
    "https://dev.azure.com/contoso\r\nHost: evil.example",
    "https://dev.azure.com/contoso\n",
    "https://dev.azure.com/con\ttoso",
    "https://dev.azure.com/contoso\x00",
    "https://dev.azure.com\x00.evil.example/contoso",
    " https://dev.azure.com/contoso",
    "https://dev.azure.com/contoso ",
    "https://dev.azure.com/con toso",
    "https://dev.azure.com/contoso\u200b",
    "https://dev.azure.com/\u202econtoso",
    "https://127.0.0.1/contoso",
    "https://[::1]/contoso",
    "https://[::ffff:169.254.169.254]/contoso",
    "https://169.254.169.254/contoso",
    "https://2130706433/contoso",
    "https://0x7f000001/contoso",
    "https://localhost/contoso",
    "https://[dev.azure.com/contoso",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https://dev.azure.com/-contoso",
    "https://dev.azure.com/contoso-",
    f"https://dev.azure.com/{'a' * 51}",
    "https://vssps.dev.azure.com/contoso",
]


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_a_hostile_account_url_is_refused(url: str) -> None:
    """Whatever isn't Azure DevOps in its own spelling is refused, and no connection is opened."""
    error = the_error(LEGACY | {"azureDevOpsAccountUrl": url}, "azureDevOpsAccountUrl")
    assert "https://dev.azure.com/<organization>" in error.expected


@pytest.mark.parametrize("url", ["https://dev.azure.com/fabrikam", "https://fabrikam.visualstudio.com"])
def test_another_teams_organization_is_out_of_scope(url: str) -> None:
    """An organization that only another vault's scope names is refused with the scope's code."""
    error = the_error(LEGACY | {"azureDevOpsAccountUrl": url}, "azureDevOpsAccountUrl")
    assert error.code == "out-of-scope"


def test_another_teams_project_is_out_of_scope() -> None:
    """In an allowed organization the project still has to be one of this vault's."""
    error = the_error(LEGACY | {"azureDevOpsProjectName": "Web"}, "azureDevOpsProjectName")
    assert error.code == "out-of-scope"


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "Shop ",
        "..",
        ".",
        "_Shop",
        "a/b",
        "a\\b",
        "a%2fb",
        "%2e%2e",
        "Sh?p",
        "a#b",
        "Shop\n",
        "Sh\u200bop",
        "x" * 65,
    ],
)
def test_a_project_that_is_no_name_is_refused(name: str) -> None:
    """What could end a path, start a query or hide in a name is refused at the tag."""
    the_error(LEGACY | {"azureDevOpsProjectName": name}, "azureDevOpsProjectName")


@pytest.mark.parametrize("name", ["", " prod", "..", "prod\n", "pr\x00od", "pr\u202eod", "bad", "\ud800"])
def test_a_connection_that_is_no_name_is_refused(name: str) -> None:
    """What can't be seen, or what the consumer kind objects to, is refused at the connection's own tag."""
    the_error(LEGACY | {"azureDevOpsConnectionName": name}, "azureDevOpsConnectionName")


def test_a_connections_name_can_not_leave_its_segment() -> None:
    """Slashes, percent signs and umlauts are encoded once, so that the URI has three segments whatever the name."""
    uri = read(LEGACY | {"azureDevOpsConnectionName": "a/../%2f \u00fc?#"}).consumers[0].uri
    assert uri == "azdo-service-connection://contoso/Shop/a%2F..%2F%252f%20%C3%BC%3F%23"


def test_another_cloud_has_no_old_addresses() -> None:
    """Where Azure DevOps is elsewhere, only its own origin counts: the public cloud's addresses are strangers."""
    cloud = msgspec.structs.replace(SETTINGS.cloud, azure_devops="https://devops.localhost:8443")
    elsewhere = msgspec.structs.replace(SETTINGS, cloud=cloud)
    here = LEGACY | {"azureDevOpsAccountUrl": "https://devops.localhost:8443/contoso"}
    assert read_policy(VAULT, here, elsewhere) == read(LEGACY)
    for url in (
        "https://contoso.visualstudio.com",
        "https://dev.azure.com/contoso",
        "https://devopsXlocalhost:8443/contoso",
    ):
        with pytest.raises(PolicyError):
            read_policy(VAULT, LEGACY | {"azureDevOpsAccountUrl": url}, elsewhere)


def test_a_grace_may_be_as_long_as_the_lifetime() -> None:
    """The lifetime bounds the grace, by the tags' own lifetime rather than the default."""
    assert read(BASE | {"rekey-grace": "P180D"}).grace == Span(seconds=180 * DAY)
    assert read(BASE | {"rekey-grace": "PT0S"}).grace == Span()
    the_error(BASE | {"rekey-lifetime": "P20D", "rekey-grace": "P21D"}, "rekey-grace")


INTERESTING = st.sampled_from([v for values in BAD.values() for v in values] + list(LEGACY.values()) + HOSTILE_URLS)
KEYS = st.sampled_from([*POLICY_TAGS, *LEGACY, "ProviderAddress", "CredentialId", "ValidityPeriodDays", "Rekey-Lead"])
ANY_TEXT = st.text(st.characters(codec=None), max_size=40)


@given(st.dictionaries(KEYS | ANY_TEXT, INTERESTING | ANY_TEXT, max_size=15), st.booleans())
def test_any_tags_are_a_policy_untagged_or_a_policy_error(tags: dict[str, str], tagged: bool) -> None:  # noqa: FBT001
    """No tags, lone surrogates included, raise anything else; every error names a tag and can be shown."""
    try:
        policy = read(tags | (BASE if tagged else {}))
    except Untagged:
        assert not tagged
        return
    except PolicyError as refused:
        told = refused.errors
    else:
        assert policy_digest(policy) == policy_digest(read(tags | (BASE if tagged else {})))
        return
    assert told
    assert len({error.field for error in told}) == len(told)
    assert all(error.code in {"bad-tag", "out-of-scope"} for error in told)


def test_a_digest_follows_the_meaning() -> None:
    """Two ways to write one policy have one digest; a policy that means something else has another."""
    assert policy_digest(read(BASE | {"rekey-lifetime": "P180D"})) == policy_digest(read(BASE | {"team": "shop"}))
    changed = [
        BASE | {"rekey-lifetime": "P181D"},
        BASE | {"rekey-approval": "required"},
        BASE | {"rekey-consumer-1": "toy-place://contoso/shop/a"},
        {"rekey-credential": f"toy:{OTHER_APP}"},
    ]
    assert len({policy_digest(read(tags)) for tags in [BASE, *changed]}) == len(changed) + 1


def test_a_digest_is_the_same_in_every_process() -> None:
    """An approval given before a restart still fits after it."""
    source = """
from rekey.model import CredentialRef, Policy
from rekey.policy import policy_digest
print(policy_digest(Policy(credential=CredentialRef("toy", "a"), readers=("b", "c"))), end="")
"""
    here = policy_digest(Policy(credential=CredentialRef("toy", "a"), readers=("b", "c")))
    env = os.environ | {"PYTHONHASHSEED": "7"}
    there = subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, text=True, env=env)
    assert there.stdout == here


def test_a_new_version_keeps_every_tag() -> None:
    """All tags stay, and those that say what the version holds are set, Microsoft's own only where it was."""
    old = LEGACY | {"team": "shop", "rekey-key-id": "old", "rekey-rotation-id": "old"}
    assert tags_for_new_version(old, ROTATION, "k2") == old | {"rekey-rotation-id": ROTATION, "rekey-key-id": "k2"}
    assert tags_for_new_version({"CredentialId": "k1"}, ROTATION, "k2")["CredentialId"] == "k2"
    assert "CredentialId" not in tags_for_new_version(None, ROTATION, "k2")
    assert old["rekey-key-id"] == "old"


def test_tags_that_do_not_fit_are_refused() -> None:
    """Fifteen tags fit and sixteen don't, ours included; so do values of 256 characters and no more."""
    written = {"rekey-rotation-id": "old", "rekey-key-id": "old"}
    thirteen = {f"t{n}": "v" * 256 for n in range(13)}
    assert len(tags_for_new_version(thirteen | written, ROTATION, "k")) == 15
    assert len(tags_for_new_version(thirteen, ROTATION, "k")) == 15
    with pytest.raises(TagError, match="remove 1"):
        tags_for_new_version(thirteen | {"one": "more"}, ROTATION, "k")
    with pytest.raises(TagError, match=r"^t0: .*256 characters, it has 257"):
        tags_for_new_version({"t0": "v" * 257}, ROTATION, "k")


def test_written_ids_are_claims() -> None:
    """The key id is read from either tag; a rotation id that could name another blob is none."""
    assert written_ids({"rekey-key-id": "k", "CredentialId": "c", "rekey-rotation-id": ROTATION}) == ("k", ROTATION)
    assert written_ids({"CredentialId": "c", "rekey-rotation-id": "../secrets"}) == ("c", None)
    assert written_ids(None) == (None, None)


def test_owners_of_a_bad_policy_are_still_told() -> None:
    """Whoever is responsible is known even if other tags are bad; owners that aren't allowed are nobody."""
    assert policy_owners({"rekey-owners": "ann@contoso.example", "rekey-lead": "x"}, SETTINGS) == (
        "ann@contoso.example",
    )
    assert policy_owners({"rekey-owners": "eve@evil.example"}, SETTINGS) == ()
    assert policy_owners(None, SETTINGS) == ()
