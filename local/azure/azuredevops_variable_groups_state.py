"""Knows what the simulated Azure DevOps keeps of a variable group: variables, secret values, who changed it."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any


@dataclass
class VariableGroup:
    """A variable group: `document` is what callers see, without the secrets' values."""

    id: int
    document: dict[str, Any]
    secrets: dict[str, str]
    """Values by variable name, as it is written in the document."""
    updates: list[dict[str, str]] = field(default_factory=list)
    """By whom and when, one for each PUT that was accepted."""

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.document["name"])

    @property
    def project_ids(self) -> list[str]:
        """The projects that have this group, the owning one first."""
        return [reference["projectReference"]["id"] for reference in self.document["variableGroupProjectReferences"]]

    def shown(self) -> dict[str, Any]:
        """Return the group as a single GET shows it: secrets have the value null."""
        return deepcopy(self.document)

    def listed(self) -> dict[str, Any]:
        """Return the group as a list shows it. U: without its projects, as the failed updates from lists suggest.

        https://github.com/microsoft/azure-devops-node-api/issues/424
        """
        return {**self.shown(), "variableGroupProjectReferences": None}
