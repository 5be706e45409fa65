"""A small company in the simulated Azure: one managed secret, its application, its service connection, its people.

Names are new each time, so that nothing can rely on one.
"""

import json
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any

from local.kinds.azdo_service_connection import ServiceConnection
from local.kinds.entra_app_password import EntraAppPassword
from local.kinds.ports import Consumer, Credential
from local.seed_document import merged, new_name
from rekey.nightly_settings import SCHEDULES
from rekey.tag_reading import TAG_READERS

QUEUE = "kv-secrets-near-expiry"

JOB, INTRUDER = "deploy-job", "intruder"
"""Two identities that may read the vault's secrets, as far as the vault is concerned; the second one isn't expected."""


@dataclass(frozen=True)
class Scenario:
    """What is seeded. `grace` is the ISO 8601 duration the policy tag asks for; `others` hold copies as well.

    `audited`: the vaults have an audit log, which the app reads, and the secret names who may read it: the job, and the
    identities in `readers` (client ids).
    """

    grace: str = "PT5S"
    expires_in_days: float = 20
    adopt: bool = True
    audited: bool = False
    readers: tuple[str, ...] = ()
    tags: dict[str, str] = field(default_factory=dict)
    others: tuple[Consumer, ...] = ()
    vault: str = field(default_factory=lambda: new_name("kv"))
    staging: str = field(default_factory=lambda: new_name("stage"))
    secret: str = field(default_factory=lambda: new_name("deploy"))
    application: str = field(default_factory=lambda: new_name("app"))
    organization: str = field(default_factory=lambda: new_name("org"))
    project: str = field(default_factory=lambda: new_name("Project"))
    connection: str = field(default_factory=lambda: new_name("connection"))
    job: str = field(default_factory=lambda: str(uuid.uuid4()))
    canary: str = field(default_factory=lambda: f"Zq8~{secrets.token_hex(4)}-")
    mail_resource: str = field(default_factory=lambda: new_name("mail"))
    owner: str = "owner@contoso.example"
    third_party: str = "partner@contoso.example"
    operator: str = "platform@contoso.example"
    sender: str = "rekey@contoso.example"

    @property
    def credential(self) -> Credential:
        """What is rotated."""
        return EntraAppPassword(self.application)

    @property
    def consumers(self) -> tuple[Consumer, ...]:
        """Who holds a copy or tries one out, in the order of the tags."""
        return (self.connected, *self.others)

    def consumer(self, uri: str) -> Consumer | None:
        """Return the consumer of that URI, as the evidence has it; None if it is none of this company's."""
        return next((consumer for consumer in self.consumers if consumer.uri() == uri), None)

    @property
    def connected(self) -> ServiceConnection:
        """The company's service connection."""
        return ServiceConnection(self.organization, self.project, self.connection, self.application)

    @property
    def third_parties(self) -> list[str]:
        """Who is told at the switch, and of nothing else."""
        return [self.third_party, *(to for consumer in self.consumers for to in consumer.third_parties())]

    @property
    def value(self) -> Any:
        """What the secret holds before the rotation, as seeds name it."""
        return {"password_of": self.application}

    def people_and_machines(self) -> dict[str, Any]:
        """Return the seed document of everything but the secret, whose tags need the application's client id."""
        company = {
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
            "mail": {
                self.mail_resource: {
                    "domains": {"contoso.example": {}},
                    "senders": [self.sender],
                    "callers": ["rekey"],
                }
            },
        }
        if self.audited:
            company = merged(company, self._who_reads())
        return merged(company, *(held.seed(self.value, self.canary) for held in (self.connected, *self.others)))

    def managed_secret(self, client_id: str, azure_devops: str) -> dict[str, Any]:
        """Return the seed document of the secret: storing it near its expiry is what raises the event."""
        version = {**self.version(client_id, azure_devops), "age_days": 160}
        version["tags"] |= {
            "rekey-owners": self.owner,
            "rekey-notify": self.third_party,
            "rekey-grace": self.grace,
            **({"rekey-adopt": "true"} if self.adopt else {}),
            **{f"rekey-consumer-{number}": other.uri() for number, other in enumerate(self.others, start=1)},
            **({TAG_READERS: ",".join((self.job, *self.readers))} if self.audited else {}),
            **self.tags,
        }
        with_it = (other.seed_with_secret(self.vault, self.secret) for other in self.others)
        return merged({"vaults": {self.vault: {"secrets": {self.secret: version}}}}, *with_it)

    def log(self, connection_string: str) -> dict[str, Any]:
        """Return the seed document of the vaults' audit logs; nothing where they have none."""
        return {"audit": {"connection_string": connection_string}} if self.audited else {}

    def version(self, client_id: str, azure_devops: str) -> dict[str, Any]:
        """Return the secret's version as a seed has it, with the tags that are its credential's."""
        return {
            "value": self.value,
            "expires_with_password": True,
            "content_type": "application/x-password",
            "tags": {
                "azureADAppId": client_id,
                "azureADAppName": self.application,
                "azureDevOpsAccountUrl": f"{azure_devops}/{self.organization}",
                "azureDevOpsProjectName": self.project,
                "azureDevOpsConnectionName": self.connection,
            },
        }

    def scope(self, client_id: str) -> dict[str, Any]:
        """Return what the vault's secrets may name."""
        own = {"vaults": [self.vault], "applications": [client_id]}
        return merged(own, self.connected.scope(), *(other.scope() for other in self.others))

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
            **({"REKEY_AUDIT_STORAGE": storage} if self.audited else {}),
        }

    def _who_reads(self) -> dict[str, Any]:
        identities = {JOB: {"client_id": self.job}, INTRUDER: {}}
        return {
            "identities": identities,
            "vaults": {self.vault: {"roles": dict.fromkeys(identities, "Key Vault Secrets User")}},
        }
