"""Every name that has to be the same in two places: orchestrators, activities, instances, labels, blobs, tags."""

import hashlib
import re

# Orchestrators and activities, as the durable engine knows them.
ROTATE_SECRET = "rotate_secret"
SWITCH_CONSUMER = "switch_consumer"

READ_POLICY = "read_policy"
OPEN_RECORD = "open_record"
PREFLIGHT = "preflight"
NOTIFY_OWNERS = "notify_owners"
GENERATE_CREDENTIAL = "generate_credential"
VERIFY_CREDENTIAL = "verify_credential"
SET_SECRET_VERSION = "set_secret_version"
DISABLE_OLD_VERSION = "disable_old_version"
UPDATE_CONSUMER = "update_consumer"
CONFIRM_CONSUMER = "confirm_consumer"
CHECK_OLD_CREDENTIAL_USE = "check_old_credential_use"
RETIRE_OLD_CREDENTIAL = "retire_old_credential"
UNDO_GENERATION = "undo_generation"
CLOSE_RECORD = "close_record"
START_ROTATION = "start_rotation"
READ_DECISIONS = "read_decisions"

LIST_PLACES = "list_places"
FIND_UNWELL_SECRETS = "find_unwell_secrets"
FIND_STAGED_LEFTOVERS = "find_staged_leftovers"
FIND_ISSUED_LEFTOVERS = "find_issued_leftovers"
FIND_STUCK_ROTATIONS = "find_stuck_rotations"
FIND_WAITING_NOTICES = "find_waiting_notices"
FIND_UNREAD_LOGS = "find_unread_logs"
SUM_UP_NIGHT = "sum_up_night"
PURGE_INSTANCES = "purge_instances"
SORT_OUTBOX = "sort_outbox"
DELIVER_MAIL = "deliver_mail"
START_ALONE = "start_alone"

BEGIN_SWEEP = "begin_sweep"
FIND_DUE = "find_due"
PLAN_STARTS = "plan_starts"
START_DUE = "start_due"
END_SWEEP = "end_sweep"

LIST_AUDIT_LOGS = "list_audit_logs"
READ_AUDIT_LOG = "read_audit_log"
PLAN_ALERTS = "plan_alerts"
SETTLE_ALERT = "settle_alert"
ENABLE_OLD_VERSION = "enable_old_version"

LIST_PROJECTS = "list_projects"
AUDIT_PROJECT = "audit_project"
REPORT_CONNECTIONS = "report_connections"

FEDERATE_SERVICE_CONNECTION = "federate_service_connection"
VEND_SERVICE_CONNECTION = "vend_service_connection"

READ_CONNECTION = "read_connection"
OPEN_FEDERATION = "open_federation"
FIND_IDENTITY = "find_identity"
CHECK_CONNECTION = "check_connection"
READ_FEDERATION_DECISIONS = "read_federation_decisions"
CONVERT_CONNECTION = "convert_connection"
CREATE_CONNECTION = "create_connection"
TRUST_CONNECTION = "trust_connection"
COPY_ACCESS = "copy_access"
COPY_ROLES = "copy_roles"
PROVE_CONNECTION = "prove_connection"
LOOK_AT_RUNS = "look_at_runs"
RETIRE_CONNECTION = "retire_connection"
RETIRE_SECRETS = "retire_secrets"
REVERT_CONNECTION = "revert_connection"
WITHDRAW_TRUST = "withdraw_trust"
CLOSE_FEDERATION = "close_federation"
START_FEDERATION = "start_federation"

CHECK_VENDING = "check_vending"
CREATE_IDENTITY = "create_identity"
GRANT_ROLE = "grant_role"
START_VENDING = "start_vending"

SOAK = "soak"
"""A wait that is no activity: the old way in and the new one both exist."""
APPROVAL = "approval"
"""A wait that is no activity: somebody else has to agree."""

# What Rekey does on its own: each orchestrator's name is also its one instance's id and its timer's function name.
ROTATE_DUE = "rotate_due"
RECONCILE = "reconcile"
PURGE_HISTORY = "purge_history"
DELIVER_NOTICES = "deliver_notices"
WATCH_VAULT_ACCESS = "watch_vault_access"
AUDIT_SERVICE_CONNECTIONS = "audit_service_connections"

DECISION_EVENT = "decision"
"""Raised after a decision was written into the record; by itself it decides nothing."""

# Waits that are no activities; they appear in the custom status and the record.
GRACE = "grace"

NEAR_EXPIRY_QUEUE = "kv-secrets-near-expiry"
POISON_QUEUE = f"{NEAR_EXPIRY_QUEUE}-poison"
"""Where the Functions host puts what failed five times."""

CONTAINER = "rekey"
"""The blob container of records, leases, the outbox and what was told."""

AUDIT_LOGS = "insights-logs-auditevent"
"""The blob container that Azure Monitor writes Key Vault's audit logs to."""

LONGEST_INSTANCE_ID = 100
"""Durable Task Scheduler takes 100 printable ASCII characters."""
_PLAIN = re.compile(r"[a-z0-9_-]+")
"""Parts of an id that can be told apart by dots."""


def instance_id(vault: str, secret: str) -> str:
    """Return the one instance id a managed secret's rotation may have (lower case, at most 100 characters)."""
    plain = f"rotate.{vault}.{secret}".lower()
    if len(plain) <= LONGEST_INSTANCE_ID:
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:32]
    return f"{plain[: LONGEST_INSTANCE_ID - 33]}-{digest}"


def federation_instance(organization: str, project: str, connection: str) -> str:
    """Return the one instance id that federating or vending a connection may have; names may be in any script."""
    parts = [part.lower() for part in (organization, project, connection)]
    plain = ".".join(("federate", *parts))
    if len(plain) <= LONGEST_INSTANCE_ID and all(_PLAIN.fullmatch(part) for part in parts):
        return plain
    return f"federate.{parts[0]}-{hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:32]}"


def label(deployment: str, rotation_id: str) -> str:
    """Return what an issuer shows for a credential this deployment made in that rotation."""
    return f"rekey/{deployment}/{rotation_id}"


def staged_secret(rotation_id: str) -> str:
    """Return the name a one-time value has in the staging vault until it is published."""
    return f"staged-{rotation_id}"


RECORDS = "records/"


def record_blob(rotation_id: str) -> str:
    """Return the blob name of a rotation's evidence record."""
    return f"{RECORDS}{rotation_id}.json"


FEDERATIONS = "federations/"


def federation_blob(federation_id: str) -> str:
    """Return the blob name of the evidence record of one federation."""
    return f"{FEDERATIONS}{federation_id}.json"


def lease_blob(object_id: str) -> str:
    """Return the blob whose lease guards one consumer's object against concurrent read-merge-write."""
    return f"leases/{hashlib.sha256(object_id.lower().encode()).hexdigest()}"


SWEEPS = "sweeps/"


def sweep_blob(run_id: str, part: str) -> str:
    """Return the blob of one part of what a nightly sweep found and plans to start; of "", the prefix of them all."""
    return f"{SWEEPS}{run_id}/{part}"


ROTATION_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""Rotation ids come from the orchestration's new_uuid."""

# Tags of DESIGN.md's policy table, as people and Rekey write them.
TAG_ROTATION_ID = "rekey-rotation-id"
TAG_KEY_ID = "rekey-key-id"
TAG_DEPLOYMENT = "rekey-deployment"
"""On staged values only: which deployment may destroy them."""
