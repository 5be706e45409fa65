"""Who is told: nobody that settings don't allow, and never nobody."""

import pytest

from rekey.model import NoticeKind
from rekey.notices.recipients import recipients, refused
from rekey.settings import Settings

OWNER, APP_OWNER, THIRD = "dana@contoso.example", "app@contoso.example", "partner@contoso.example"
OPERATOR = "Ops@operators.example"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (NoticeKind.STARTING, (OWNER, APP_OWNER)),
        (NoticeKind.SWITCHED, (OWNER, APP_OWNER, THIRD)),
        (NoticeKind.DONE, (OWNER, APP_OWNER)),
        (NoticeKind.FAILED, (OWNER, APP_OWNER, OPERATOR)),
        (NoticeKind.NEEDS_YOU, (OWNER, APP_OWNER, OPERATOR)),
        (NoticeKind.BAD_POLICY, (OWNER, APP_OWNER, OPERATOR)),
        (NoticeKind.SWEEP, (OPERATOR,)),
        (NoticeKind.RECONCILE, (OPERATOR,)),
        (NoticeKind.CONNECTIONS, (OPERATOR,)),
        (NoticeKind.ALERT, (OWNER, OPERATOR)),
        (NoticeKind.FEDERATION, (OWNER, APP_OWNER, OPERATOR)),
    ],
)
def test_each_kind_goes_to_those_it_concerns(kind: NoticeKind, told: tuple[str, ...], settings: Settings) -> None:
    """Owners hear everything, third parties only of the switch, operators when somebody has to act."""
    found = recipients(kind, owners=[OWNER], notify=[THIRD], application_owners=[APP_OWNER], settings=settings)
    assert found == told


@pytest.mark.parametrize("kind", NoticeKind)
def test_without_an_owner_the_operators_are_told(kind: NoticeKind, settings: Settings) -> None:
    """An owner whose address isn't allowed is none, and a third party doesn't stand in for one."""
    found = recipients(kind, owners=["x@evil.example", " "], notify=[THIRD], application_owners=[], settings=settings)
    assert OPERATOR in found
    assert "x@evil.example" not in found
    assert (THIRD in found) == (kind is NoticeKind.SWITCHED)


@pytest.mark.parametrize("kind", [NoticeKind.SWITCHED, NoticeKind.NEEDS_YOU])
def test_who_has_to_act_gets_a_notice_of_their_own(kind: NoticeKind, settings: Settings) -> None:
    """It goes to nobody else, and to the operators only if those may not be written to."""

    def told(address: str) -> tuple[str, ...]:
        others = {"owners": [OWNER], "notify": [THIRD], "application_owners": [APP_OWNER], "settings": settings}
        return recipients(kind, third_parties=[address], **others)  # type: ignore[arg-type]

    assert told("ada@contoso.example") == ("ada@contoso.example",)
    assert told("ada@evil.example") == (OPERATOR,)


def test_one_person_is_told_once(settings: Settings) -> None:
    """Case and blanks make no second person."""
    found = recipients(
        NoticeKind.FAILED,
        owners=[OWNER, f" {OWNER.upper()} "],
        notify=[],
        application_owners=[OWNER.title(), OPERATOR.lower()],
        settings=settings,
    )
    assert found == (OWNER, OPERATOR.lower())


def test_refused_addresses_can_be_named(settings: Settings) -> None:
    """What the filter drops can be said in a remark."""
    hostile = (
        "x@evil.example",
        "x@contoso.example.evil.example",
        "x@evil.example@contoso.example",
        "x@contoso.example\nBcc: y@evil.example",
        "Dana <dana@contoso.example>",
        "x@sub.contoso.example",
    )
    assert refused((OWNER, *hostile), settings) == hostile
