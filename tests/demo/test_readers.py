"""How the demo judges what was told of those who read the secret."""

from typing import Any

import pytest

from local.demo.readers import caught
from local.scenario import INTRUDER, JOB
from tests.demo import finished
from tests.demo.finished import SCENARIO

IDS = {INTRUDER: "id-of-the-intruder", JOB: "id-of-the-job", "rekey": "id-of-rekey"}


def alert(*, about: str = INTRUDER, **changes: Any) -> dict[str, Any]:
    """Return a mail as the simulated mail service tells it."""
    subject = f"[Rekey] alert: {SCENARIO.vault}/{SCENARIO.secret}, unexpected-reader"
    whole = {"at": "2026-11-21T04:46:40+00:00", "to": [SCENARIO.owner, SCENARIO.operator], "subject": subject}
    return {**whole, "text": f"- Application id: {IDS[about]}", "html": "", "duplicates": 0, **changes}


def judged(*mails: dict[str, Any]) -> bool:
    """Return what is made of these mails, beside those of a rotation."""
    state = finished.after()
    state["entra"]["identities"] = {name: {"client_id": client_id} for name, client_id in IDS.items()}
    state["email"]["outbox"] += mails
    return caught(SCENARIO, state).ok


def test_the_intruder_is_told_of_once() -> None:
    """One mail to owner and operators, about the intruder, is as it should be."""
    assert judged(alert())


@pytest.mark.parametrize(
    "mails",
    [
        [],
        [alert(), alert()],
        [alert(about=JOB)],
        [alert(), alert(about="rekey", to=[])],
        [alert(to=[SCENARIO.owner])],
        [alert(to=[SCENARIO.owner, SCENARIO.operator, SCENARIO.third_party])],
        [alert(duplicates=1)],
    ],
    ids=["no mail", "twice", "of an expected reader", "of Rekey", "not to the operators", "to others", "sent again"],
)
def test_anything_else_fails(mails: list[dict[str, Any]]) -> None:
    """No alert, a second one, one about somebody who was expected, and wrong recipients are found out."""
    assert not judged(*mails)
