"""A secret value gets out through `reveal` and nowhere else."""

import copy
import json
import logging
import pickle
from collections.abc import Callable

import msgspec
import pytest

from rekey.secret_value import SecretValue

CANARY = "canary-4f1e~S3cret"


@pytest.fixture
def value() -> SecretValue:
    """A secret whose appearance anywhere is a failure."""
    return SecretValue(CANARY)


REFUSED: dict[str, Callable[[SecretValue], object]] = {
    "str": str,
    "format": lambda v: f"{v}",
    "format with a width": lambda v: f"{v:>40}",
    "percent": lambda v: "%s" % v,  # noqa: UP031  # the old operator is what is tested
    "join": lambda v: str.join(",", [v]),  # type: ignore[list-item]
    "json": json.dumps,
    "msgspec json": msgspec.json.encode,
    "msgspec builtins": msgspec.to_builtins,
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy inside": lambda v: copy.deepcopy([v]),
    "== str": lambda v: v == CANARY,
    "str ==": lambda v: CANARY == v,  # noqa: SIM300  # the reflected comparison is what is tested
    "!= str": lambda v: v != CANARY,
    "vars": vars,
    "bytes": bytes,  # type: ignore[dict-item]
    "iteration": list,  # type: ignore[dict-item]
}


@pytest.mark.parametrize("way", REFUSED, ids=str)
def test_every_other_way_out_is_refused(value: SecretValue, way: str) -> None:
    """Formatting, serialising, copying and comparing to a str raise a TypeError that doesn't hold the value."""
    with pytest.raises(TypeError) as refused:
        REFUSED[way](value)
    assert CANARY not in str(refused.value)


def test_a_repr_hides_the_value(value: SecretValue) -> None:
    """A traceback or a debugger that shows the object, or what holds it, shows nothing of it."""
    assert CANARY not in repr(value)
    assert CANARY not in repr([value, {"password": value}])
    assert CANARY not in f"{value!r}"


def test_a_log_line_hides_the_value(value: SecretValue, caplog: pytest.LogCaptureFixture) -> None:
    """`%r` in a log line is hidden too."""
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("rekey.test").debug("got %r", value)
    assert "SecretValue(hidden)" in caplog.text
    assert CANARY not in caplog.text


def test_the_value_is_handed_out_on_purpose_only(value: SecretValue) -> None:
    """`reveal` gives the value, `hint` what Graph shows anyway, `same_as` compares without showing."""
    assert value.reveal() == CANARY
    assert value.hint() == CANARY[:3]
    assert value.same_as(SecretValue(CANARY))
    assert not value.same_as(SecretValue("another"))
    assert value != SecretValue(CANARY)


def test_an_empty_value_is_no_secret() -> None:
    """An issuer that answers without a value is noticed here at the latest."""
    with pytest.raises(ValueError, match="empty"):
        SecretValue("")


def test_a_value_is_hidden_in_texts() -> None:
    """Where somebody wrote the value into a text, a note stands in its place; a short one could be any word."""
    assert SecretValue("Zq8~abcdef").hidden_in("it is Zq8~abcdef!") == "it is (the secret's own value)!"
    assert SecretValue("week").hidden_in("a week") == "a week"
