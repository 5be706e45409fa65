"""A secure parameter of a Consumption workflow of Logic Apps."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from local.answer import Answer
from local.company import Company
from local.kinds import arm
from local.kinds.copy import Copy
from local.kinds.ports import Seed
from local.seed_document import merged, new_name

TYPE = "Microsoft.Logic/workflows"
ROLE = "Logic App Contributor"


@dataclass(frozen=True)
class LogicApp(Copy):
    """One parameter of a workflow that has another one, next to another workflow."""

    stores: ClassVar[str] = "the workflow has exactly that value"
    uses: ClassVar[str] = "the workflow gets in with it"
    how: ClassVar[str] = "tried with the parameter's value"

    workflow: str = field(default_factory=lambda: new_name("orders"))
    parameter: str = "shopSecret"

    @property
    def workflow_id(self) -> str:
        """The workflow's ARM id."""
        return arm.arm_id(TYPE, self.workflow)

    def uri(self) -> str:
        """Return its normal form."""
        return arm.uri("logic-app", self.workflow, self.parameter)

    def shown(self) -> str:
        """Say where it is."""
        return f"parameter {self.parameter} of workflow {self.workflow}"

    def seed(self, value: Any, canary: str) -> Seed:
        """Return the workflow and a neighbour."""
        definition = {"parameters": {"region": {"type": "String"}}, "triggers": {"manual": {"type": "Request"}}}
        workflow = {
            "resource_group": arm.GROUP,
            "definition": definition,
            "parameters": {"region": {"value": "westeurope"}},
            "secrets": {self.parameter: value},
            "tags": {"team": "shop"},
        }
        other = {"resource_group": arm.GROUP, "secrets": {self.parameter: f"{canary}of-somebody-else"}}
        workflows = {self.workflow: workflow, f"{self.workflow}-neighbour": other}
        return merged({"workflows": workflows}, arm.granted(ROLE, self.workflow_id))

    def scope(self) -> dict[str, Any]:
        """Return the workflow."""
        return {"resources": [self.workflow_id]}

    def held(self, company: Company) -> str | None:
        """Return the parameter's value, which the service never shows."""
        return str(company.arm.workflows[self.workflow_id].value(self.parameter))

    def may_change(self) -> Iterator[str]:
        """Yield the value, and that the workflow was written."""
        value = f"document/properties/parameters/{re.escape(self.parameter)}/value"
        yield f"arm/Microsoft.Logic/{re.escape(self.workflow_id)}/({value}|version|changed|writes)$"

    def updated(self) -> str:
        """Say what it has now."""
        return f"{self.shown()} has the new one; the workflow was written back whole"

    def witnessed(self, answer: Answer, *, same: bool) -> str:
        """Say what the workflow has."""
        has = "that value" if same else "ANOTHER value"
        return f"workflow {self.workflow} has {has} (tried: HTTP {answer.status}, {answer.text})"
