"""What a step's line in the log says of its rotation: enough for the workbook, and nothing that isn't for everybody."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from activities.step_event import event
from rekey.model import (
    ConsumerTarget,
    CredentialRef,
    Facts,
    Notice,
    NoticeKind,
    Ok,
    Outcome,
    Permanent,
    Policy,
    Question,
    Reason,
    RetryAfter,
    Rotation,
    RotationRequest,
    Telling,
    Unclear,
    Walk,
    When,
)

AT = datetime(2030, 1, 8, tzinfo=UTC)
WALK = Walk(
    rotation=Rotation(
        id="r",
        vault="kv-shop",
        secret="deploy",
        reason=Reason.EVENT,
        started=AT,
        policy=Policy(credential=CredentialRef("entra-app-password", "x"), owners=("ada@contoso.example",)),
        old_version="v1",
    )
)
_ADA = ConsumerTarget("manual", "manual:ada@contoso.example", "ada@contoso.example", When.BY_HAND)
BY_HAND = WALK.but(facts=Facts(object_id="o", display_name="Shop", consumers=(_ADA,)))
QUESTION = Question(request=RotationRequest(vault="kv-shop", secret="deploy"), rotation_id="r", started=AT)


def telling(kind: NoticeKind, **more: Any) -> Telling:
    """Return the input of the step that tells people."""
    notice = Notice(kind=kind, rotation_id="r", vault="kv-shop", secret="deploy", to=("ada@contoso.example",), **more)
    return Telling(notice=notice, owners=("ada@contoso.example",))


STATES: list[tuple[str, object, Outcome, dict[str, str]]] = [
    ("verify_credential", WALK, Ok(), {"state": "running"}),
    ("verify_credential", WALK, RetryAfter("not-yet", "wait", 4.0), {"state": "retrying", "waiting_for": "not-yet"}),
    ("generate_credential", WALK, Unclear("lost", "look"), {"state": "retrying", "waiting_for": "lost"}),
    ("preflight", WALK, Permanent("no-connection", "none", "Make it."), {"state": "refused", "code": "no-connection"}),
    ("read_policy", QUESTION, Ok({"not_due": "200 days left"}), {"state": "not-due", "not_due": "200 days left"}),
    ("close_record", WALK.but(result="done"), Ok(), {"state": "done"}),
    ("close_record", WALK.but(result="superseded"), Ok(), {"state": "superseded"}),
    ("close_record", WALK.but(result="nothing-left"), Ok(), {"state": "nothing-left"}),
    ("close_record", WALK.but(result="done"), RetryAfter("busy", "wait"), {"state": "retrying", "waiting_for": "busy"}),
    ("notify_owners", telling(NoticeKind.STARTING), Ok(), {"state": "running", "notice": "starting"}),
    ("notify_owners", telling(NoticeKind.FAILED, code="gone"), Ok(), {"state": "failed", "waiting_for": "gone"}),
    ("notify_owners", telling(NoticeKind.BAD_POLICY), Ok(), {"state": "bad-policy"}),
    (
        "notify_owners",
        telling(NoticeKind.SWITCHED, old_valid_until=AT),
        Ok(),
        {"state": "waiting", "waiting_for": "the end of the grace period", "until": "2030-01-08T00:00:00+00:00"},
    ),
    (
        "notify_owners",
        telling(NoticeKind.NEEDS_YOU, code="no-connection", failed_step="update_consumer"),
        Ok(),
        {"state": "needs-you", "waiting_for": "no-connection", "failed_step": "update_consumer"},
    ),
    ("read_decisions", BY_HAND, Ok({"acknowledged": {}}), {"state": "needs-you", "waiting_for": "not-acknowledged"}),
    ("read_decisions", BY_HAND, Ok({"acknowledged": {"manual:ada@contoso.example": "ops"}}), {"state": "running"}),
    *(
        (step, given, Ok(), {"state": "waiting", "until": "2030-01-08T00:00:00+00:00"})
        for step, given in (
            ("read_decisions", BY_HAND.but(until=AT)),
            ("enable_old_version", WALK.but(until=AT)),
            ("notify_owners", telling(NoticeKind.STILL_USED, old_valid_until=AT)),
        )
    ),
    (
        "notify_owners",
        telling(NoticeKind.NEEDS_YOU, code="no-connection"),
        RetryAfter("mail-busy", "wait"),
        {"state": "retrying", "waiting_for": "mail-busy", "notice": "needs-you"},
    ),
]


@pytest.mark.parametrize(("step", "given", "outcome", "said"), STATES)
def test_the_state_and_what_is_waited_for_are_said(
    step: str, given: object, outcome: Outcome, said: dict[str, str]
) -> None:
    """Each way that a step can end tells how the rotation stands, of which secret, and what it waits for."""
    line = event(step, "r", given, outcome)
    assert line | said == line
    assert {k: line[k] for k in ("event", "step", "rotation_id", "vault", "secret")} == {
        "event": "step",
        "step": step,
        "rotation_id": "r",
        "vault": "kv-shop",
        "secret": "deploy",
    }


def test_a_consumers_step_names_the_kind() -> None:
    """Where several consumers are updated side by side, the line says of which kind the one is."""
    target = ConsumerTarget("azdo-service-connection", "azdo-service-connection://contoso/Shop/x", "id")
    assert event("update_consumer", "r", WALK.but(target=target), Ok())["consumer"] == "azdo-service-connection"


@pytest.mark.parametrize(("step", "given", "outcome"), [row[:3] for row in STATES])
def test_no_address_is_said(step: str, given: object, outcome: Outcome) -> None:
    """Owners and recipients are in no line: telemetry has more readers than the records."""
    assert b"@" not in msgspec.json.encode(event(step, "r", given, outcome))


def test_an_alert_looks_like_no_rotation() -> None:
    """The workbook shows every line that has a vault as a rotation under way: an alert would stay there for ever."""
    line = event("notify_owners", "alert-1", telling(NoticeKind.ALERT), Ok())
    assert (line["notice"], line["outcome"]) == ("alert", "ok")
    assert not {"vault", "secret"} & line.keys()


def test_what_is_about_no_secret_says_what_it_counted() -> None:
    """A nightly step has no secret, and its counts."""
    assert event("sum_up_night", "run", object(), Ok({"counts": {"due": 3}})) == {
        "event": "step",
        "step": "sum_up_night",
        "rotation_id": "run",
        "outcome": "ok",
        "state": "running",
        "counts": {"due": 3},
    }
