"""A pipeline of Azure DevOps that tries out what the company's service connection holds."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from local.answer import Answer
from local.company import Company, Run
from local.kinds.copy import Copy
from local.kinds.ports import Credential, Judgements, Seed
from local.seed_document import new_name

if TYPE_CHECKING:
    from local.onlooker import Onlooker
    from local.seen import Seen


@dataclass(frozen=True)
class Pipeline(Copy):
    """One YAML pipeline whose runs sign in by a service connection."""

    part: ClassVar[str] = "tried by"

    organization: str
    project: str
    connection: str
    pipeline: str = field(default_factory=lambda: new_name("deploy"))

    def uri(self) -> str:
        """Return its normal form."""
        return f"azdo-pipeline://{self.organization}/{self.project}/{self.pipeline}"

    def shown(self) -> str:
        """Say where it is."""
        return f"pipeline {self.project}/{self.pipeline} of {self.organization}, which signs in by {self.connection}"

    def seed(self, value: Any, canary: str) -> Seed:  # noqa: ARG002 - a pipeline holds no value
        """Return it and a neighbour, with the app allowed to queue runs."""
        uses = {"uses": [{"endpoint": self.connection}]}
        project = {"pipelines": {self.pipeline: uses, f"{self.pipeline}-neighbour": uses}}
        member = {"projects": {self.project: ["queue-builds"]}}
        projects = {self.project: project}
        return {"organizations": {self.organization: {"members": {"rekey": member}, "projects": projects}}}

    def scope(self) -> dict[str, Any]:
        """Return nothing: the company's project is the secrets' already."""
        return {}

    def held(self, company: Company) -> str | None:  # noqa: ARG002 - the port's signature
        """Return none: it is given no value."""
        return None

    def tried(self, onlooker: "Onlooker", company: Company, credential: Credential) -> Answer | None:  # noqa: ARG002 - the port's signature
        """Return how its last run ended: that is what tried the credential."""
        run = next(reversed(self._runs(company)), None)
        if run is None:
            return None
        return Answer(200 if run.result == "succeeded" else 400, f"run {run.id} {run.result}")

    def judgements(self) -> Judgements:
        """It ran once and succeeded."""
        return {"its pipeline ran once and succeeded": self._ran}

    def may_change(self) -> Iterator[str]:
        """Yield its runs."""
        where = f"azuredevops/organizations/{self.organization}/projects/{self.project}/pipelines/{self.pipeline}"
        yield f"{re.escape(where)}/runs/"

    def updated(self) -> str:
        """Say what was done."""
        return f"pipeline {self.project}/{self.pipeline} was queued, after all others had the new one"

    def witnessed(self, answer: Answer, *, same: bool) -> str:  # noqa: ARG002 - it holds no value
        """Say how it ended."""
        return f"Azure DevOps says of pipeline {self.pipeline}: {answer.text}"

    def _runs(self, company: Company) -> tuple[Run, ...]:
        return company.project(self.organization, self.project).pipelines[self.pipeline].runs

    def _ran(self, seen: "Seen") -> tuple[bool, str]:
        runs = self._runs(seen.company)
        told = ", ".join(f"run {run.id} {run.result}" for run in runs)
        return [run.result for run in runs] == ["succeeded"], told or "no run"
