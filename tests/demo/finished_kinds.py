"""What companies of the other kinds look like after a rotation that went well, for tests that then break one thing."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from local.answer import Answer
from local.kinds.app_setting import AppSetting
from local.kinds.azdo_pipeline import Pipeline
from local.kinds.azdo_variable_group import VariableGroup
from local.kinds.key_vault_reference import KeyVaultReference
from local.kinds.logic_app import LogicApp
from local.kinds.manual import Manual
from local.kinds.ports import Consumer
from local.seed_document import merged
from local.seen import Seen
from local.storage_scenario import StorageScenario
from rekey.model import Decision, DecisionKind
from rekey.records import Entry, Record
from tests.demo import finished
from tests.demo.finished import NEW, OLD, SCENARIO

type State = dict[str, Any]

IN = (SCENARIO.organization, SCENARIO.project)
SETTING, REFERENCE, WORKFLOW = AppSetting(), KeyVaultReference(), LogicApp()
PERSON = Manual()
GROUP, PIPELINE = VariableGroup(*IN), Pipeline(*IN, SCENARIO.connection)
OTHER = f"{SCENARIO.canary}of-somebody-else"


@dataclass(frozen=True)
class Place:
    """A consumer, and the part of a state that is its own while it holds `value`, after so many `writes`."""

    consumer: Consumer
    state: Callable[[str, int], State]

    def seen(self, change: Callable[[State], Any] = lambda _: None, **changes: Any) -> Seen:
        """Return what is seen of a company with it, after one more change."""
        whole = finished.seen()
        after = merged(whole.after, self.state(NEW, 1))
        change(after)
        return whole.but(
            scenario=replace(SCENARIO, others=(self.consumer,)),
            before=merged(whole.before, self.state(OLD, 0)),
            after=after,
            tried={**whole.tried, self.consumer.uri(): Answer(200, "a token for 3599 s")},
        ).but(**changes)


def acknowledged(at: str = "04:46:31", *, retired: str = "04:46:35", subject: str = "") -> Record:
    """Return evidence of a rotation of which somebody said that a third party has the new one."""
    said = Decision(kind=DecisionKind.ACKNOWLEDGE, subject=subject or PERSON.uri(), by="somebody", at=_at(at))
    gone = Entry(step="retire_old_credential", outcome="ok", at=_at(retired))
    return finished.record(decisions=(said,), entries=(gone,))


def by_hand(*records: Record, to: tuple[str, ...] = (PERSON.mail,)) -> Seen:
    """Return what is seen of a company with a third party who acts by hand; `to`: who was told to."""
    whole = finished.seen()
    mails = [{**whole.after["email"]["outbox"][1], "to": [address]} for address in to]
    after = merged(whole.after, {"email": {"outbox": mails}})
    return whole.but(scenario=replace(SCENARIO, others=(PERSON,)), after=after, records=records)


def _at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-21T{time}+00:00")


def site(state: State, site_id: str) -> State:
    """Return the part of a state that is a site."""
    found: State = state["arm"]["Microsoft.Web"][site_id]
    return found


def workflow(state: State) -> State:
    """Return the part of a state that is the parameters of the workflow."""
    found: State = state["arm"]["Microsoft.Logic"][WORKFLOW.workflow_id]["document"]["properties"]["parameters"]
    return found


def project(state: State) -> State:
    """Return the part of a state that is the company's project in Azure DevOps."""
    found: State = state["azuredevops"]["organizations"][SCENARIO.organization]["projects"][SCENARIO.project]
    return found


def account(state: State) -> State:
    """Return the part of a state that is the storage account."""
    found: State = state["arm"]["Microsoft.Storage"][KEYS.account]
    return found


def _setting(value: str, writes: int) -> State:
    settings = {SETTING.setting: value, "Other__Secret": OTHER}
    slot = {"settings": {SETTING.setting: OTHER}, "environment": {SETTING.setting: OTHER}}
    whole = {"settings": settings, "environment": dict(settings), "restarts": writes, "slots": {"staging": slot}}
    return {"arm": {"Microsoft.Web": {SETTING.site_id: whole}}}


