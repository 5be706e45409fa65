"""What a secret holds of a storage account: its key alone, or a connection string of which only the key changes."""

import base64
import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rekey.errors import PermanentError
from rekey.secret_value import SecretValue
from rekey.storage_value import dressed, key_in

KEY = base64.b64encode(b"k" * 64).decode()
OTHER = base64.b64encode(b"n" * 64).decode()
PLAIN = f"DefaultEndpointsProtocol=https;AccountName=shopdata;AccountKey={KEY};EndpointSuffix=core.windows.net"

names = st.text("ABCDEFabcdef", min_size=1, max_size=12).filter(
    lambda n: n.lower() not in {"accountkey", "accountname"}
)
values = st.text(st.characters(exclude_characters=";", exclude_categories=["Cs"]), max_size=30)
parts = st.lists(st.tuples(names, values).map("=".join) | st.just("") | st.sampled_from(["x", " ", "EndpointSuffix="]))
keys = st.binary(min_size=64, max_size=64).map(lambda raw: base64.b64encode(raw).decode())


def cased(word: str) -> st.SearchStrategy[str]:
    """Spell a word in any case, with spaces around it."""
    spelled = st.tuples(*(st.sampled_from([c.lower(), c.upper()]) for c in word)).map("".join)
    return st.tuples(st.sampled_from(["", " "]), spelled, st.sampled_from(["", " "])).map("".join)


@given(
    before=parts,
    between=parts,
    after=parts,
    key_name=cased("AccountKey"),
    name=cased("AccountName"),
    old=keys,
    new=keys,
)
def test_only_the_key_changes(  # the parts of a connection string
    before: list[str], between: list[str], after: list[str], key_name: str, name: str, old: str, new: str
) -> None:
    """Whatever else is in a connection string, in which order and spelling, stays as it is, character by character."""

    def string(key: str) -> str:
        return ";".join([*before, f"{name}=ShopData", *between, f"{key_name}={key}", *after])

    assert key_in(SecretValue(string(old)), "shopdata").reveal() == old
    assert dressed(SecretValue(new), SecretValue(string(old)), "shopdata").reveal() == string(new)


@given(before=parts, after=parts, key=keys)
def test_a_connection_string_of_another_account_is_refused(before: list[str], after: list[str], key: str) -> None:
    """What names another account, two, or none is none of this account's."""
    for named in (["AccountName=other"], ["AccountName=shopdata", "AccountName=other"], []):
        with pytest.raises(PermanentError) as caught:
            key_in(SecretValue(";".join([*before, *named, f"AccountKey={key}", *after])), "shopdata")
        assert caught.value.code == "other-account"
        assert key not in f"{caught.value.message} {caught.value.what_to_do}"


def test_a_key_alone_stays_alone() -> None:
    """A raw key is replaced by a raw key, without the line end that somebody pasted along."""
    assert key_in(SecretValue(f" {KEY}\n"), "shopdata").reveal() == KEY
    assert dressed(SecretValue(OTHER), SecretValue(f"{KEY}\n"), "shopdata").reveal() == OTHER


@pytest.mark.parametrize(
    "value",
    [
        "changeme",
        "UseDevelopmentStorage=true",
        "BlobEndpoint=https://shopdata.blob.core.windows.net/;SharedAccessSignature=sv=2024&sig=abc",
        f"AccountName=shopdata;AccountKey={KEY};AccountKey={OTHER}",
        "https://shopdata.blob.core.windows.net/?sv=2024-11-04&sig=abc",
        f"{KEY}{KEY}!",
        "{}",
    ],
)
def test_what_holds_no_key_is_refused(value: str) -> None:
    """A signature, a placeholder or two keys at once are nothing to put a new key in place of; none of it is quoted."""
    held = SecretValue(value)
    for refused in (partial(key_in, held), partial(dressed, SecretValue(OTHER), held)):
        with pytest.raises(PermanentError) as caught:
            refused("shopdata")
        assert caught.value.code == "no-storage-key"
        assert value not in f"{caught.value.message} {caught.value.what_to_do}"


def test_an_empty_key_in_a_connection_string_is_one_that_matches_nothing() -> None:
    """Somebody who cut the key out left a form that still says where the next one belongs."""
    emptied = re.sub("AccountKey=[^;]+", "AccountKey=", PLAIN)
    assert not key_in(SecretValue(emptied), "shopdata").same_as(SecretValue(KEY))
    assert dressed(SecretValue(KEY), SecretValue(emptied), "shopdata").reveal() == PLAIN
