"""Deploys dist/rekey.zip to a function app on Flex Consumption as it is.

`az functionapp deployment source config-zip` has Azure build every Python package anew, `--build-remote false` or not
(2.91.0: enable_zip_deploy_flex), and nothing of what was held to the lock is left. So this speaks to the app's
deployment endpoint itself, as azd does; the Azure CLI says where that is and who is signed in.
"""

import argparse
import http.client
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tools.package import TARGET

PATIENCE = 900.0
"""Seconds that a deployment may take."""
_PAUSE = 1.0
_FINAL = {
    -1: "it was cancelled",
    3: "it failed",
    5: "another deployment is under way",
    6: "it succeeded in part only",
}
_DONE = 4


class DeployError(Exception):
    """The package isn't deployed; the message says why."""


@dataclass(frozen=True)
class Site:
    """The deployment endpoint of one function app, for whoever is signed in."""

    host: str
    token: str

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, float]:
        """Return status, what the JSON says (None: nothing), and for how many seconds to wait before asking again."""
        headers = {"Authorization": f"Bearer {self.token}", "Accept": "application/json", "User-Agent": "rekey"}
        headers |= {"Content-Type": "application/zip"} if body is not None else {}
        connection = http.client.HTTPSConnection(self.host, timeout=230, context=ssl.create_default_context())
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text, wait = answer.read(), answer.headers.get("Retry-After", "")
        except OSError as error:
            raise DeployError(f"{self.host} can't be reached: {error}") from None
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text) if text else None, float(wait) if wait.isdigit() else _PAUSE
        except json.JSONDecodeError:
            return answer.status, None, _PAUSE


def checked(archive: Path) -> bytes:
    """Return the package's bytes if they have the digest beside them; DeployError."""
    beside = archive.with_name(f"{archive.name}.sha256")
    if not archive.is_file() or not beside.is_file():
        raise DeployError(f"{archive}: expected what make package writes, with its digest beside it")
    content = archive.read_bytes()
    if beside.read_text().split()[0] != sha256(content).hexdigest():
        raise DeployError(f"{archive}: its SHA-256 isn't the one in {beside.name}; run make package again")
    return content


def publish(site: Site, package: bytes, patience: float = PATIENCE) -> None:
    """Upload a package, not to be built there, and wait until it is deployed; DeployError."""
    status, said, _ = site.ask("POST", "/api/publish?RemoteBuild=false&Deployer=rekey", package)
    if status == http.client.CONFLICT:
        raise DeployError("another deployment is under way: try again when it has ended")
    if status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
        raise DeployError(
            f"refused ({status}): whoever is signed in needs the role Website Contributor on the function app"
        )
    if status != http.client.ACCEPTED or not isinstance(said, str):
        raise DeployError(f"the package wasn't taken: {status} {said}")
    for state in _states(site, f"/api/deployments/{said}", patience):
        if state.get("remoteBuild"):
            raise DeployError(
                "Azure builds the package itself instead of taking it as it is: don't use this deployment"
            )
        if state.get("status") in _FINAL:
            raise DeployError(
                f"the deployment {said} isn't done: {_FINAL[state['status']]}. {state.get('status_text')}"
            )


def _states(site: Site, path: str, patience: float) -> Iterator[dict[str, Any]]:
    """Yield what a deployment says of itself until it is done.

    It may not be there yet, and whatever did it may be gone already: the latter counts as done, as it does for azd.
    """
    seen, until = False, time.monotonic() + patience
    while time.monotonic() < until:
        status, state, wait = site.ask("GET", path)
        if status == http.client.NOT_FOUND and seen:
            return
        if isinstance(state, dict) and status in {http.client.OK, http.client.ACCEPTED}:
            seen = True
            yield state
            if state.get("status") == _DONE:
                return
        elif status != http.client.NOT_FOUND:
            raise DeployError(f"the deployment can't be followed: {status}")
        time.sleep(min(wait, max(0.0, until - time.monotonic())))
    raise DeployError(f"no end of the deployment in {patience:.0f} s; it may still come: see {path} of {site.host}")


def site(group: str, name: str) -> Site:
    """Return the deployment endpoint of a function app, by the Azure CLI; DeployError."""
    endpoint = "hostNameSslStates[?hostType=='Repository'].name | [0]"
    host = _az("functionapp", "show", "--resource-group", group, "--name", name, "--query", endpoint)
    if not host:
        raise DeployError(f"the function app {name} has no deployment endpoint")
    return Site(host, _az("account", "get-access-token", "--query", "accessToken"))


def _az(*arguments: str) -> str:
    try:
        command = ["az", *arguments, "--output", "tsv"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        raise DeployError(
            "az is missing: install the Azure CLI (https://aka.ms/azure-cli) and sign in: az login"
        ) from None
    if done.returncode:
        raise DeployError(f"az {' '.join(arguments[:2])}: {done.stderr.strip()}")
    return done.stdout.strip()


def main(arguments: list[str] | None = None) -> int:
    """Deploy; exit code 1 with a sentence if it isn't done."""
    parser = argparse.ArgumentParser(prog="python -m tools.deploy", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--resource-group", required=True, help="the function app's resource group")
    parser.add_argument("--name", required=True, help="the function app: main.bicep's output functionAppName")
    parser.add_argument("--archive", type=Path, default=TARGET / "rekey.zip", help="default: dist/rekey.zip")
    chosen = parser.parse_args(arguments)
    try:
        package = checked(chosen.archive)
        publish(site(chosen.resource_group, chosen.name), package)
    except DeployError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    print(f"{chosen.name} has {chosen.archive} now, {sha256(package).hexdigest()[:12]}, as it was packed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
