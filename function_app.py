"""The map: which triggers, orchestrators and activities there are, by what the app is there for. No logic."""

import azure.durable_functions as df

from activities import blueprint as steps
from activities import (
    check_connection,
    close_federation,
    deliver_mail,
    find_identity,
    find_stuck,
    find_waiting,
    list_places,
    notify_owners,
    open_federation,
    prove_connection,
    purge_instances,
    read_connection,
    read_federation_decisions,
    retire_secrets,
    revert_connection,
    sort_outbox,
    start_alone,
    start_federation,
    sum_up_night,
    trust_connection,
    withdraw_trust,
)
from orchestrators import deliver_notices, federate_service_connection, purge_history, reconcile
from rekey.settings import settings
from triggers import federating_api, federations_api, schedules

ROTATES = settings().federating.duty == "rotation"
"""A setting that can't be used stops the app here, with a sentence that names it."""

app = df.DFApp()

STEPS = [
    notify_owners,
    purge_instances,
    start_alone,
    sort_outbox,
    deliver_mail,
    read_connection,
    open_federation,
    find_identity,
    check_connection,
    trust_connection,
    prove_connection,
    read_federation_decisions,
    retire_secrets,
    revert_connection,
    withdraw_trust,
    close_federation,
    start_federation,
    list_places,
    find_stuck,
    find_waiting,
    sum_up_night,
]
"""Every activity; imported, each is registered with the blueprint that they share."""

PARTS = [
    schedules,
    federating_api,
    federations_api,
    federate_service_connection,
    purge_history,
    deliver_notices,
    reconcile,
    steps,
]
"""What has a blueprint of its own, in every app."""

if ROTATES:
    from activities import (
        audit_project,
        begin_sweep,
        check_old_credential_use,
        close_record,
        confirm_consumer,
        convert_connection,
        disable_old_version,
        enable_old_version,
        end_sweep,
        find_due,
        find_issued,
        find_secrets,
        find_staged,
        find_unread_logs,
        generate_credential,
        list_audit_logs,
        list_projects,
        open_record,
        plan_alerts,
        plan_starts,
        preflight,
        read_audit_log,
        read_decisions,
        read_policy,
        report_connections,
        retire_old_credential,
        set_secret_version,
        settle_alert,
        start_due,
        start_rotation,
        undo_generation,
        update_consumer,
        verify_credential,
    )
    from orchestrators import (
        audit_service_connections,
        rotate_due,
        rotate_secret,
        switch_consumer,
        watch_vault_access,
    )
    from triggers import (
        connections_api,
        decisions_api,
        inventory_api,
        key_vault_events,
        operator_api,
        planning_api,
        rotation_schedules,
    )

    STEPS += [
        read_policy,
        open_record,
        preflight,
        generate_credential,
        verify_credential,
        set_secret_version,
        disable_old_version,
        update_consumer,
        confirm_consumer,
        read_decisions,
        check_old_credential_use,
        enable_old_version,
        retire_old_credential,
        undo_generation,
        close_record,
        start_rotation,
        find_secrets,
        find_staged,
        find_issued,
        find_unread_logs,
        begin_sweep,
        find_due,
        plan_starts,
        start_due,
        end_sweep,
        list_audit_logs,
        read_audit_log,
        plan_alerts,
        settle_alert,
        list_projects,
        audit_project,
        report_connections,
        convert_connection,
    ]
    PARTS += [
        key_vault_events,
        rotation_schedules,
        operator_api,
        inventory_api,
        planning_api,
        decisions_api,
        connections_api,
        rotate_secret,
        switch_consumer,
        rotate_due,
        watch_vault_access,
        audit_service_connections,
    ]
else:
    from activities import (
        check_vending,
        copy_access,
        copy_roles,
        create_connection,
        create_identity,
        grant_role,
        look_at_runs,
        retire_connection,
        start_vending,
    )
    from orchestrators import vend_service_connection

    STEPS += [
        check_vending,
        create_identity,
        create_connection,
        copy_roles,
        grant_role,
        copy_access,
        look_at_runs,
        retire_connection,
        start_vending,
    ]
    PARTS += [vend_service_connection]

for part in PARTS:
    app.register_functions(part.blueprint)
