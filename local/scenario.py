"""A small company in the simulated Azure: one managed secret, its application, its service connection, its people.

Names are new each time, so that nothing can rely on one.
"""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from rekey.nightly_settings import SCHEDULES

QUEUE = "kv-secrets-near-expiry"


def _name(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(3)}"


@dataclass(frozen=True)
class Scenario:
    """What is seeded. `grace` is the ISO 8601 duration the policy tag asks for."""

    grace: str = "PT5S"
    expires_in_days: float = 20
    adopt: bool = True
    tags: dict[str, str] = field(default_factory=dict)
    vault: str = field(default_factory=lambda: _name("kv"))
    staging: str = field(default_factory=lambda: _name("stage"))
    secret: str = field(default_factory=lambda: _name("deploy"))
    application: str = field(default_factory=lambda: _name("app"))
    organization: str = field(default_factory=lambda: _name("org"))
    project: str = field(default_factory=lambda: _name("Project"))
    connection: str = field(default_factory=lambda: _name("connection"))
    canary: str = field(default_factory=lambda: f"Zq8~{secrets.token_hex(4)}-")
    mail_resource: str = field(default_factory=lambda: _name("mail"))
    owner: str = "owner@contoso.example"
    third_party: str = "partner@contoso.example"
    operator: str = "platform@contoso.example"
    sender: str = "rekey@contoso.example"

    def people_and_machines(self) -> dict[str, Any]:
        """Return the seed document of everything but the secret, whose tags need the application's client id."""
        return {
            "canary": self.canary,
            "identities": {"rekey": {"app_roles": ["Application.ReadWrite.OwnedBy", "Policy.Read.All"]}},
            "applications": {
                self.application: {
                    "owners": ["rekey", {"user_principal_name": "ada@contoso.example", "mail": "ada@contoso.example"}],
                    "passwords": [{"display_name": "made by hand", "days": self.expires_in_days}],
                }
            },
            "vaults": {
                self.staging: {"roles": {"rekey": "Key Vault Secrets Officer"}},
                self.vault: {"roles": {"rekey": "Key Vault Secrets Officer"}},
            },
            "organizations": {
                self.organization: {
                    "members": {"rekey": {"projects": {self.project: ["administer"]}}},
                    "projects": {self.project: {"endpoints": {self.connection: {"application": self.application}}}},
                }
            },
            "mail": {
                self.mail_resource: {
                    "domains": {"contoso.example": {}},
                    "senders": [self.sender],
                    "callers": ["rekey"],
                }
            },
        }

    def managed_secret(self, client_id: str, azure_devops: str) -> dict[str, Any]:
        """Return the seed document of the secret: storing it near its expiry is what raises the event."""
        tags = {
            "azureADAppId": client_id,
            "azureADAppName": self.application,
            "azureDevOpsAccountUrl": f"{azure_devops}/{self.organization}",
            "azureDevOpsProjectName": self.project,
            "azureDevOpsConnectionName": self.connection,
            "rekey-owners": self.owner,
            "rekey-notify": self.third_party,
            "rekey-grace": self.grace,
            **({"rekey-adopt": "true"} if self.adopt else {}),
            **self.tags,
        }
        version = {
            "value": {"password_of": self.application},
            "expires_with_password": True,
            "age_days": 160,
            "content_type": "application/x-password",
            "tags": tags,
        }
        return {"vaults": {self.vault: {"secrets": {self.secret: version}}}}

    def scope(self, client_id: str) -> dict[str, Any]:
        """Return what the vault's secrets may name."""
        return {
            "vaults": [self.vault],
            "applications": [client_id],
            "organizations": {self.organization: [self.project]},
        }

    def settings(self, description: dict[str, Any], identity: str, client_id: str, storage: str) -> dict[str, str]:
        """Return the app's settings for this company in the simulated Azure that `description` describes."""
        urls = description["urls"]
        suffix = f"localhost:{description['port']}"
        return {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "AZURE_FUNCTIONS_DURABLE_STRICT_TYPING": "1",
            "AzureWebJobsStorage": storage,
            "IDENTITY_ENDPOINT": description["identity_endpoint"],
            "IDENTITY_HEADER": description["identity_header"],
            "SSL_CERT_FILE": description["ca"],
            "REQUESTS_CA_BUNDLE": description["ca"],
            "REKEY_CLOUD": json.dumps(
                {
                    "authority": urls["entra"],
                    "graph": urls["graph"],
                    "vault_suffix": f"vault.{suffix}",
                    "vault_resource": f"https://vault.{suffix}",
                    "resource_manager": urls["management"],
                    "azure_devops": urls["azuredevops"],
                    "azure_devops_release": urls["azuredevops_release"],
                    "mail_suffix": f"communication.{suffix}",
                    "storage_suffix": f"storage.{suffix}",
                }
            ),
            "REKEY_DEPLOYMENT": "local",
            "REKEY_TENANT_ID": description["tenant"],
            "REKEY_IDENTITY_CLIENT_ID": identity,
            "REKEY_SCOPES": json.dumps([self.scope(client_id)]),
            "REKEY_STAGING_VAULT": self.staging,
            "REKEY_OPERATORS": self.operator,
            "REKEY_MAIL_DOMAINS": "contoso.example",
            "REKEY_MAIL_ENDPOINT": f"https://{self.mail_resource}.communication.{suffix}",
            "REKEY_MAIL_SENDER": self.sender,
            # Fired by hand here: a demo at one in the morning is still a demo of what it shows. 30 February never is.
            "REKEY_SCHEDULES": json.dumps(dict.fromkeys(SCHEDULES, "0 0 0 30 2 *")),
        }
