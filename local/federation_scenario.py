"""A company whose service connection can do without its secret: its app may convert connections in place."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from local.scenario import Scenario
from local.seed_document import merged, new_name
from rekey import names


@dataclass(frozen=True)
class FederationScenario(Scenario):
    """A managed secret far from its end, whose connection a pipeline deploys through. `soak`: ISO 8601 duration."""

    expires_in_days: float = 120
    soak: str = "PT10S"
    pipeline: str = field(default_factory=lambda: new_name("deploy"))
    developer: str = "developer@contoso.example"
    """Who made the pipeline."""
    rotation: str = field(default_factory=lambda: str(uuid.uuid4()))
    """The rotation that made the password."""

    def people_and_machines(self) -> dict[str, Any]:
        """Return the seed document of everything but the secret, with the pipeline."""
        project = {
            "pipelines": {self.pipeline: {"author": self.developer, "uses": [{"endpoint": self.connection}]}},
            "endpoints": {self.connection: {"application": self.application, "pipelines": [self.pipeline]}},
        }
        member = {"projects": {self.project: ["administer", "view-builds"]}}
        organization = {"members": {"rekey": member}, "projects": {self.project: project}}
        company = merged(super().people_and_machines(), {"organizations": {self.organization: organization}})
        company["applications"][self.application]["passwords"][0]["display_name"] = names.label("local", self.rotation)
        return company

    def rotated_secret(self, client_id: str, azure_devops: str, key_id: str) -> dict[str, Any]:
        """Return the seed document of the secret as that rotation left it; `key_id` is the password's."""
        document = self.managed_secret(client_id, azure_devops)
        own = {names.TAG_ROTATION_ID: self.rotation, names.TAG_KEY_ID: key_id}
        document["vaults"][self.vault]["secrets"][self.secret]["tags"] |= own
        return document

    def settings(self, description: dict[str, Any], identity: str, client_id: str, storage: str) -> dict[str, str]:
        """Return the app's settings: what Microsoft doesn't document has to be asked for."""
        return super().settings(description, identity, client_id, storage) | {"REKEY_FEDERATION": "in-place"}
