"""Parts of seed documents put together hold what each of them says."""

from local.seed_document import merged, new_name


def test_parts_are_merged_and_lists_joined() -> None:
    """Objects get the fields of both, lists the items of both, and the parts stay as they were."""
    one = {"roles": [1], "sites": {"a": {"kind": "app"}}}
    two = {"roles": [2], "sites": {"a": {"kind": "functionapp"}, "b": {}}, "canary": "x"}
    whole = merged(one, two)
    assert whole == {"roles": [1, 2], "sites": {"a": {"kind": "functionapp"}, "b": {}}, "canary": "x"}
    assert one == {"roles": [1], "sites": {"a": {"kind": "app"}}}


def test_names_are_new() -> None:
    """No two runs have a name in common."""
    assert len({new_name("kv") for _ in range(100)}) == 100
