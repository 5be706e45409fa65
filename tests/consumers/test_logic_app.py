"""Logic Apps of both plans against the contract, and what only they have."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, override

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.azure.arm_access import Assignment
from rekey import logic_workflow
from rekey.consumers.logic_app import LogicApp
from rekey.errors import NotYetError, PermanentError, ScopeError
from rekey.model import ConsumerTarget, Rotation
from rekey.secret_value import SecretValue
from tests.consumers.contract import ConsumerContract, Forgotten, Wire
from tests.consumers.handed import Handed
from tests.consumers.hosting import (
    AT,
    FOREIGN_SCOPE,
    GROUP,
    SCOPE,
    arm,
    delete,
    hosted,
    no_role,
    only_reader,
    site,
    while_held,
    workflow,
)
from tests.core.binding import OURS, Corpus, bound
from tests.core.company import Company

SCHEME = "logic-app"
URI = f"{SCHEME}://{AT}/flow/password"
STANDARD = f"{SCHEME}://{AT}/flows/PASSWORD"


@pytest.fixture
async def company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Company]:
    """Run a company whose secret is in a workflow's parameter."""
    async with hosted(tmp_path, monkeypatch, URI) as running:
        yield running


def declared(company: Company) -> dict[str, Any]:
    """Return the parameters as the workflow's definition declares them."""
    found: dict[str, Any] = workflow(company).document["properties"]["definition"]["parameters"]
    return found


def _undeclared(company: Company) -> None:
    del declared(company)["password"]


def _plain(company: Company) -> None:
    declared(company)["password"] = {"type": "String"}


def _default(company: Company) -> None:
    declared(company)["password"] = {"type": "SecureString", "defaultValue": "old"}


def _other_secret(company: Company) -> None:
    declared(company)["certificate"] = {"type": "secureObject"}


def _other_with_default(company: Company) -> None:
    declared(company)["certificate"] = {"type": "SecureString", "defaultValue": ""}


class TestLogicApp(ConsumerContract):
    """The contract, for a workflow of the Consumption plan."""

    kind = LogicApp
    corpus = Corpus(
        scope=SCOPE,
        foreign_scope={**FOREIGN_SCOPE},
        good={URI: URI, f"{SCHEME}://{AT.upper()}/Flow/passWord": f"{SCHEME}://{AT}/flow/passWord"},
        malformed=(
            f"{SCHEME}://{AT}/flow",
            f"{SCHEME}://{AT}/flow/$connections",
            f"{URI}?slot=stage",
            f"{SCHEME}://{AT}/flow/%70assword",
        ),
        foreign=URI.replace("rekey-sim", "theirs"),
    )
    forgotten = (
        Forgotten(no_role, "forbidden", "--role 'Logic App Contributor'"),
        Forgotten(only_reader, "not-allowed", "workflows/flow"),
        Forgotten(lambda company: delete(company, workflow(company).id), "no-workflow", "Correct the secret's tags"),
        Forgotten(_undeclared, "no-parameter", "declare the parameter as SecureString"),
        Forgotten(_plain, "readable-parameter", "SecureString, without a default value"),
        Forgotten(_default, "readable-default", "Take the default value out"),
        Forgotten(_other_secret, "hidden-values", "one secure parameter only"),
        Forgotten(_other_with_default, "hidden-values", "one secure parameter only"),
    )
    writes = Wire("arm", "PUT")

    @override
    def uri(self, rotation: Rotation) -> str:
        return next(c.uri for c in rotation.policy.consumers if c.kind == SCHEME)

    @override
    def held(self, company: Company) -> str:
        return str(workflow(company).value("password"))

    @override
    def blank(self, company: Company, state: dict[str, Any]) -> None:
        told = state["arm"]["Microsoft.Logic"][workflow(company).id]
        del told["version"], told["changed"], told["writes"]
        del told["document"]["properties"]["parameters"]["password"]["value"]

    @override
    def add_unknown(self, company: Company) -> None:
        document = workflow(company).document
        for part in (document, document["properties"], document["properties"]["definition"]):
            part["fromTheFuture"] = {"a": [1, None, {"b": "ü"}]}
        document["properties"]["accessControl"] = {"triggers": {"allowedCallerIpAddresses": []}}

    @override
    def delete(self, company: Company) -> None:
        delete(company, workflow(company).id)


async def _inspected(company: Company, uri: str = URI) -> tuple[LogicApp, Rotation, ConsumerTarget]:
    kind, rotation = LogicApp(company.clients), await company.rotation()
    found = await kind.inspect(rotation, uri)
    return kind, rotation, ConsumerTarget(SCHEME, uri, found.object_id)


