"""One managed secret of a running company, and what the services themselves know of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.processes import wait_until

if TYPE_CHECKING:
    from tests.e2e.company import Company


@dataclass(frozen=True)
class Managed:
    """A secret, the application whose password it holds, the service connection that has a copy."""

    company: "Company"
    name: str
    client_id: str
    project: str

    @property
    def secret(self) -> str:
        """Return the secret's name."""
        return f"deploy-{self.name}"

    @property
    def application(self) -> str:
        """Return the application's display name."""
        return f"app-{self.name}"

    @property
    def connection(self) -> str:
        """Return the service connection's name."""
        return f"connection-{self.name}"

    @property
    def vault(self) -> str:
        """Return the vault's name."""
        return self.company.scenario.vault

    @property
    def instance(self) -> str:
        """Return the one id its rotations have."""
        return f"rotate.{self.vault}.{self.secret}"

    @property
    def request(self) -> dict[str, str]:
        """Return what names it in a request."""
        return {"vault": self.vault, "secret": self.secret}

    def versions(self) -> list[dict[str, Any]]:
        """Return its versions, the oldest first."""
        found: list[dict[str, Any]] = self.company.vault_state(self.vault)["secrets"][self.secret]["versions"]
        return found

    def value(self) -> str:
        """Return what an unversioned read gives."""
        found: str = self.versions()[-1]["value"]
        return found

    def registration(self) -> dict[str, Any]:
        """Return its application."""
        found: dict[str, Any] = self.company.stack.control.state()["entra"]["applications"][self.application]
        return found

    def passwords(self) -> list[dict[str, Any]]:
        """Return its application's passwords, the removed ones too, the oldest first."""
        found: list[dict[str, Any]] = self.registration()["passwords"]
        return found

    def working(self) -> list[str]:
        """Return the values of the passwords that were not removed."""
        return [p["value"] for p in self.passwords() if p["removed"] is None]

    def signs_in(self, value: str) -> tuple[int, Any]:
        """Return how Entra answers the application with this password."""
        return self.company.outside.sign_in(self.client_id, value)

    def endpoint(self) -> dict[str, Any]:
        """Return its service connection as the service stores it, the key included."""
        devops = self.company.stack.control.state()["azuredevops"]["organizations"]
        found: dict[str, Any] = devops[self.company.scenario.organization]["projects"][self.project]["endpoints"]
        endpoint: dict[str, Any] = found[self.connection]
        return endpoint

    def mails(self) -> list[dict[str, Any]]:
        """Return the mails that are about it."""
        return [m for m in self.company.stack.control.outbox() if f"{self.vault}/{self.secret}" in m["subject"]]

    def told(self) -> list[str]:
        """Return which notices were mailed, in their order."""
        return [m["subject"].removeprefix("[Rekey] ").split(":")[0] for m in self.mails()]

    def changes(self) -> list[str]:
        """Return what was asked of Graph that changes its application, each by the request's last segment."""
        object_id = self.registration()["object_id"]
        asked = [r for r in self.company.stack.control.requests() if r["service"] == "graph" and r["method"] != "GET"]
        return [r["path"].rpartition("/")[2] for r in asked if object_id in r["path"]]

    def status(self) -> dict[str, Any]:
        """Return the status of its instance as the durable HTTP API tells it; empty if there is none."""
        return self.company.status(self.instance)

    def finished(self) -> dict[str, Any]:
        """Wait until its instance has ended and return the status."""
        return self.company.finished(self.instance)

    def ends(self, result: str) -> dict[str, Any]:
        """Wait until its instance has ended with that result, whatever it ended with before."""

        def there() -> bool:
            return ((self.status() or {}).get("output") or {}).get("result") == result

        wait_until(there, f"{self.instance} ends {result}")
        return self.status()

    def reaches(self, step: str) -> dict[str, Any]:
        """Wait until its instance is at that step and return the status."""

        def there() -> bool:
            return (self.status().get("customStatus") or {}).get("step") == step

        wait_until(there, f"{self.instance} is at {step}")
        return self.status()

    def records(self) -> list[dict[str, Any]]:
        """Return the records of its rotations in full, the oldest first."""
        listed = self.company.ask("GET", "/api/rotations")["rotations"]
        mine = [r["rotation_id"] for r in listed if r["secret"] == self.secret]
        return [self.company.ask("GET", f"/api/rotations/{rotation}")["record"] for rotation in reversed(mine)]

    def everything(self) -> dict[str, Any]:
        """Return what vault, directory and Azure DevOps hold of it.

        Who read it, and when it was last written, are left out: preflight proves that it may write by writing a
        version's attributes as they are.
        """
        told = {"reads", "updated"}
        versions = [{k: v for k, v in version.items() if k not in told} for version in self.versions()]
        return {"versions": versions, "application": self.registration(), "endpoint": self.endpoint()}
