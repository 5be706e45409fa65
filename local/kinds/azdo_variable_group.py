"""A secret variable of a variable group in Azure DevOps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from local.answer import Answer
from local.company import Company
from local.kinds.copy import Copy
from local.kinds.ports import Seed
from local.seed_document import new_name


@dataclass(frozen=True)
class VariableGroup(Copy):
    """One variable of a group that has other ones, secret and plain."""

    stores: ClassVar[str] = "the variable holds exactly that value"
    uses: ClassVar[str] = "a job gets in with the variable"
    how: ClassVar[str] = "tried with the variable's value"

    organization: str
    project: str
    group: str = field(default_factory=lambda: new_name("shop"))
    variable: str = "ShopSecret"

    def uri(self) -> str:
        """Return its normal form."""
        return f"azdo-variable-group://{self.organization}/{self.project}/{self.group}/{self.variable}"

    def shown(self) -> str:
        """Say where it is."""
        return f"variable {self.variable} of group {self.project}/{self.group} of {self.organization}"

    def seed(self, value: Any, canary: str) -> Seed:
        """Return the group and a neighbour, with the app as an administrator of the library."""
        other = {"value": f"{canary}of-somebody-else", "secret": True}
        variables = {
            self.variable: {"value": value, "secret": True},
            "OtherSecret": other,
            "Region": {"value": "westeurope"},
        }
        groups = {
            self.group: {"variables": variables, "description": "what the shop's pipelines need"},
            f"{self.group}-neighbour": {"variables": {self.variable: other}},
        }
        member = {"projects": {self.project: ["library-administrator"]}}
        projects = {self.project: {"variable_groups": groups}}
        return {"organizations": {self.organization: {"members": {"rekey": member}, "projects": projects}}}

    def scope(self) -> dict[str, Any]:
        """Return nothing: the company's project is the secrets' already."""
        return {}

    def held(self, company: Company) -> str | None:
        """Return the variable's value, which Azure DevOps never shows."""
        group = company.project(self.organization, self.project).variable_groups[self.group]
        return group.secrets.get(self.variable)

    def may_change(self) -> Iterator[str]:
        """Yield its value, and by whom and when the group was changed."""
        where = f"azuredevops/organizations/{self.organization}/projects/{self.project}/variable_groups/{self.group}"
        changes = f"secrets/{re.escape(self.variable)}$|updates/|document/modifiedOn$|document/modifiedBy/"
        yield f"{re.escape(where)}/({changes})"

    def updated(self) -> str:
        """Say what it has now."""
        return f"{self.shown()} holds the new one; all others are as they were"

    def witnessed(self, answer: Answer, *, same: bool) -> str:
        """Say what a job gets."""
        has = "that value" if same else "ANOTHER value"
        return f"group {self.group} has {has} (tried: HTTP {answer.status}, {answer.text})"
