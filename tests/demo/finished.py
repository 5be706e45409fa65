"""What a company looks like after a rotation that went well, for tests that then break one thing of it."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from local.answer import Answer
from local.scenario import Scenario
from local.seen import Seen
from rekey.model import Reason
from rekey.records import CLOSED, Record

SCENARIO = Scenario()
OLD, NEW = f"{SCENARIO.canary}old-value-0123456789", f"{SCENARIO.canary}new-value-9876543210"
ROTATION = "3f1c2a54-8a57-4f0e-b9c1-6f1f3a8f0c11"
OLD_KEY, NEW_KEY = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
OLD_END, NEW_END = datetime(2026, 12, 11, 4, 46, 24, tzinfo=UTC), datetime(2027, 5, 20, 4, 46, 29, tzinfo=UTC)
TAGS = {"azureADAppId": "4d896487", "rekey-grace": "PT5S", "rekey-owners": SCENARIO.owner}
EVENT = "Microsoft.KeyVault.SecretNearExpiry"
REFUSAL = "AADSTS7000215: Invalid client secret provided."


def before() -> dict[str, Any]:
    """Return the state right after the secret was stored."""
    event = {"id": "e1", "type": EVENT, "vault": SCENARIO.vault, "secret": SCENARIO.secret, "version": "v1"}
    neighbour = {"client_id": "c2", "passwords": [_password("k2", f"{SCENARIO.canary}neighbour", OLD_END)]}
    return {
        "entra": {
            "tenant": "t",
            "applications": {
                SCENARIO.application: {"client_id": "c1", "passwords": [_password(OLD_KEY, OLD, OLD_END)]},
                "neighbour": neighbour,
            },
        },
        "keyvault": {
            "vaults": {
                SCENARIO.vault: _vault(
                    {SCENARIO.secret: {"phase": "active", "versions": [_version("v1", OLD, OLD_END)]}}
                ),
                SCENARIO.staging: _vault({}),
            }
        },
        "azuredevops": {"organizations": {SCENARIO.organization: {"projects": {SCENARIO.project: _project()}}}},
        "email": {"outbox": []},
        "eventgrid": {"events": [event], "deliveries": [{"event": "e1", "status": "pending"}]},
    }


def after() -> dict[str, Any]:
    """Return the state after the rotation."""
    state = before()
    passwords = state["entra"]["applications"][SCENARIO.application]["passwords"]
    passwords[0]["removed"] = "2026-11-21T04:46:35+00:00"
    passwords.append(_password(NEW_KEY, NEW, NEW_END))
    versions = state["keyvault"]["vaults"][SCENARIO.vault]["secrets"][SCENARIO.secret]["versions"]
    versions[0]["enabled"] = False
    tags = {**TAGS, "rekey-rotation-id": ROTATION, "rekey-key-id": NEW_KEY}
    versions.append({**_version("v2", NEW, NEW_END), "tags": tags})
    state["keyvault"]["vaults"][SCENARIO.staging]["purged"] = [f"staged-{ROTATION}"]
    connection(state)["secrets"]["serviceprincipalkey"] = NEW
    both = [SCENARIO.owner, SCENARIO.third_party]
    state["email"]["outbox"] = [
        _mail("starting", [SCENARIO.owner]),
        _mail("switched", both),
        _mail("done", [SCENARIO.owner]),
    ]
    state["eventgrid"]["deliveries"] = [{"event": "e1", "status": "delivered"}] * 2
    return state


def seen(**changes: Any) -> Seen:
    """Return what somebody sees who looks at it, with changes."""
    whole = Seen(
        scenario=SCENARIO,
        before=before(),
        after=after(),
        tried_new=Answer(200, "a token for 3599 s"),
        tried_old=Answer(401, REFUSAL),
        tried={SCENARIO.connected.uri(): Answer(200, "ok")},
        records=(record(),),
        leaks=(),
    )
    return whole.but(**changes)


def record(**changes: Any) -> Record:
    """Return the evidence."""
    fields = {
        "rotation_id": ROTATION,
        "instance_id": f"rotate.{SCENARIO.vault}.{SCENARIO.secret}",
        "deployment": "local",
        "vault": SCENARIO.vault,
        "secret": SCENARIO.secret,
        "reason": Reason.EVENT,
        "opened": datetime(2026, 11, 21, 4, 46, 26, tzinfo=UTC),
        "policy_digest": "0",
        "old_version": "v1",
        "state": CLOSED,
        "result": "done",
        **changes,
    }
    return Record(**fields)


def application(state: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a state that is the application."""
    found: dict[str, Any] = state["entra"]["applications"][SCENARIO.application]
    return found


def versions(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the part of a state that is the managed secret's versions."""
    found: list[dict[str, Any]] = state["keyvault"]["vaults"][SCENARIO.vault]["secrets"][SCENARIO.secret]["versions"]
    return found


def staging(state: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a state that is the staging vault."""
    found: dict[str, Any] = state["keyvault"]["vaults"][SCENARIO.staging]
    return found


def connection(state: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a state that is the service connection."""
    project = state["azuredevops"]["organizations"][SCENARIO.organization]["projects"][SCENARIO.project]
    found: dict[str, Any] = project["endpoints"][SCENARIO.connection]
    return found


def _password(key_id: str, value: str, end: datetime) -> dict[str, Any]:
    start = "2026-11-20T04:46:24+00:00"
    return {
        "key_id": key_id,
        "display_name": None,
        "start": start,
        "end": end.isoformat(),
        "removed": None,
        "value": value,
    }


def _version(version: str, value: str, end: datetime) -> dict[str, Any]:
    return {"id": version, "value": value, "enabled": True, "exp": int(end.timestamp()), "tags": deepcopy(TAGS)}


def _vault(secrets: dict[str, Any]) -> dict[str, Any]:
    return {"secrets": secrets, "deleted": {}, "purged": []}


def _project() -> dict[str, Any]:
    endpoints = {
        SCENARIO.connection: {"id": "p1", "secrets": {"serviceprincipalkey": OLD}, "document": {"isShared": False}},
        "neighbour": {"id": "p2", "secrets": {"serviceprincipalkey": "another"}, "document": {"isShared": False}},
    }
    return {"endpoints": endpoints}


def _mail(kind: str, to: list[str]) -> dict[str, Any]:
    at = "2026-11-21T04:46:29+00:00"
    subject = f"[Rekey] {kind}: {SCENARIO.vault}/{SCENARIO.secret}"
    return {"at": at, "to": to, "subject": subject, "text": "", "html": "", "duplicates": 0}
