"""Names that have to be the same in two places, and fit where they are used."""

import string

from hypothesis import given
from hypothesis import strategies as st

from rekey import names

SECRET = st.text(alphabet=string.ascii_letters + string.digits + "-", min_size=1, max_size=127)
VAULT = st.from_regex(r"[a-zA-Z][a-zA-Z0-9]{2,23}", fullmatch=True)


@given(VAULT, SECRET)
def test_instance_ids_fit_and_ignore_case(vault: str, secret: str) -> None:
    """An instance id has at most 100 printable ASCII characters, and Key Vault's names differ in more than case."""
    found = names.instance_id(vault, secret)
    assert len(found) <= names.LONGEST_INSTANCE_ID
    assert found.isascii()
    assert found.isprintable()
    assert found == names.instance_id(vault.upper(), secret.swapcase())
    assert found.startswith(f"rotate.{vault.lower()}.")


@given(VAULT, SECRET, SECRET)
def test_two_secrets_never_share_an_instance_id(vault: str, one: str, other: str) -> None:
    """Long names that begin alike stay different."""
    same = one.lower() == other.lower()
    assert (names.instance_id(vault, "x" * 60 + one) == names.instance_id(vault, "x" * 60 + other)) is same


def test_short_names_are_readable_and_long_ones_hashed() -> None:
    """The id of a usual secret can be typed; the longest name is cut with a hash."""
    assert names.instance_id("Kv-Shop", "Build-SP") == "rotate.kv-shop.build-sp"
    assert len(names.instance_id("kv", "s" * 127)) == names.LONGEST_INSTANCE_ID


def test_a_lease_is_one_for_one_object_whatever_the_case() -> None:
    """Two spellings of one object meet at one lease; two objects don't."""
    assert names.lease_blob("/Subscriptions/A") == names.lease_blob("/subscriptions/a")
    assert names.lease_blob("a") != names.lease_blob("b")


def test_a_label_carries_deployment_and_rotation() -> None:
    """What an issuer shows tells two deployments and two rotations apart."""
    assert names.label("prod", "r1") == "rekey/prod/r1"


def test_two_connections_never_share_an_instance_id_whatever_is_in_their_names() -> None:
    """Names of projects and connections may hold dots, spaces and any script, of any length, in any case."""
    plain = names.federation_instance("Contoso", "Shop", "Deploy-Prod")
    assert plain == "federate.contoso.shop.deploy-prod" == names.federation_instance("contoso", "SHOP", "deploy-prod")
    others = [("a", "b.c", "d"), ("a", "b", "c.d"), ("a", "Læger", "x"), ("a", "b" * 200, "c"), ("a", "b", "c" * 200)]
    found = {names.federation_instance(*one) for one in others}
    assert len(found) == len(others)
    assert all(len(one) <= names.LONGEST_INSTANCE_ID and one.isascii() and one.isprintable() for one in found)
