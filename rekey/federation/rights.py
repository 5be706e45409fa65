"""The rights that the steps of a federation need, and how each is granted: for its plan."""

from rekey import names
from rekey.azure_devops_endpoints import GRANT
from rekey.graph_errors import GRANT as OWNED
from rekey.model.federation import Federation, Identity, Mode
from rekey.own_permissions import MAIL, STORAGE
from rekey.ports import Permission
from rekey.resource_manager import granting
from rekey.role_assignments import ROLE

_ONE = Permission("azure-devops", "Service connection: Administrator", "reading, converting and testing it", GRANT)
_ALL = Permission(
    "azure-devops",
    "Service connections: Administrator",
    "making one beside it, and deleting the old one, in each of its projects",
    GRANT.replace("the service connection", "all of the project's service connections"),
)
_OWNED = Permission("graph", "Application.ReadWrite.OwnedBy", "federated credentials, passwords", OWNED)
_CREDENTIALS = "Managed Identity Federated Identity Credential Contributor"

_OF_CONNECTION = frozenset(
    {
        *(names.READ_CONNECTION, names.CHECK_CONNECTION, names.CONVERT_CONNECTION, names.PROVE_CONNECTION),
        *(names.CREATE_CONNECTION, names.COPY_ACCESS, names.LOOK_AT_RUNS, names.RETIRE_CONNECTION),
    }
)
_OF_IDENTITY = frozenset({names.FIND_IDENTITY, names.TRUST_CONNECTION})
_OF_RECORD = frozenset({names.OPEN_FEDERATION, names.CLOSE_FEDERATION})


def needed(
    step: str, walk: Federation, signs_in_as: Identity | None, scopes: tuple[str, ...]
) -> tuple[Permission, ...]:
    """Return every right a step needs; `scopes` are ARM ids that roles are granted at."""
    if step in _OF_CONNECTION:
        return (_ALL if walk.mode is Mode.SIDE_BY_SIDE else _ONE,)
    if step in _OF_IDENTITY:
        arm_id = signs_in_as.arm_id if signs_in_as else walk.identity
        return (_at(_CREDENTIALS, arm_id, "its federated credentials"),) if arm_id else (_OWNED,)
    if step == names.COPY_ROLES:
        return tuple(_at(ROLE, scope, "role assignments, under a condition") for scope in scopes)
    if step == names.RETIRE_SECRETS:
        return (_OWNED,)
    if step == names.NOTIFY_OWNERS:
        return (MAIL, STORAGE)
    return (STORAGE,) if step in _OF_RECORD else ()


def _at(role: str, arm_id: str, needed_for: str) -> Permission:
    return Permission("resource-manager", role, f"{needed_for}, at {arm_id}", granting(role, arm_id))
