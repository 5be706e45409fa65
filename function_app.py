"""The map: which triggers, orchestrators and activities there are. No logic."""

import azure.durable_functions as df

from activities import (
    begin_sweep,
    check_old_credential_use,
    close_record,
    confirm_consumer,
    deliver_mail,
    disable_old_version,
    end_sweep,
    find_due,
    find_issued,
    find_secrets,
    find_staged,
    find_stuck,
    find_unread_logs,
    find_waiting,
    generate_credential,
    list_audit_logs,
    list_places,
    notify_owners,
    open_record,
    plan_alerts,
    plan_starts,
    preflight,
    purge_instances,
    read_audit_log,
    read_decisions,
    read_policy,
    retire_old_credential,
    set_secret_version,
    settle_alert,
    sort_outbox,
    start_alone,
    start_due,
    start_rotation,
    sum_up_night,
    undo_generation,
    update_consumer,
    verify_credential,
)
from activities import blueprint as steps
from orchestrators import (
    deliver_notices,
    purge_history,
    reconcile,
    rotate_due,
    rotate_secret,
    switch_consumer,
    watch_vault_access,
)
from rekey.settings import settings
from triggers import decisions_api, inventory_api, key_vault_events, operator_api, planning_api, schedules

settings()  # a setting that can't be used stops the app here, with a sentence that names it

app = df.DFApp()

STEPS = (
    read_policy,
    open_record,
    preflight,
    notify_owners,
    generate_credential,
    verify_credential,
    set_secret_version,
    disable_old_version,
    update_consumer,
    confirm_consumer,
    read_decisions,
    check_old_credential_use,
    retire_old_credential,
    undo_generation,
    close_record,
    start_rotation,
    list_places,
    find_secrets,
    find_staged,
    find_issued,
    find_stuck,
    find_waiting,
    find_unread_logs,
    sum_up_night,
    purge_instances,
    begin_sweep,
    find_due,
    plan_starts,
    start_due,
    end_sweep,
    start_alone,
    sort_outbox,
    deliver_mail,
    list_audit_logs,
    read_audit_log,
    plan_alerts,
    settle_alert,
)
"""Every activity; imported, each is registered with the blueprint that they share."""

for part in (
    key_vault_events,
    operator_api,
    inventory_api,
    planning_api,
    decisions_api,
    schedules,
    rotate_secret,
    switch_consumer,
    reconcile,
    purge_history,
    rotate_due,
    deliver_notices,
    watch_vault_access,
    steps,
):
    app.register_functions(part.blueprint)
