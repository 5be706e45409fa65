"""Step plan_alerts: which alerts are to be told now of one vault; each is written down before anybody is told."""

from typing import TYPE_CHECKING

import msgspec

from activities.blueprint import blueprint
from activities.step import Desk, log, run_unrecorded
from rekey import names
from rekey.model.audit import Alert, Alerts, Glance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rekey.audit.state import Letter, State


@blueprint.activity_trigger(input_name="payload", activity=names.PLAN_ALERTS)
async def plan_alerts_step(payload: dict) -> dict:
    """Decide what is told."""
    return await run_unrecorded(names.PLAN_ALERTS, Glance, plan, payload)


async def plan(desk: Desk, glance: Glance) -> Alerts:
    """Return what is to be told; what was decided and isn't settled comes again, word for word."""
    from rekey.audit.alerts import decided, due
    from rekey.audit.state import States

    states = States(desk.clients.container())
    state, etag = await states.read(glance.place)
    new = decided(state, glance.place, glance.started)
    if new != state:
        for line in _events(state, new):  # before the write: told twice is better than never
            log.warning("%s", msgspec.json.encode(line).decode())
        await states.write(glance.place, new, etag)
    return Alerts(alerts=tuple(map(_alert, new.letters)), more=bool(new.letters and due(new)))


def _alert(letter: "Letter") -> Alert:
    return Alert(id=letter.id, notice=letter.notice, owners=letter.owners)


def _events(state: "State", new: "State") -> "Iterator[dict[str, object]]":
    """Say what was decided, a line for each group: ids, never a person's name or address."""
    from rekey.audit.meanings import meaning

    if new.letters == state.letters:
        return
    for letter in new.letters:
        for group in (state.groups[key] for key in letter.groups):
            yield {
                "event": "audit-alert",
                "alert": letter.id,
                "rule": group.rule,
                "severity": meaning(group.rule).severity,
                "vault": state.vault,
                "secret": group.secret,
                "app_id": group.caller.app_id,
                "object_id": group.caller.object_id,
                "times": group.times,
                "refused": group.refused,
                "first": group.first,
                "last": group.last,
            }
