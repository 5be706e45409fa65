"""Toy kinds and settings, so that policies are tested apart from any real kind's rules."""

import json
from types import MappingProxyType
from typing import ClassVar

import pytest

from rekey import registry
from rekey.errors import InputError, ScopeError
from rekey.model import When
from rekey.settings import Settings, read

APP = "aaaaaaaa-0000-4000-8000-000000000001"
OTHER_APP = "aaaaaaaa-0000-4000-8000-000000000002"
FOREIGN_APP = "aaaaaaaa-0000-4000-8000-00000000000f"
VAULT = "kv-shop"

ENVIRONMENT = {
    "REKEY_DEPLOYMENT": "test",
    "REKEY_TENANT_ID": "BBBBBBBB-0000-4000-8000-000000000001",
    "REKEY_STAGING_VAULT": "kv-staging",
    "REKEY_OPERATORS": "ops@fabrikam.example",
    "REKEY_MAIL_DOMAINS": "contoso.example, shop.contoso.example",
    "REKEY_MAIL_ENDPOINT": "https://rekey.europe.communication.azure.com/",
    "REKEY_MAIL_SENDER": "rekey@contoso.example",
    "REKEY_SCOPES": json.dumps(
        [
            {"vaults": ["kv-other"], "applications": [FOREIGN_APP], "organizations": {"fabrikam": ["Web"]}},
            {"vaults": ["KV-Shop"], "applications": [APP.upper(), OTHER_APP], "organizations": {"Contoso": ["Shop"]}},
        ]
    ),
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
}


def settings(**changes: str) -> Settings:
    """Return valid settings with some variables changed."""
    return read(ENVIRONMENT | changes)


class ToyPassword:
    """Believes any target of word characters that the vault may name, and lowers it."""

    permissions: ClassVar[tuple[object, ...]] = ()
    never_ends: ClassVar[bool] = False

    @staticmethod
    def check_target(target: str, vault: str, settings: Settings) -> str:
        """Return the target in lower case."""
        if not target.replace("-", "").isalnum() or not target.isascii():
            raise InputError("toy", target, "letters and digits")
        if not settings.allows_application(vault, target):
            raise ScopeError("toy", target, "one of this vault's toys")
        return target.lower()


class ToyConnection:
    """Believes any URI of three segments whose first two are an allowed organization and project."""

    permissions: ClassVar[tuple[object, ...]] = ()
    when: ClassVar[When] = When.WITH_OTHERS

    @staticmethod
    def check_uri(uri: str, vault: str, settings: Settings) -> str:
        """Return the URI as it is."""
        parts = uri.split("://")[1].split("/")
        if len(parts) != 3 or "bad" in uri:
            raise InputError("toy connection", uri, "three segments")
        if not settings.allows_project(vault, parts[0], parts[1]):
            raise ScopeError("toy connection", uri, "one of this vault's projects")
        return uri


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the toys where the real kinds are."""
    passwords = {"entra-app-password": "tests.rekey.toys:ToyPassword", "toy": "tests.rekey.toys:ToyPassword"}
    connections = {
        "azdo-service-connection": "tests.rekey.toys:ToyConnection",
        "toy-place": "tests.rekey.toys:ToyConnection",
    }
    monkeypatch.setattr(registry, "CREDENTIAL_KINDS", MappingProxyType(passwords))
    monkeypatch.setattr(registry, "CONSUMER_KINDS", MappingProxyType(connections))
