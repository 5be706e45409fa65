"""Stands in for what Azure DevOps has of users and groups: the few requests that a set-up script makes.

The file that it is given has the state, and keeps what is changed: `projects` by name with their `id` and `groups`
(descriptors by name), `users` (descriptors by object id), `members` (groups by user), and whether the caller `may`.

Source: https://learn.microsoft.com/rest/api/azure/devops/graph and memberentitlementmanagement.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

HOSTS = frozenset({"dev.azure.com", "vssps.dev.azure.com", "vsaex.dev.azure.com"})
RESOURCE = "499b84ac-1321-427f-aa17-267ca6975798"
_REFUSED = 403, "Forbidden", "TF50309: Access denied"
_NONE = 404, "Not Found", "there is no such thing"


def answer(state: Path, method: str, url: str, body: str | None) -> tuple[int, str, str]:
    """Return status, reason and body, as az gets them; the state is as the request leaves it."""
    world: dict[str, Any] = json.loads(state.read_text())
    world["requests"].append(method)
    parts = urlsplit(url)
    found = _answer(world, method, unquote(parts.path).partition("/_apis/")[2], parse_qs(parts.query), body)
    state.write_text(json.dumps(world))
    return found if isinstance(found, tuple) else (200, "OK", json.dumps(found))


def _answer(  # noqa: PLR0911 - a row for each request
    world: dict[str, Any], method: str, path: str, query: dict[str, list[str]], body: str | None
) -> dict[str, Any] | tuple[int, str, str]:
    if method != "GET" and not world["may"]:
        return _REFUSED
    match method, path.split("/"):
        case "GET", ["graph", "serviceprincipals"]:
            return _values({"originId": one, "descriptor": known} for one, known in world["users"].items())
        case "POST", ["serviceprincipalentitlements"]:
            return _added(world, json.loads(body or "{}"))
        case "GET", ["projects", name] if name in world["projects"]:
            return {"id": world["projects"][name]["id"], "name": name}
        case "GET", ["graph", "descriptors", project]:
            return {"value": f"scp.{project}"}
        case "GET", ["graph", "groups"]:
            groups = next(
                p["groups"] for p in world["projects"].values() if query["scopeDescriptor"] == [f"scp.{p['id']}"]
            )
            return _values({"displayName": name, "descriptor": known} for name, known in groups.items())
        case "GET", ["graph", "memberships", user] if query["direction"] == ["up"]:
            return _values({"containerDescriptor": one} for one in world["members"].get(user, []))
        case "PUT", ["graph", "memberships", user, group]:
            world["members"].setdefault(user, []).append(group)
            return {"memberDescriptor": user, "containerDescriptor": group}
        case "DELETE", ["graph", "memberships", user, group]:
            world["members"][user].remove(group)
            return 200, "OK", ""
    return _NONE


def _added(world: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    who = wanted["servicePrincipal"]
    known = {"origin": "aad", "subjectKind": "servicePrincipal", "originId": who["originId"]}
    if wanted["accessLevel"] != {"accountLicenseType": "express"} or who != known or world["full"]:
        return {"isSuccess": False, "operationResult": {"errors": [{"key": 5027, "value": "No licence is left."}]}}
    assert re.fullmatch(r"[0-9a-f-]{36}", who["originId"])
    world["users"][who["originId"]] = f"aadsp.{who['originId'][:8]}"
    return {"isSuccess": True, "operationResult": {"isSuccess": True, "errors": []}}


def _values(found: Any) -> dict[str, Any]:
    listed = list(found)
    return {"count": len(listed), "value": listed}
