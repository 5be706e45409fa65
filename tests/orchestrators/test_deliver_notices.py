"""Delivering what waits: in which order, how fast, and when it is left to the next run."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from orchestrators import deliver_notices
from rekey import names
from rekey.model import Delivered, Ok, Outcome, Parcel, Permanent, RetryAfter, Sorted, encode
from tests.orchestrators.engine import BEGIN, Activity, Engine, Instance
from tests.triggers.durable import functions

ORCHESTRATOR = functions(deliver_notices.blueprint)[names.DELIVER_NOTICES].get_user_function().orchestrator_function
LIMITED = RetryAfter("mail-limit", "used up", 50.0)
HOUR = RetryAfter("mail-limit", "used up", 2000.0)
DOWN = RetryAfter("mail-not-accepted", "not accepted (503)")
UNLINKED = Permanent("mail-refused", "refused (404, DomainNotLinked)", "Link the domain.")


def parcels(count: int, prefix: str = "n") -> tuple[Parcel, ...]:
    return tuple(Parcel(f"{prefix}{number}", ("ann@contoso.example",)) for number in range(count))


def well(parcel: dict[str, Any]) -> Outcome:
    return Ok(encode(Delivered(accepted=tuple(parcel["to"]))))


class Post:
    """What waits, and how the mail service takes it."""

    def __init__(
        self,
        waiting: Sequence[Parcel],
        answer: Callable[[dict[str, Any]], Outcome] = well,
        made: Sequence[Parcel] = (),
    ) -> None:
        self.waiting, self.made, self.answer = tuple(waiting), tuple(made), answer
        self.engine = Engine({names.DELIVER_NOTICES: ORCHESTRATOR}, self._activity)

    def run(self, instance_id: str = names.DELIVER_NOTICES) -> Instance:
        return self.engine.run(names.DELIVER_NOTICES, instance_id, None)

    @property
    def sent(self) -> list[str]:
        """The ids that the mail service was asked to take, in order."""
        return [call.payload["id"] for call in self.engine.calls if call.name == names.DELIVER_MAIL]

    def _activity(self, name: str) -> Activity:
        def act(payload: Any, _now: object) -> Any:
            if name == names.SORT_OUTBOX:
                all_of_it = (*self.made, *self.waiting) if payload["fold"] else self.made
                return encode(Ok(encode(Sorted(all_of_it))))
            return encode(self.answer(payload) if name == names.DELIVER_MAIL else Ok())

        return act


def test_everything_goes_out_once() -> None:
    """Each mail is asked for once, in the order that was given, and the result says how many went."""
    post = Post(parcels(3))
    assert post.run().output == {"result": "done", "sent": 3, "failed": 0, "refused": 0, "stopped": ""}
    assert post.sent == ["n0", "n1", "n2"]


def test_digests_of_an_earlier_run_go_first_and_once() -> None:
    """What may have got out already is settled before anything new is made of what waits."""
    post = Post(parcels(1), made=parcels(1, "made"))
    post.run()
    assert post.sent == ["made0", "n0"]
    folding = [call.payload["fold"] for call in post.engine.calls if call.name == names.SORT_OUTBOX]
    assert folding == [False, True]


def test_the_limit_of_a_minute_is_waited_out() -> None:
    """A limit that is over soon only slows the run down."""
    answers = iter([LIMITED])
    post = Post(parcels(2), lambda parcel: next(answers, None) or well(parcel))
    assert post.run().output["sent"] == 2
    assert timedelta(seconds=50) <= post.engine.now - BEGIN < timedelta(seconds=60)


def test_the_limit_of_an_hour_is_left_to_a_later_run() -> None:
    """Nobody waits for half an hour in a run: the rest stays where it is, and the timer comes back."""
    post = Post(parcels(5), lambda parcel: HOUR if parcel["id"] == "n1" else well(parcel))
    instance = post.run()
    assert instance.output == {"result": "done", "sent": 1, "failed": 1, "refused": 0, "stopped": "mail-limit"}
    assert post.sent == ["n0", "n1"]
    assert post.engine.now - BEGIN < timedelta(minutes=1)


@pytest.mark.parametrize(("outcome", "code"), [(DOWN, "mail-not-accepted"), (UNLINKED, "mail-refused")])
def test_a_service_that_takes_nothing_is_left_alone(outcome: Outcome, code: str) -> None:
    """After three mails that nobody took the run is over, well before the timer's next call."""
    post = Post(parcels(50), lambda _parcel: outcome)
    assert post.run().output == {"result": "done", "sent": 0, "failed": 3, "refused": 0, "stopped": code}
    assert sorted(set(post.sent)) == ["n0", "n1", "n2"]
    assert post.engine.now - BEGIN < timedelta(minutes=15)


def test_digests_that_do_not_go_are_not_added_to() -> None:
    """While the service is down no more digests are made: what comes meanwhile is told in one later."""
    post = Post(parcels(3), lambda _parcel: DOWN, made=parcels(3, "made"))
    post.run()
    assert all(not call.payload["fold"] for call in post.engine.calls if call.name == names.SORT_OUTBOX)


def test_one_mail_that_does_not_go_does_not_stop_the_others() -> None:
    """A single failure is the mail's, not the service's."""
    post = Post(parcels(4), lambda parcel: UNLINKED if parcel["id"] == "n1" else well(parcel))
    assert post.run().output["sent"] == 3


def test_recipients_are_tried_one_by_one_where_one_of_them_is_refused() -> None:
    """The parcels that take a refused one's place are sent in the same run."""
    both = Parcel("n0", ("ann@contoso.example", "bob@contoso.example"))
    each = tuple(Parcel("n0", (address,)) for address in both.to)

    def answer(parcel: dict[str, Any]) -> Outcome:
        if len(parcel["to"]) > 1:
            return Ok(encode(Delivered(again=each)))
        refused = parcel["to"][0].startswith("bob")
        return Ok(encode(Delivered(refused=tuple(parcel["to"])))) if refused else well(parcel)

    post = Post([both], answer)
    assert post.run().output == {"result": "done", "sent": 1, "failed": 0, "refused": 1, "stopped": ""}


def test_a_run_has_an_end() -> None:
    """However much waits, one run sends so many, and leaves the rest to the next."""
    post = Post(parcels(deliver_notices.MOST_MAILS + 20))
    assert post.run().output["stopped"] == "next-run"
    assert len(post.sent) == deliver_notices.MOST_MAILS


def test_a_slow_run_has_an_end() -> None:
    """A run in which every other mail takes long stops after its time."""
    post = Post(parcels(100), lambda parcel: DOWN if int(parcel["id"][1:]) % 2 else well(parcel))
    assert post.run().output["stopped"] == "next-run"
    assert post.engine.now - BEGIN < deliver_notices.LONGEST + 2 * deliver_notices.PATIENCE


def test_there_is_one_at_a_time() -> None:
    """Under another id it hands over to the one instance and sends nothing itself."""
    post = Post(parcels(1))
    assert post.run("another").output == {"result": "forwarded", "instance": names.DELIVER_NOTICES}
    assert post.sent == []


def test_the_status_names_nobody() -> None:
    """Everybody may read the custom status: it counts, and has no address."""
    instance = Post(parcels(2)).run()
    assert [status["sent"] for status in instance.statuses] == [1, 2]
    assert "@" not in str(instance.statuses)
