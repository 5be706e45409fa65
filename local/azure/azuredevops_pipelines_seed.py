"""Knows how `pipelines` and `releases` of a project in a seed document become pipelines and release definitions."""

from typing import Any, Literal

import msgspec

from local.azure.azuredevops_pipelines_state import Pipeline, Step, Use, Work
from local.azure.azuredevops_releases_state import Definition, Stage
from local.azure.azuredevops_state import Organization, Project
from local.azure.cloud import Cloud
from local.azure.seeds import parsed


class UseSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a job signs in with: a connection (`endpoint`), or `variable` of `group` as `application`'s password."""

    endpoint: str = ""
    group: str = ""
    variable: str = ""
    application: str = ""


class VariableSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A variable of a pipeline or release definition, as its designer keeps it."""

    value: str = ""
    secret: bool = False


class StepSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step of a pipeline of the designer. `connections` are inputs by name that get the id of a connection."""

    name: str = "Azure CLI"
    inputs: dict[str, str] = {}
    connections: dict[str, str] = {}


class PipelineSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pipeline; a run takes `seconds` and ends with `outcome` unless something it uses doesn't let it in.

    `author` is a mail address, `hosted` says whether Microsoft runs the agents of its pool. `yaml` is the file of a
    pipeline of that type, `steps` are those of the other.
    """

    folder: str = "\\"
    type: Literal["yaml", "designerJson"] = "yaml"
    status: Literal["enabled", "paused", "disabled"] = "enabled"
    branches: tuple[str, ...] = ("refs/heads/main",)
    seconds: float = 0.0
    outcome: Literal["succeeded", "failed", "canceled"] = "succeeded"
    uses: list[UseSeed] = []
    variables: dict[str, VariableSeed] = {}
    author: str = "pipelines@contoso.example"
    pool: str = "Azure Pipelines"
    hosted: bool = True
    yaml: str = "/azure-pipelines.yml"
    steps: list[StepSeed] = []


class StageSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stage of a release definition; `seconds` and the rest as in a pipeline."""

    automatic: bool = True
    seconds: float = 0.0
    outcome: Literal["succeeded", "partiallySucceeded", "rejected", "canceled"] = "succeeded"
    uses: list[UseSeed] = []


class DefinitionSeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A release definition: its stages in their order."""

    path: str = "\\"
    stages: dict[str, StageSeed] = {}
    variables: dict[str, VariableSeed] = {}


class PipelineSeeds:
    """Turns seeds into pipelines and release definitions; one of the same name and folder keeps id and runs."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def plant(self, organization: Organization, project: Project, pipelines: dict[str, Any], at: str) -> None:
        """Add pipelines to a project."""
        for name, raw in pipelines.items():
            here = f"{at}.{name}"
            seed = parsed(raw, PipelineSeed, here)
            same = [p for p in project.pipelines.values() if (p.name, p.folder) == (name, seed.folder)]
            number = same[0].id if same else organization.next_number("definition")
            project.pipelines[number] = Pipeline(
                id=number,
                name=name,
                folder=seed.folder,
                kind=seed.type,
                status=seed.status,
                branches=seed.branches,
                work=self._work(seed, here),
                runs=same[0].runs if same else {},
                variables={variable: _shown(one) for variable, one in seed.variables.items()},
                author=seed.author,
                pool=seed.pool,
                hosted=seed.hosted,
                yaml=seed.yaml,
                steps=tuple(_step(organization, project, step, f"{here}.steps") for step in seed.steps),
            )

    def plant_definitions(self, organization: Organization, project: Project, part: dict[str, Any], at: str) -> None:
        """Add release definitions to a project."""
        for name, raw in part.items():
            here = f"{at}.{name}"
            seed = parsed(raw, DefinitionSeed, here)
            same = [d for d in project.definitions.values() if (d.name, d.path) == (name, seed.path)]
            number = same[0].id if same else organization.next_number("release definition")
            stages = tuple(
                Stage(organization.next_number("stage"), stage, one.automatic, self._work(one, f"{here}.{stage}"))
                for stage, one in seed.stages.items()
            )
            variables = {variable: _shown(one) for variable, one in seed.variables.items()}
            releases = same[0].releases if same else {}
            project.definitions[number] = Definition(number, name, seed.path, stages, releases, variables)

    def _work(self, seed: PipelineSeed | StageSeed, at: str) -> Work:
        return Work(seed.seconds, seed.outcome, tuple(self._use(use, f"{at}.uses") for use in seed.uses))

    def _use(self, seed: UseSeed, at: str) -> Use:
        if bool(seed.endpoint) == bool(seed.group and seed.variable and seed.application):
            shown = msgspec.to_builtins(seed)
            raise ValueError(f"{at}: got {shown}, expected either endpoint, or group, variable and application")
        if seed.endpoint:
            return Use(endpoint=seed.endpoint)
        try:
            client_id = self._cloud.directory.application(seed.application).app_id
        except ValueError as problem:
            raise ValueError(f"{at}: {problem}") from None
        return Use(group=seed.group, variable=seed.variable, client_id=client_id)


def _shown(variable: VariableSeed) -> dict[str, Any]:
    return {"value": None, "isSecret": True} if variable.secret else {"value": variable.value}


def _step(organization: Organization, project: Project, seed: StepSeed, at: str) -> Step:
    ids = {endpoint.name_in(project.id): endpoint.id for endpoint in organization.endpoints_in(project)}
    for name in seed.connections.values():
        if name not in ids:
            raise ValueError(f"{at}.connections: got {name!r}, expected one of {sorted(map(str, ids))}")
    return Step(seed.name, seed.inputs | {parameter: ids[name] for parameter, name in seed.connections.items()})