def _reference(value: str, writes: int) -> State:
    reference = {REFERENCE.setting: "@Microsoft.KeyVault(VaultName=kv;SecretName=s)"}
    resolved = {REFERENCE.setting: {"status": "Resolved", "version": f"v{1 + writes}"}}
    whole = {"settings": reference, "environment": {REFERENCE.setting: value}, "references": resolved, "restarts": 0}
    return {"arm": {"Microsoft.Web": {REFERENCE.site_id: whole}}}


def _workflow(value: str, writes: int) -> State:
    declared = {WORKFLOW.parameter: {"type": "SecureString"}, "region": {"type": "String"}}
    given = {WORKFLOW.parameter: {"value": value}, "region": {"value": "westeurope"}}
    document = {"properties": {"definition": {"parameters": declared}, "parameters": given}}
    whole = {"document": document, "version": str(writes), "changed": str(writes), "writes": writes}
    return {"arm": {"Microsoft.Logic": {WORKFLOW.workflow_id: whole}}}


def _in_project(part: State) -> State:
    projects = {SCENARIO.project: part}
    return {"azuredevops": {"organizations": {SCENARIO.organization: {"projects": projects}}}}


def _group(value: str, writes: int) -> State:
    secrets = {GROUP.variable: value, "OtherSecret": OTHER}
    whole = {"id": 1, "secrets": secrets, "document": {"modifiedOn": str(writes), "variables": {"Region": "west"}}}
    return _in_project({"variable_groups": {GROUP.group: whole}})


def _pipeline(_value: str, writes: int) -> State:
    runs = [{"id": 7, "result": "succeeded"}] * writes
    return _in_project({"pipelines": {PIPELINE.pipeline: {"id": 3, "runs": runs}, "neighbour": {"id": 4, "runs": []}}})


PLACES = {
    "app-setting": Place(SETTING, _setting),
    "key-vault-reference": Place(REFERENCE, _reference),
    "logic-app": Place(WORKFLOW, _workflow),
    "azdo-variable-group": Place(GROUP, _group),
    "azdo-pipeline": Place(PIPELINE, _pipeline),
}

_NAMES = ("vault", "staging", "secret", "application", "organization", "project", "connection", "canary")
KEYS = StorageScenario(**{name: getattr(SCENARIO, name) for name in _NAMES})
NEW_KEY = "key2@2026-11-21T04:46:29.0000000Z"
_REFUSAL = "AuthenticationFailed: Server failed to authenticate the request."


def keys(change: Callable[[State], Any] = lambda _: None, **changes: Any) -> Seen:
    """Return what is seen of a company whose secret holds a storage account's key, after one more change."""
    before, after = _key_state(finished.before()), _key_state(finished.after())
    held = account(after)["keys"]
    held["key2"] = {"value": "bmV3LWtleS0y", "creation_time": NEW_KEY.partition("@")[2]}
    held["key1"] = {"value": "bmV3LWtleS0x", "creation_time": "2026-11-21T04:46:35.0000000Z"}
    account(after)["regenerations"] = 2
    second = finished.versions(after)[1]
    second |= {"value": KEYS.dressed("bmV3LWtleS0y"), "tags": {**second["tags"], "rekey-key-id": NEW_KEY}}
    finished.staging(after)["purged"].clear()
    after["entra"] = before["entra"]
    finished.connection(after)["secrets"]["serviceprincipalkey"] = OLD
    change(after)
    return finished.seen(
        scenario=KEYS,
        before=before,
        after=after,
        tried_old=Answer(403, _REFUSAL),
        tried={},
    ).but(**changes)


def _key_state(state: State) -> State:
    held = {"key1": _key(KEYS.key, "2026-06-14"), "key2": _key("b2xkLWtleS0y", "2025-12-16")}
    finished.versions(state)[0]["value"] = KEYS.value
    return merged(state, {"arm": {"Microsoft.Storage": {KEYS.account: {"keys": held, "regenerations": 0}}}})


def _key(value: str, made: str) -> State:
    return {"value": value, "creation_time": f"{made}T00:00:00.0000000Z"}
