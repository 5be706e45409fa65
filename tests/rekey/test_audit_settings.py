"""The settings of watching the vaults: off until logs are named, rules on until they are switched off, no surprises."""

import pytest

from rekey.audit_settings import RULES, Audit, audit
from rekey.errors import SettingError
from rekey.registry import AUDIT_RULES

ID = "11111111-2222-3333-4444-AAAAAAAAAAAA"
KEYED = "DefaultEndpointsProtocol=https;AccountName=audit;AccountKey=bm90aGluZw==;EndpointSuffix=core.windows.net"


def read(**environ: str) -> Audit:
    return audit(environ, {"kv-shop"}, "core.windows.net")


def test_nothing_is_watched_until_it_is_said_where_the_logs_are() -> None:
    """Without settings there is no storage to read; every rule would apply."""
    assert read() == Audit(storage=(), readers={}, rules=RULES)


def test_every_rule_can_be_had() -> None:
    """The rules that settings know are those of the registry."""
    assert tuple(AUDIT_RULES) == RULES


def test_logs_of_several_regions_are_read() -> None:
    """Accounts are separated by commas, each once, without what people write around them."""
    text = " https://rkaudita.blob.core.windows.net/, https://RKAUDITB.blob.core.windows.net,https://rkaudita.blob.core.windows.net,"
    assert read(REKEY_AUDIT_STORAGE=text).storage == (
        "https://rkaudita.blob.core.windows.net",
        "https://rkauditb.blob.core.windows.net",
    )


def test_a_connection_string_is_one_account() -> None:
    """What has a key in it is taken as it is, commas or not."""
    assert read(REKEY_AUDIT_STORAGE=KEYED).storage == (KEYED,)


def test_readers_are_compared_without_case() -> None:
    """Vaults and ids are kept in lower case, as the log's are."""
    assert read(REKEY_READERS=f'{{"KV-Shop": ["{ID}"]}}').readers == {"kv-shop": (ID.lower(),)}


def test_a_rule_can_be_switched_off_and_left_on() -> None:
    """The others keep their order."""
    switched = read(REKEY_AUDIT_RULES='{"old-version-read": "off", "unexpected-reader": "on"}')
    assert switched.rules == tuple(rule for rule in RULES if rule != "old-version-read")


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("REKEY_AUDIT_STORAGE", "http://rkaudit.blob.core.windows.net", "https://<account>.blob"),
        ("REKEY_AUDIT_STORAGE", "https://rkaudit.blob.core.windows.net.evil.example", "https://<account>.blob"),
        ("REKEY_AUDIT_STORAGE", "https://evil.example/rkaudit.blob.core.windows.net", "https://<account>.blob"),
        ("REKEY_AUDIT_STORAGE", "https://u@rkaudit.blob.core.windows.net", "https://<account>.blob"),
        ("REKEY_AUDIT_STORAGE", "https://rkaudit.blob.core.windows.net/logs", "https://<account>.blob"),
        ("REKEY_AUDIT_STORAGE", "https://rkaudit.blob.core.windows.net?sv=2024&sig=abc", "characters, not shown"),
        ("REKEY_READERS", "kv-shop", "a JSON object"),
        ("REKEY_READERS", '{"kv-other": []}', "kv-other"),
        ("REKEY_READERS", '{"kv-shop": ["ann@contoso.example"]}', "ann@contoso.example"),
        ("REKEY_READERS", f'{{"kv-shop": "{ID}"}}', "a JSON object"),
        ("REKEY_AUDIT_RULES", '{"unexpected-reading": "off"}', "unexpected-reading"),
        ("REKEY_AUDIT_RULES", '{"unexpected-reader": false}', "a JSON object"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str, what: str) -> None:
    """The app doesn't start with it, and says what was expected; an address that may hold a key isn't shown."""
    with pytest.raises(SettingError, match=name) as refused:
        read(**{name: value})
    assert what in str(refused.value)
    assert "sig=abc" not in str(refused.value)
