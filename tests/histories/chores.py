"""What may become of the nightly check, of purging and of delivering what waits, by name, on the scripted engine."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rekey import names
from rekey.model import Delivered, Notice, NoticeKind, Ok, Outcome, Parcel, Permanent, Sorted, Told, encode
from rekey.model.audit import Alert, Alerts, Logs, Place, Read
from rekey.model.connections import ProjectName, ProjectRead, Projects, Reported
from rekey.model.night import Looked, Places, Summed
from rekey.model.purge import Purged
from tests.histories.replaying import registered
from tests.histories.situations import Situation
from tests.orchestrators.engine import Activity, Engine
from tests.orchestrators.scripts import BUSY, LOST, REFUSED

DIGEST = Notice(kind=NoticeKind.RECONCILE, rotation_id="run", vault="", secret="", to=())
CONNECTIONS = Notice(kind=NoticeKind.CONNECTIONS, rotation_id="run", vault="", secret="", to=())
PARCELS = tuple(Parcel(f"n{number}", ("ada@contoso.example",)) for number in range(4))
WELL: Mapping[str, Any] = {
    names.LIST_PLACES: Places(vaults=("kv-one", "kv-two"), groups=2),
    names.SUM_UP_NIGHT: Summed(findings=0, notice=DIGEST),
    names.NOTIFY_OWNERS: Told(kind=NoticeKind.RECONCILE),
    names.PURGE_INSTANCES: Purged(),
    names.SORT_OUTBOX: Sorted(),
    names.DELIVER_MAIL: Delivered(accepted=("ada@contoso.example",)),
    names.START_ALONE: {"started": True},
    names.LIST_AUDIT_LOGS: Logs(places=tuple(Place(account=0, prefix=f"{v}/", vault=v) for v in ("kv-one", "kv-two"))),
    names.READ_AUDIT_LOG: Read(read=700, lines=3, hits=1),
    names.PLAN_ALERTS: Alerts(),
    names.LIST_PROJECTS: Projects(projects=tuple(ProjectName(organization="contoso", project=p) for p in ("a", "b"))),
    names.AUDIT_PROJECT: ProjectRead(connections=2),
    names.REPORT_CONNECTIONS: Reported(counts={"connections": 4}, notice=CONNECTIONS),
}
WAITING = (Ok(encode(Sorted())), Ok(encode(Sorted(PARCELS))))
LIMITED = Permanent("mail-limit", "used up")
ALERT = Alert(id="alert-1", notice=Notice(kind=NoticeKind.ALERT, rotation_id="alert-1", vault="kv", secret="s", to=()))
ALERTS = [Ok(encode(Alerts(alerts=(ALERT,), more=True))), Ok(encode(Alerts(alerts=(ALERT,))))]
MORE = Ok(encode(Read(read=9_000, lines=30, more=True)))


def _chore(orchestrator: str, instance: str = "", **script: Sequence[Outcome]) -> Situation:
    def run(version: str) -> Engine:
        left = {step: iter(outcomes) for step, outcomes in script.items()}

        def activity(name: str) -> Activity:
            def act(_payload: Any, _now: datetime) -> Any:
                return encode(next(left.get(name, iter(())), None) or Ok(encode(WELL.get(name, Looked()))))

            return act

        engine = Engine(registered(), activity)
        engine.version = version
        engine.run(orchestrator, instance or orchestrator, None)
        return engine

    return run


CHORES: dict[str, Situation] = {
    "reconcile-told": _chore(names.RECONCILE),
    "reconcile-silent": _chore(names.RECONCILE, sum_up_night=[Ok(encode(Summed(findings=0, notice=None)))]),
    "reconcile-vending": _chore(names.RECONCILE, list_places=[Ok(encode(Places(vaults=(), groups=0, rotates=False)))]),
    "reconcile-more": _chore(names.RECONCILE, find_staged_leftovers=[Ok(encode(Looked(more=True)))]),
    "reconcile-busy": _chore(names.RECONCILE, list_places=[BUSY], find_stuck_rotations=[LOST], sum_up_night=[BUSY]),
    "reconcile-part-failed": _chore(names.RECONCILE, find_unwell_secrets=[REFUSED]),
    "reconcile-stopped": _chore(names.RECONCILE, list_places=[REFUSED]),
    "reconcile-forwarded": _chore(names.RECONCILE, "by-hand"),
    "purge-done": _chore(names.PURGE_HISTORY, purge_instances=[Ok(encode(Purged(purged=5, more=True)))]),
    "purge-failed": _chore(names.PURGE_HISTORY, purge_instances=[BUSY, REFUSED]),
    "purge-forwarded": _chore(names.PURGE_HISTORY, "by-hand"),
    "deliver-nothing": _chore(names.DELIVER_NOTICES),
    "deliver-all": _chore(names.DELIVER_NOTICES, sort_outbox=WAITING, deliver_mail=[BUSY]),
    "deliver-limited": _chore(names.DELIVER_NOTICES, sort_outbox=WAITING, deliver_mail=[LIMITED]),
    "deliver-refused": _chore(names.DELIVER_NOTICES, sort_outbox=WAITING, deliver_mail=[REFUSED] * 4),
    "deliver-unsorted": _chore(names.DELIVER_NOTICES, sort_outbox=[REFUSED]),
    "deliver-forwarded": _chore(names.DELIVER_NOTICES, "by-hand"),
    "watch-nothing": _chore(names.WATCH_VAULT_ACCESS),
    "watch-told": _chore(names.WATCH_VAULT_ACCESS, plan_alerts=ALERTS),
    "watch-more": _chore(names.WATCH_VAULT_ACCESS, read_audit_log=[MORE, MORE, MORE]),
    "watch-busy": _chore(
        names.WATCH_VAULT_ACCESS,
        list_audit_logs=[BUSY],
        read_audit_log=[LOST, BUSY],
        plan_alerts=[BUSY, *ALERTS],
        notify_owners=[LOST],
        settle_alert=[BUSY],
    ),
    "watch-log-failed": _chore(names.WATCH_VAULT_ACCESS, read_audit_log=[REFUSED]),
    "watch-mail-kept": _chore(names.WATCH_VAULT_ACCESS, plan_alerts=ALERTS, notify_owners=[REFUSED]),
    "watch-mail-lost": _chore(names.WATCH_VAULT_ACCESS, plan_alerts=ALERTS, notify_owners=[REFUSED, REFUSED]),
    "watch-unlisted": _chore(names.WATCH_VAULT_ACCESS, list_audit_logs=[REFUSED]),
    "watch-forwarded": _chore(names.WATCH_VAULT_ACCESS, "by-hand"),
    "connections-told": _chore(names.AUDIT_SERVICE_CONNECTIONS),
    "connections-silent": _chore(
        names.AUDIT_SERVICE_CONNECTIONS, report_connections=[Ok(encode(Reported(counts={"connections": 4})))]
    ),
    "connections-more": _chore(
        names.AUDIT_SERVICE_CONNECTIONS,
        audit_project=[Ok(encode(ProjectRead(more=True))), BUSY, Ok(encode(ProjectRead(more=True, pause=40.0)))],
    ),
    "connections-project-failed": _chore(names.AUDIT_SERVICE_CONNECTIONS, audit_project=[REFUSED, LOST]),
    "connections-stopped": _chore(names.AUDIT_SERVICE_CONNECTIONS, report_connections=[BUSY, REFUSED]),
    "connections-mail-kept": _chore(names.AUDIT_SERVICE_CONNECTIONS, notify_owners=[REFUSED]),
    "connections-forwarded": _chore(names.AUDIT_SERVICE_CONNECTIONS, "by-hand"),
}
