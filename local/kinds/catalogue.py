"""Which kinds there is a company for, credentials and consumers alike; a new kind is one line here."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from local.kinds.app_setting import AppSetting
from local.kinds.azdo_pipeline import Pipeline
from local.kinds.azdo_variable_group import VariableGroup
from local.kinds.key_vault_reference import KeyVaultReference
from local.kinds.logic_app import LogicApp
from local.kinds.manual import Manual
from local.kinds.ports import Consumer
from local.scenario import Scenario
from local.storage_scenario import StorageScenario

GRACE = "PT5S"
"""So that nobody has to watch for a week, the default."""


def _password() -> Scenario:
    return Scenario(grace=GRACE, audited=True)


def _with(*others: Consumer) -> Scenario:
    return replace(_password(), others=others)


def _key() -> Scenario:
    reference = KeyVaultReference()
    return StorageScenario(grace=GRACE, audited=True, readers=(reference.client_id,), others=(AppSetting(), reference))


def _reference() -> Scenario:
    reference = KeyVaultReference()
    return replace(_password(), readers=(reference.client_id,), others=(reference,))


def _variable() -> Scenario:
    company = _password()
    return replace(company, others=(VariableGroup(company.organization, company.project),))


def _pipeline() -> Scenario:
    company = _password()
    return replace(company, others=(Pipeline(company.organization, company.project, company.connection),))


COMPANIES: Mapping[str, Callable[[], Scenario]] = {
    "entra-app-password": _password,
    "storage-account-key": _key,
    "app-setting": lambda: _with(AppSetting()),
    "azdo-pipeline": _pipeline,
    "azdo-service-connection": _password,
    "azdo-variable-group": _variable,
    "key-vault-reference": _reference,
    "logic-app": lambda: _with(LogicApp()),
    "manual": lambda: _with(Manual()),
}
"""Kind -> a company, with new names, in which a rotation has to do with it."""


class UnknownKindError(Exception):
    """There is no such kind; the sentence lists those there are."""


def company_for(kind: str) -> Scenario:
    """Return a company, with new names, in which a rotation has to do with that kind."""
    if kind not in COMPANIES:
        raise UnknownKindError(f"kind: got {kind!r}, expected one of {', '.join(COMPANIES)}")
    return COMPANIES[kind]()
