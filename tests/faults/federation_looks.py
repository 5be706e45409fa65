"""What must be true of a company while a connection leaves its secret, and afterwards: by the services' state."""

from dataclasses import dataclass
from typing import Any

from local.azure.directory_federation import EXCHANGE
from rekey.model.federation import Mode, Target
from tests.faults.federation_scenario import ROLE, SHOP, FederationScenario

_SCHEME = "WorkloadIdentityFederation"
_ISSUER, _SUBJECT = "workloadIdentityFederationIssuer", "workloadIdentityFederationSubject"
_OURS = "rekey-"
"""How federated credentials of ours are called."""


@dataclass(frozen=True)
class Look:
    """The company at one moment; `state` is what `/_sim/state` tells, Azure DevOps and Entra at least."""

    scenario: FederationScenario
    state: dict[str, Any]

    @property
    def connections(self) -> dict[str, Any]:
        """The project's service connections by name."""
        where = self.state["azuredevops"]["organizations"][self.scenario.organization]["projects"]
        found: dict[str, Any] = where[self.scenario.project]["endpoints"]
        return found

    @property
    def application(self) -> dict[str, Any]:
        """The application that the connection signs in as before."""
        found: dict[str, Any] = self.state["entra"]["applications"][self.scenario.application]
        return found

    @property
    def identities(self) -> dict[str, Any]:
        """The managed identities by name."""
        found: dict[str, Any] = self.state["entra"]["identities"]
        return found

    @property
    def assignments(self) -> list[dict[str, Any]]:
        """Who has which role where."""
        return list(self.state["arm"]["Microsoft.Authorization"].values())

    def works(self, name: str) -> bool:
        """Tell whether a pipeline that uses this connection right now could sign in."""
        found = self.connections.get(name)
        if found is None:
            return False
        authorization = found["document"]["authorization"]
        parameters = {key.lower(): value for key, value in authorization["parameters"].items()}
        holders = [*self.state["entra"]["applications"].values(), *self.identities.values()]
        holder = next((one for one in holders if one["client_id"] == parameters["serviceprincipalid"]), None)
        if holder is None:
            return False
        if authorization["scheme"] == _SCHEME:
            wanted = (parameters[_ISSUER.lower()], parameters[_SUBJECT.lower()], EXCHANGE)
            credentials = holder["federated_credentials"].values()
            return wanted in [(one["issuer"], one["subject"], one["audience"]) for one in credentials]
        live = [one["value"] for one in holder.get("passwords", ()) if one["removed"] is None]
        return found["secrets"].get("serviceprincipalkey") in live

    def federated(self, name: str) -> bool:
        """Tell whether a connection has no secret."""
        return bool(self.connections[name]["document"]["authorization"]["scheme"] == _SCHEME)

    def ours(self) -> list[str]:
        """Return whom Entra trusts because of Rekey: `<holder>/<federated credential>`."""
        holders = {**self.state["entra"]["applications"], **self.identities}
        return [
            f"{name}/{credential}"
            for name, holder in holders.items()
            for credential in holder["federated_credentials"]
            if credential.startswith(_OURS)
        ]

    def out(self) -> list[str]:
        """Return which of the connections that pipelines look for now can't sign in; the old one goes last.

        Nobody looks for one that is vended yet, and one that is to be repaired doesn't work.
        """
        if self.scenario.mode in (Mode.VEND, Mode.REPAIR):
            return []
        wanted = self.scenario.connection if self.scenario.connection in self.connections else None
        name = wanted or self.scenario.replacement
        return [] if self.works(name) else [name]

    def unfinished(self) -> list[str]:
        """Return what isn't as it is to be once no secret is left; nothing is made twice, and nothing forgotten."""
        scenario, made = self.scenario, self._made()
        expected = {scenario.connection} if scenario.mode is not Mode.SIDE_BY_SIDE else set()
        expected |= {made}
        wrong = []
        if set(self.connections) != expected:
            wrong.append(f"connections: {sorted(self.connections)}, expected {sorted(expected)}")
        elif not (self.works(made) and self.federated(made)):
            wrong.append(f"{made} does not sign in without a secret")
        if len(self.ours()) != 1:
            wrong.append(f"federated credentials of ours: {self.ours()}")
        return wrong + self._roles() + self._more() + (self._guards(made) if made in self.connections else [])

    def _made(self) -> str:
        return self.scenario.connection if self.scenario.stays else self.scenario.replacement

    def _guards(self, name: str) -> list[str]:
        """Return what of a connection's guards isn't as the old one's were: one check and one pipeline, or none."""
        found, expected = self.connections[name], int(self.scenario.mode is not Mode.VEND)
        project = self.state["azuredevops"]["organizations"][self.scenario.organization]["projects"]
        checks = [one["resource"]["id"] for one in project[self.scenario.project]["checks"].values()]
        permitted = list(found["permitted"].values())
        pipelines = sum(len(one["pipelines"]) for one in permitted)
        wrong = [f"{name} is open to all pipelines"] if any(one["all"] for one in permitted) else []
        if (checks.count(found["id"]), pipelines) != (expected, expected):
            wrong.append(f"{name} has {checks.count(found['id'])} checks, {pipelines} pipelines may use it")
        return wrong

    def _roles(self) -> list[str]:
        """Return whose role at the shop isn't as it should be: once for each who signs in there."""
        application = self.application["service_principal"]
        expected = [application]
        if self.scenario.target is Target.MANAGED_IDENTITY:
            expected.append(self.identities[self.scenario.deployer]["object_id"])
        if self.scenario.mode is Mode.VEND:
            expected += [one["object_id"] for one in self._vended()]
        found = [one["object_id"] for one in self.assignments if (one["role"], one["scope"]) == (ROLE, SHOP)]
        return [] if sorted(found) == sorted(expected) else [f"roles at the shop: {found}, expected {expected}"]

    def _more(self) -> list[str]:
        """Return what is wrong with identities: one is made for a connection that is vended, none otherwise."""
        made, expected = len(self._vended()), int(self.scenario.mode is Mode.VEND)
        return [] if made == expected else [f"{made} identities were made, expected {expected}"]

    def _vended(self) -> list[dict[str, Any]]:
        return [one for name, one in self.identities.items() if name not in {"rekey", self.scenario.deployer}]


def differences(before: Look, after: Look) -> list[str]:
    """Return what of the old ways in, and of whom they need, isn't as it was: for a walk that was undone."""
    wrong = [] if set(before.connections) == set(after.connections) else [f"connections: {sorted(after.connections)}"]
    both = before.connections.keys() & after.connections.keys()
    changed = [one for one in both if before.federated(one) != after.federated(one) or not after.works(one)]
    wrong += [f"{name} is not as it was" for name in changed]
    wrong += [f"trust is left: {one}" for one in after.ours()]
    if before.identities.keys() != after.identities.keys():
        wrong.append(f"identities: {sorted(after.identities)}")
    roles = [[(one["object_id"], one["role"], one["scope"]) for one in look.assignments] for look in (before, after)]
    return wrong if sorted(roles[0]) == sorted(roles[1]) else [*wrong, f"roles: {roles[1]}, before: {roles[0]}"]
