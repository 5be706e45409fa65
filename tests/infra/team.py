"""People at a terminal who run the set-up scripts: a simulated Azure, and a stand-in for the `az` that asks it."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local.azure.tokens import Subject
from tests.azure.simulated import Simulated

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "infra" / "scripts"


@dataclass(frozen=True)
class Ran:
    """What a script said and how it ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Team:
    """Whoever is signed in, and where; `folder` has the stand-in's file and program."""

    azure: Simulated
    folder: Path

    @property
    def rekey(self) -> str:
        """The object id of Rekey's service principal."""
        return self.azure.cloud.directory.identity("rekey").object_id

    def client_id(self, application: str) -> str:
        """Return an application's client id."""
        return self.azure.cloud.directory.application(application).app_id

    def held(self) -> tuple[dict[str, list[str]], list[str]]:
        """Return the owners of each application, and the permissions that Rekey was granted."""
        directory = self.azure.cloud.directory
        owners = {app.name: list(app.owners) for app in directory.applications.values()}
        return owners, sorted(directory.identity("rekey").app_roles)

    def sign_in(self, who: str | None) -> None:
        """Sign in a person, or an identity by its name; None: nobody."""
        cloud = self.azure.cloud
        graph = cloud.url("graph")
        account = None
        token = ""
        if who is not None:
            person = cloud.directory.users.get(who)
            app = None if person else cloud.directory.identity(who)
            object_id = person.object_id if person else app.object_id if app else ""
            roles = app.app_roles if app else frozenset[str]()
            token = cloud.tokens.issue(Subject(cloud.tenant, object_id, object_id, graph, roles), 3600)
            kind = "user" if person else "servicePrincipal"
            account = {"tenantId": cloud.tenant, "user": {"name": who, "type": kind}}
        endpoints = {"microsoftGraphResourceId": f"{graph}/"}
        devops = str(self.folder / "devops.json")
        cloud_of = {"endpoints": endpoints}
        world = {"account": account, "cloud": cloud_of, "token": token, "ca": self.azure.ca, "devops": devops}
        (self.folder / "world.json").write_text(json.dumps(world))

    async def run(self, *command: str) -> Ran:
        """Run a command with the stand-in as its `az`."""
        done = await asyncio.create_subprocess_exec(
            *command,
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "AZ_STAND_IN": str(self.folder / "world.json"),
                "PYTHONPATH": str(ROOT),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await done.communicate()
        return Ran(done.returncode or 0, out.decode(), err.decode())

    async def tool(self, name: str, *arguments: str) -> Ran:
        """Run one of the scripts."""
        return await self.run("bash", str(SCRIPTS / name), *arguments)

    async def script(self, name: str, *arguments: str) -> Ran:
        """Run one of the scripts for Rekey's identity."""
        return await self.tool(name, "--identity", self.rekey, *arguments)


def undoing(said: str) -> Iterator[str]:
    """Yield the commands that a script gave for taking back what it did."""
    yield from re.findall(r"^ +(az rest --method DELETE .*)$", said, re.MULTILINE)
