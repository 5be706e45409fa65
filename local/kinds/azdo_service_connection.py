"""A service connection of Azure DevOps that holds a copy."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from local.answer import Answer
from local.company import Company, Endpoint
from local.kinds.copy import Copy
from local.kinds.ports import Credential, Seed

if TYPE_CHECKING:
    from local.onlooker import Onlooker


@dataclass(frozen=True)
class ServiceConnection(Copy):
    """A connection that signs in as an application."""

    stores: ClassVar[str] = "Azure DevOps stores exactly that value"
    uses: ClassVar[str] = "Azure DevOps signs in with it"
    how: ClassVar[str] = "TestConnection"

    organization: str
    project: str
    connection: str
    application: str

    def uri(self) -> str:
        """Return its normal form."""
        return f"azdo-service-connection://{self.organization}/{self.project}/{self.connection}"

    def shown(self) -> str:
        """Say where it is."""
        return f"service connection {self.project}/{self.connection} of {self.organization}"

    def seed(self, value: Any, canary: str) -> Seed:  # noqa: ARG002 - a connection is seeded by its application
        """Return it, with the app as an administrator of the project's connections."""
        project = {"endpoints": {self.connection: {"application": self.application}}}
        member = {"projects": {self.project: ["administer"]}}
        return {
            "organizations": {self.organization: {"members": {"rekey": member}, "projects": {self.project: project}}}
        }

    def scope(self) -> dict[str, Any]:
        """Return its project."""
        return {"organizations": {self.organization: [self.project]}}

    def held(self, company: Company) -> str | None:
        """Return the stored key."""
        return self._endpoint(company).key

    def tried(self, onlooker: "Onlooker", company: Company, credential: Credential) -> Answer | None:  # noqa: ARG002 - the port's signature
        """Do what the portal's Verify button does."""
        return onlooker.test_connection(self.organization, self.project, self._endpoint(company).id)

    def may_change(self) -> Iterator[str]:
        """Yield its key, and by whom and when it was changed."""
        where = f"azuredevops/organizations/{self.organization}/projects/{self.project}/endpoints/{self.connection}"
        changes = "secrets/serviceprincipalkey$|updates/|document/modificationDate$|document/modifiedBy/"
        yield f"{re.escape(where)}/({changes})"

    def updated(self) -> str:
        """Say what it has now."""
        return f"{self.shown()} holds the new one"

    def witnessed(self, answer: Answer, *, same: bool) -> str:
        """Say what Azure DevOps stores and does."""
        stores = "that password" if same else "ANOTHER password"
        return f"Azure DevOps stores {stores} and signs in with it (TestConnection: {answer.text})"

    def _endpoint(self, company: Company) -> Endpoint:
        return company.endpoint(self.organization, self.project, self.connection)
