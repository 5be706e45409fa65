"""Step find_unread_logs: vaults that are to be watched and aren't, and what could not be read in their audit logs."""

from activities.blueprint import blueprint
from activities.list_audit_logs import find as find_logs
from activities.looking import ledger
from activities.step import Desk, run_unrecorded
from rekey import names
from rekey.model.audit import Pass
from rekey.model.night import Looked, Part


@blueprint.activity_trigger(input_name="payload", activity=names.FIND_UNREAD_LOGS)
async def find_unread_logs_step(payload: dict) -> dict:
    """Look at how far each log was read."""
    return await run_unrecorded(names.FIND_UNREAD_LOGS, Part, find, payload)


async def find(desk: Desk, part: Part) -> Looked:
    """Report what is missing, unread, silent or unreadable; nothing where settings name no audit logs."""
    from rekey.audit.state import States
    from rekey.audit.unreadable import unreadable
    from rekey.reconcile import logs

    if not desk.settings.audit.storage:
        return Looked()
    book, container = ledger(desk, part, "audit-logs"), desk.clients.container()
    found, states = await find_logs(desk, Pass(run_id=part.run_id, started=part.started)), States(container)
    for trouble in found.troubles:
        book.find(logs.unlisted(trouble))
    for vault in found.missing:
        book.find(logs.missing(vault))
    silent, heard = set[str](), set[str]()
    for place in found.places:
        state, _ = await states.read(place)
        if logs.is_late(state.passed, part.started):
            book.find(logs.unread(place, state.passed))
        # Positions are kept for a day and more; a vault that was moved has an old log besides.
        (heard if state.blobs or not state.passed else silent).add(place.vault)
    for vault in sorted(silent - heard):
        book.find(logs.silent(vault))
    for vault, turns in (await unreadable(container)).items():
        book.find(logs.unreadable(vault, turns))
    return await book.keep()
