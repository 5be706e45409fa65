"""The small company with a service connection that shall need no secret: what each way of leaving it without one takes.

Pipelines use the connection, a check guards it, and a managed secret keeps its password: what must survive.
"""

import json
from dataclasses import dataclass, field
from typing import Any, override

from local.azure.arm_roles import id_of
from local.azure.directory import identity_arm_id
from local.scenario import Scenario
from local.seed_document import merged, new_name
from rekey import names
from rekey.federation_settings import Duty
from rekey.model.federation import Mode, Target

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
SHOP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/shop"
"""What the connection is for: its application has a role there."""
VENDED = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/vended"
"""Where managed identities are made."""
ROLE = "Website Contributor"
GRANTED = (ROLE, "Reader")
"""What may be granted."""
_ASSIGNING = "Microsoft.Authorization/roleAssignments"
WAYS: dict[str, dict[str, Any]] = {
    "in place": {"mode": Mode.IN_PLACE},
    "in place, refused first": {"mode": Mode.IN_PLACE, "announces": False, "conversion": "checks"},
    "repair": {"mode": Mode.REPAIR},
    "side by side": {"mode": Mode.SIDE_BY_SIDE},
    "side by side, another identity": {"mode": Mode.SIDE_BY_SIDE, "target": Target.MANAGED_IDENTITY},
    "vend": {"mode": Mode.VEND},
}
"""The ways of leaving a connection without a secret, as a scenario has them."""
ASKED_BY, APPROVED_BY = "ann@contoso.example", "bob@contoso.example"


def _limited(roles: str) -> str:
    """Return the condition that the deployed app's assignment has."""
    both = (("write", "Request"), ("delete", "Resource"))
    return " AND ".join(
        f"((!(ActionMatches{{'{_ASSIGNING}/{action}'}})) OR "
        f"(@{source}[{_ASSIGNING}:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {{{roles}}} AND "
        f"@{source}[{_ASSIGNING}:PrincipalType] ForAnyOfAnyValues:StringEqualsIgnoreCase {{'ServicePrincipal'}}))"
        for action, source in both
    )


@dataclass(frozen=True)
class FederationScenario(Scenario):
    """What is seeded. `target` matters side by side; `announces`: the connection tells issuer and subject early.

    `conversion` is how Azure DevOps converts in place: at once, or only what Entra trusts already.
    """

    mode: Mode = Mode.IN_PLACE
    target: Target = Target.APPLICATION
    announces: bool = True
    conversion: str = "at-once"
    soak: str = "P7D"
    twin: bool = False
    """Whether what is vended comes with one that may only read."""
    deployer: str = field(default_factory=lambda: new_name("deployer"))
    vended: str = field(default_factory=lambda: new_name("vended"))

    @property
    def vends(self) -> bool:
        """Tell whether this is for the function app that grants roles."""
        return self.mode in (Mode.SIDE_BY_SIDE, Mode.VEND)

    @property
    def stays(self) -> bool:
        """Tell whether it is the same connection afterwards."""
        return self.mode in (Mode.IN_PLACE, Mode.REPAIR)

    @property
    def replacement(self) -> str:
        """The name of the connection that is made; side by side it comes to be in the old one's place."""
        return self.vended if self.mode is Mode.VEND else f"{self.connection}-federated"

    @property
    def identity_id(self) -> str:
        """The ARM id of the managed identity that may take the application's place."""
        return identity_arm_id(SUBSCRIPTION, "vended", self.deployer)

    @property
    def orchestrator(self) -> str:
        """What is started."""
        return names.VEND_SERVICE_CONNECTION if self.mode is Mode.VEND else names.FEDERATE_SERVICE_CONNECTION

    @property
    def instance(self) -> str:
        """The instance that does it."""
        about = self.vended if self.mode is Mode.VEND else self.connection
        return names.federation_instance(self.organization, self.project, about)

    @property
    def request(self) -> dict[str, Any]:
        """What is asked for, as the orchestrator's input."""
        asked = {"organization": self.organization, "project": self.project, "requested_by": ASKED_BY}
        if self.mode is Mode.VEND:
            return {**asked, "name": self.vended, "scope": SHOP, "role": ROLE, "twin": self.twin}
        asked |= {"connection": self.connection, "mode": self.mode, "soak": self.soak}
        if self.target is Target.MANAGED_IDENTITY:
            asked |= {"target": self.target, "identity": self.identity_id}
        return asked

    @override
    def people_and_machines(self) -> dict[str, Any]:
        """Return the seed document of everything but the secret."""
        drifted = {"scheme": "WorkloadIdentityFederation", "federated_credential": "wrong-case"}
        project = {
            "pipelines": {"deploy": {"uses": [{"endpoint": self.connection}]}},
            "endpoints": {
                self.connection: {
                    "announces": self.announces and self.mode is Mode.IN_PLACE,
                    "pipelines": ["deploy"],
                    "checks": [{"type": "ExclusiveLock"}],
                    **(drifted if self.mode is Mode.REPAIR else {}),
                }
            },
        }
        organization = {
            "conversion": self.conversion,
            "members": {"rekey": {"projects": {self.project: ["create", "view-builds"]}}},
            "projects": {self.project: project},
        }
        identities = {self.deployer: {"resource_group": "vended", "attached": False}}
        held = [{"identity": self.application, "role": ROLE, "scope": SHOP}]
        own = {
            "organizations": {self.organization: organization},
            "identities": identities,
            "role_assignments": [*held, *(self._own_roles() if self.vends else ())],
        }
        return merged(super().people_and_machines(), own)

    @override
    def scope(self, client_id: str) -> dict[str, Any]:
        """Return what the vault's secrets and the app's federations may name."""
        return merged(super().scope(client_id), {"resources": [SHOP, VENDED]})

    @override
    def settings(self, description: dict[str, Any], identity: str, client_id: str, storage: str) -> dict[str, str]:
        """Return the app's settings, of its duty."""
        base = super().settings(description, identity, client_id, storage)
        if not self.vends:
            return base | {"REKEY_FEDERATION": f"{Mode.REPAIR},{Mode.IN_PLACE}"}
        vending = {
            "roles": [id_of(one) for one in GRANTED],
            "scopes": [SHOP],
            "identities": VENDED,
            "location": "westeurope",
        }
        return base | {"REKEY_DUTY": Duty.VENDING, "REKEY_VENDING": json.dumps(vending)}

    def _own_roles(self) -> list[dict[str, Any]]:
        limited = {
            "role": "Role Based Access Control Administrator",
            "condition": _limited(", ".join(map(id_of, GRANTED))),
        }
        return [
            {"identity": "rekey", "scope": f"/subscriptions/{SUBSCRIPTION}", **limited},
            {"identity": "rekey", "scope": VENDED, "role": "Managed Identity Contributor"},
        ]