async def test_hidden_value_is_replaced_however_it_is_hidden(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the service leaves a secure parameter out, its value or its text: all else is as it was."""
    kind, rotation, target = await _inspected(company)
    workflow(company).document["properties"]["parameters"]["password"]["metadata"] = {"a": 1}
    for hides in ("no-value", "empty"):
        monkeypatch.setattr(workflow(company), "hides", hides)
        before = {**workflow(company).document["properties"]["parameters"]}
        await kind.update(rotation, target, Handed(f"new-{hides}"))
        after = workflow(company).document["properties"]["parameters"]
        assert after == {**before, "password": {"value": f"new-{hides}", "metadata": {"a": 1}}}
        assert workflow(company).document["properties"]["state"] == "Disabled"


async def test_version_that_the_write_made_is_confirmed(company: Company) -> None:
    """What is confirmed is that nobody changed the workflow since, and the text claims no more."""
    kind, rotation, target = await _inspected(company)
    new = Handed("new-value")
    await kind.update(rotation, target, new)
    assert new.note == workflow(company).version
    said = await kind.confirm(rotation, target, new)
    assert workflow(company).version in said
    assert "the value itself it never shows" in said


async def test_later_change_by_somebody_else_is_told_and_mended(company: Company) -> None:
    """Whoever changed the workflow after the write may have put the old value back: it is given the new one again."""
    kind, rotation, target = await _inspected(company)
    new, flow = Handed("new-value"), workflow(company)
    await kind.update(rotation, target, new)
    properties = {**flow.document["properties"], "state": "Enabled", "parameters": {"password": {"value": "old"}}}
    flow.replace({**flow.document, "properties": properties}, flow.changed, "0")
    with pytest.raises(PermanentError) as caught:
        await kind.confirm(rotation, target, new)
    assert (caught.value.code, "once more" in caught.value.what_to_do) == ("changed-since", True)
    await kind.update(rotation, target, new)
    assert await kind.confirm(rotation, target, new)
    assert flow.value("password") == "new-value"
    assert flow.document["properties"]["state"] == "Enabled"


async def test_change_between_read_and_write_is_kept_where_there_is_an_etag(company: Company) -> None:
    """With an ETag nobody's change is overwritten: the write is refused, and the next attempt reads again."""
    kind, rotation, target = await _inspected(company)
    flow = workflow(company)
    flow.has_etag = True

    def change() -> None:
        flow.replace({**flow.document, "tags": {"team": "another"}}, flow.changed, "0")

    with pytest.raises(NotYetError) as caught:
        await while_held(company, lambda: kind.update(rotation, target, Handed("new-value")), change, "PUT")
    assert caught.value.code == "conflict"
    assert flow.value("password") != "new-value"
    await kind.update(rotation, target, Handed("new-value"))
    assert (flow.value("password"), flow.document["tags"]) == ("new-value", {"team": "another"})


async def test_service_that_changes_more_is_told(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a write changed besides the value is named, by the parts of the workflow, once."""
    kind, rotation, target = await _inspected(company)
    flow = workflow(company)
    replace = flow.replace

    def forgetful(document: dict[str, Any], *stamp: Any) -> None:
        replace({name: part for name, part in document.items() if name != "tags"}, *stamp)

    monkeypatch.setattr(flow, "replace", forgetful)
    with pytest.raises(PermanentError) as caught:
        await kind.update(rotation, target, Handed("new-value"))
    assert caught.value.code == "not-as-sent"
    assert caught.value.message.endswith(": tags")
    await kind.update(rotation, target, Handed("new-value"))


async def test_what_a_write_brings_with_it_is_said_before(company: Company) -> None:
    """Rights on what the workflow uses, and triggers that a write lets run at once, are remarks of preflight."""
    document = workflow(company).document
    triggers = {
        "Now": {"type": "Recurrence", "recurrence": {"frequency": "Day", "interval": 1}},
        "Later": {"type": "Recurrence", "recurrence": {"frequency": "Day", "startTime": "2030-01-01T00:00:00Z"}},
        "Called": {"type": "Request"},
    }
    document["properties"]["definition"] |= {"triggers": triggers}
    declared(company)["$connections"] = {"type": "Object", "defaultValue": {}}
    document["properties"]["parameters"]["$connections"] = {"value": {"sql": {"connectionId": "x"}}}
    document["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {"/id": {"principalId": "p"}}}
    kind, rotation, target = await _inspected(company)
    used, started = (await kind.inspect(rotation, URI)).remarks
    assert "managed connections and user-assigned identities" in used
    assert started.endswith(": Now.")
    await kind.update(rotation, target, Handed("new-value"))
    assert document["identity"] == workflow(company).document["identity"]


async def test_standard_app_gets_an_app_setting(company: Company) -> None:
    """Where there is no workflow of that name, a Standard app's setting is checked, written, confirmed."""
    kind, rotation, target = await _inspected(company, STANDARD)
    flows, new = site(company, "flows"), Handed("new-value")
    before = dict(flows.settings)
    await kind.update(rotation, target, new)
    assert flows.settings == {**before, "PASSWORD": "new-value"}
    assert "has the new value" in await kind.confirm(rotation, target, new)
    del flows.settings["PASSWORD"]
    with pytest.raises(PermanentError) as caught:
        await kind.inspect(rotation, STANDARD)
    assert caught.value.code == "no-setting"
    only_reader(company)
    with pytest.raises(PermanentError) as caught:
        await kind.inspect(rotation, STANDARD)
    assert (caught.value.code, "Website Contributor" in caught.value.what_to_do) == ("not-allowed", True)


async def test_standard_app_is_found_with_rights_on_the_site_alone(company: Company) -> None:
    """Rights are looked at before existence, so that a forbidden workflow may be none: the site is looked for too."""
    object_id = company.azure.cloud.directory.identity("rekey").object_id
    arm(company).access.assignments[:] = [Assignment(object_id, "Website Contributor", GROUP)]
    _, _, target = await _inspected(company, STANDARD)
    assert target.object_id == site(company, "flows").id


async def test_site_that_is_no_logic_app_is_none(company: Company) -> None:
    """A web app of that name isn't taken for a Logic App."""
    with pytest.raises(PermanentError) as caught:
        await _inspected(company, f"{SCHEME}://{AT}/shop/PASSWORD")
    assert caught.value.code == "no-workflow"


def test_either_type_of_resource_can_be_bound() -> None:
    """A scope may name the workflow or the site: a URI is refused only if neither is allowed."""
    for type_ in ("Microsoft.Logic/workflows", "Microsoft.Web/sites"):
        scopes = bound({"resources": [f"{GROUP}/providers/{type_}/flow"]}, {})
        assert LogicApp.check_uri(URI, OURS, scopes) == URI
        with pytest.raises(ScopeError):
            LogicApp.check_uri(URI.replace("/flow/", "/flow2/"), OURS, scopes)


NAMES = st.text(min_size=1, max_size=10).filter(lambda n: n not in {"password", "properties", "identity", "value"})
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
PARTS = st.dictionaries(NAMES, ANY, max_size=5)


@settings(max_examples=40)
@given(PARTS, PARTS, PARTS, PARTS)
def test_unknown_fields_survive_and_own_ones_go(
    top: dict[str, Any], properties: dict[str, Any], definition: dict[str, Any], given_: dict[str, Any]
) -> None:
    """Of any document, what is written back is what was read, less the service's own fields, with the new value."""
    own = dict.fromkeys(logic_workflow.OWN_PROPERTIES, "own")
    inner = {**properties, **own, "definition": definition, "parameters": given_}
    document = {**top, **dict.fromkeys(logic_workflow.OWN_FIELDS, "own"), "properties": inner}
    written = logic_workflow.replaced(document, "password", SecretValue("new-value"))
    parameters = {**given_, "password": {"value": "new-value"}}
    kept = {name: part for name, part in top.items() if name not in logic_workflow.OWN_FIELDS}
    left = {name: part for name, part in properties.items() if name not in own}
    assert written == {**kept, "properties": {**left, "definition": definition, "parameters": parameters}}
    assert logic_workflow.differing(document, {**written, "etag": 1}, "password") == (
        ["etag"] if "etag" not in top else []
    )


def test_ids_of_identities_are_left_to_the_service() -> None:
    """Which identities a workflow has is written back, without the ids that only the service gives them."""
    told = {"type": "SystemAssigned, UserAssigned", "principalId": "p", "tenantId": "t", "later": 1}
    document = {"identity": {**told, "userAssignedIdentities": {"/a": {"clientId": "c"}}}, "properties": {}}
    written = logic_workflow.replaced(document, "password", SecretValue("new-value"))
    assert written["identity"] == {"type": told["type"], "later": 1, "userAssignedIdentities": {"/a": {}}}


def test_something_else_than_a_workflow_is_not_written_back() -> None:
    """An answer without properties, definition or version is waited out, never merged."""
    answers: tuple[Any, ...] = (None, [], {}, {"properties": []}, {"properties": {}})
    for odd in answers:
        with pytest.raises(NotYetError):
            logic_workflow.require_replaceable(odd, "password", URI)
        with pytest.raises(NotYetError):
            logic_workflow.version(odd)
