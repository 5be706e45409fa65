"""Documents of connections change in nothing but what they have to, whatever else is in them."""

import contextlib
from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rekey.azure_devops_access import like
from rekey.azure_devops_definitions import _Definition, _judged
from rekey.errors import NotYetError
from rekey.federation.document import (
    FEDERATED,
    SECRET,
    ProjectRef,
    beside,
    converted,
    has_label,
    new,
    projects,
    read,
)
from rekey.federation.quoting import quoted

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
GUID = "11111111-1111-4111-8111-111111111111"
DATA = st.dictionaries(
    st.sampled_from(("revertSchemeDeadline", "environment", "subscriptionId", "spnObjectId", "creationMode"))
    | st.text(max_size=6),
    JSON,
    max_size=4,
)
DOCUMENT = st.fixed_dictionaries(
    {
        "id": st.just(GUID),
        "name": st.text(min_size=1, max_size=12),
        "data": DATA,
        "authorization": st.fixed_dictionaries(
            {"scheme": st.sampled_from((FEDERATED, SECRET)), "parameters": st.dictionaries(st.text(max_size=6), JSON)}
        ),
    },
    optional={"description": st.text(max_size=20), "newField": JSON, "isDisabled": st.booleans(), "url": st.text()},
)
PLACES = (ProjectRef(GUID, "Shop", "deploy"), ProjectRef(GUID.replace("1", "2"), "Other", "deploy"))
FEW = settings(max_examples=40)
"""The suite is to be quick; what they find they found at thousands."""
LABEL = f"rekey/local/{GUID}"


@FEW
@given(DOCUMENT)
def test_only_scheme_and_deadline_change(document: dict[str, Any]) -> None:
    """Every other field, known or not, is sent back as it was read."""
    before = deepcopy(document)
    asked = converted(document, FEDERATED)
    assert document == before
    assert asked["authorization"]["scheme"] == FEDERATED
    assert "revertSchemeDeadline" not in asked["data"]
    asked["authorization"]["scheme"] = before["authorization"]["scheme"]
    asked["data"] |= {k: v for k, v in before["data"].items() if k == "revertSchemeDeadline"}
    assert asked == before


@FEW
@given(DOCUMENT, st.text(min_size=1, max_size=20))
def test_a_new_connection_has_the_scope_and_no_secret(document: dict[str, Any], name: str) -> None:
    """Whatever the old one had as parameters, of them only tenant and scope come along; the label can be found."""
    document["authorization"]["parameters"] |= {"serviceprincipalkey": None, "authenticationType": "x", "TenantId": "t"}
    made = beside(document, name, LABEL, GUID, PLACES)
    assert made["authorization"]["scheme"] == FEDERATED
    given_ = made["authorization"]["parameters"]
    assert given_["serviceprincipalid"] == GUID
    assert given_["TenantId"] == "t"
    assert {key.lower() for key in given_} <= {"serviceprincipalid", "tenantid", "scope"}
    kept = {k: v for k, v in document["data"].items() if k.lower() not in {"revertschemedeadline", "spnobjectid"}}
    assert made["data"] == {**kept, "creationMode": "Manual"}
    assert has_label(made, LABEL)
    assert [one.id for one in projects(made)] == [one.id for one in PLACES]


@FEW
@given(st.text(max_size=2000), st.text(max_size=30))
def test_only_a_whole_label_is_one(about: str, tail: str) -> None:
    """One that is part of another word isn't, nor that of another walk; a long description doesn't hide it."""
    made = new("n", LABEL, GUID, PLACES, about)
    assert has_label(made, LABEL)
    assert len(made["description"]) <= 1024
    assert not has_label({"description": f"{LABEL}x{tail}".split(maxsplit=1)[0]}, LABEL)
    assert not has_label({"description": f"rekey/local/{GUID.replace('1', '3')}"}, LABEL)


@FEW
@given(
    st.dictionaries(st.sampled_from(("id", "name", "data", "authorization", "serviceEndpointProjectReferences")), JSON)
)
def test_any_answer_is_read_or_asked_for_again(document: dict[str, Any]) -> None:
    """An id that is no id never becomes a part of a path."""
    assert not has_label(document, LABEL)
    with contextlib.suppress(NotYetError):
        assert len(read("contoso", "Shop", document).id) == 36
    with contextlib.suppress(NotYetError):
        assert all(len(one.id) == 36 for one in projects(document))


@FEW
@given(st.text())
def test_what_others_wrote_stays_in_its_line(name: str) -> None:
    """A name is shown in printable letters, of bounded length, and is itself if that is what it is."""
    shown = quoted(name)
    assert shown.isprintable()
    assert len(shown) <= 123
    assert shown == name or not name.isprintable() or len(name) > 120


@FEW
@given(JSON, st.sampled_from(("deploy", "DEPLOY", GUID)))
def test_a_step_that_names_it_is_found_however_deep(around: Any, word: str) -> None:
    """As the value of any input, alone or in a list of names; never as the name of an input or a part of a word."""
    wanted = {"deploy", GUID}
    process = {"phases": [{"steps": [{"inputs": {"connection": f"first, {word}", "x": around}}]}]}
    assert _judged(_Definition(id=1, process=process), wanted).naming
    assert _judged(_Definition(id=1, variables={"v": {"value": word}}), wanted).naming
    assert not _judged(_Definition(id=1, process={word: [f"{word}-other"]}, name=word), wanted).naming
    assert not _judged(_Definition(id=1, environments=[{"name": word, "inputs": {word: "x"}}]), wanted).naming


@FEW
@given(st.dictionaries(st.sampled_from(("id", "url", "createdBy", "type", "settings", "timeout", "resource")), JSON))
def test_a_check_is_what_it_does(check: dict[str, Any]) -> None:
    """Who made it when, and what it guards, doesn't tell two of them apart."""
    assert like(check) == like({**check, "id": 5, "createdBy": {"id": "a"}, "resource": {"id": "other"}})
    assert set(like(check)) <= {"type", "settings", "timeout"}
