"""What the kinds in Azure Resource Manager share: one subscription and resource group, and roles of the app there."""

from typing import Any

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = "shop"


def arm_id(type_: str, name: str) -> str:
    """Return the ARM id of a resource in the company's resource group."""
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/{type_}/{name}"


def granted(role: str, scope: str) -> dict[str, Any]:
    """Return the part of a seed document that gives the app a role."""
    return {"role_assignments": [{"identity": "rekey", "role": role, "scope": scope}]}


def uri(kind: str, name: str, item: str) -> str:
    """Return what names a setting or parameter in a tag."""
    return f"{kind}://{SUBSCRIPTION}/{GROUP}/{name}/{item}"
