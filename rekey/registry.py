"""Maps the name of a credential kind, a consumer kind or an audit rule to its class, imported on first use.

A broken or heavy SDK thus costs only the kind that needs it. A new kind is one line here.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

from rekey.audit.ports import Rule
from rekey.errors import InputError
from rekey.ports import ConsumerKind, CredentialKind

CREDENTIAL_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "entra-app-password": "rekey.credentials.entra_app_password:EntraAppPassword",
        "storage-account-key": "rekey.credentials.storage_account_key:StorageAccountKey",
    }
)

CONSUMER_KINDS: Mapping[str, str] = MappingProxyType(
    {
        "app-setting": "rekey.consumers.app_setting:AppSetting",
        "azdo-pipeline": "rekey.consumers.azdo_pipeline:AzdoPipeline",
        "azdo-service-connection": "rekey.consumers.azdo_service_connection:AzdoServiceConnection",
        "azdo-variable-group": "rekey.consumers.azdo_variable_group:AzdoVariableGroup",
        "key-vault-reference": "rekey.consumers.key_vault_reference:KeyVaultReference",
        "logic-app": "rekey.consumers.logic_app:LogicApp",
        "manual": "rekey.consumers.manual:Manual",
    }
)

AUDIT_RULES: Mapping[str, str] = MappingProxyType(
    {
        "unexpected-reader": "rekey.audit.rules.unexpected_reader:UnexpectedReader",
        "old-version-read": "rekey.audit.rules.old_version_read:OldVersionRead",
        "outside-rekey-change": "rekey.audit.rules.outside_rekey_change:OutsideRekeyChange",
        "sensitive-operation": "rekey.audit.rules.sensitive_operation:SensitiveOperation",
    }
)


def credential_kind(name: str) -> type[CredentialKind]:
    """Return the class behind a credential kind; an unknown name is an InputError that lists the known ones."""
    return cast("type[CredentialKind]", _load(CREDENTIAL_KINDS, "credential kind", name))


def consumer_kind(name: str) -> type[ConsumerKind]:
    """Return the class behind a consumer kind; an unknown name is an InputError that lists the known ones."""
    return cast("type[ConsumerKind]", _load(CONSUMER_KINDS, "consumer kind", name))


def audit_rule(name: str) -> type[Rule]:
    """Return the class behind a rule of the audit log; an unknown name is an InputError that lists the known ones."""
    return cast("type[Rule]", _load(AUDIT_RULES, "audit rule", name))


def _load(kinds: Mapping[str, str], what: str, name: str) -> object:
    if name not in kinds:
        raise InputError(what, name, f"one of {', '.join(kinds)}")
    module, _, attribute = kinds[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
