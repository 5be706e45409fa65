"""Tries for itself what a rotation claims: old and new credential at their issuer, the copies where they are held."""

from local.answer import Answer
from local.company import Company
from local.demo.follow import Step
from local.demo.screen import Screen
from local.kinds.ports import Consumer
from local.onlooker import Onlooker
from local.seen import current_version, retired
from local.stack import Stack
from rekey import names
from rekey.model import ConsumerResult, NoticeKind, Told, decode


class Witness:
    """Somebody who looks on and says on the screen whether it is so."""

    def __init__(self, stack: Stack, screen: Screen) -> None:
        self._stack, self._screen, self._onlooker = stack, screen, Onlooker(stack)
        self._scenario, self._credential = stack.scenario, stack.scenario.credential
        self._old = self._credential.held(self._company())

    def before(self) -> None:
        """Try what there is before anything happens."""
        credential = self._credential
        answer = self._tried(self._old)
        self._say(f"its {credential.word} {credential.works} {credential.where}".strip(), answer, ok=answer.ok)
        for consumer in self._scenario.consumers:
            self._look_at(consumer, self._old)

    def after(self, step: Step, rotation_id: str) -> None:
        """Find out whether a step did what it says; where people act on a notice, act as they would."""
        word, works = self._credential.word, self._credential.works
        match step.step:
            case names.SET_SECRET_VERSION:
                self._accepted(self._new(), f"the new version's value {works}")
                self._accepted(self._old, f"the old {word} still does, too")
            case names.CONFIRM_CONSUMER if step.entry:
                if consumer := self._scenario.consumer(decode(step.entry.detail, ConsumerResult).uri):
                    self._look_at(consumer, self._new())
            case names.RETIRE_OLD_CREDENTIAL:
                self._refused(self._old, f"the old {word} is refused")
                self._accepted(self._new(), f"the new one {works}")
            case names.NOTIFY_OWNERS if step.entry:
                self._act(rotation_id, decode(step.entry.detail, Told))

    def _act(self, rotation_id: str, told: Told) -> None:
        for consumer in self._scenario.consumers if told.kind == NoticeKind.SWITCHED else ():
            if deed := consumer.acts(self._stack, rotation_id, told.accepted):
                self._screen.witnessed(deed, ok=True)

    def _look_at(self, consumer: Consumer, value: str) -> None:
        company = self._company()
        answer = consumer.tried(self._onlooker, company, self._credential)
        if answer:
            held = consumer.held(company)
            same = held in {None, value}
            self._screen.witnessed(consumer.witnessed(answer, same=same), ok=answer.ok and same)

    def _accepted(self, value: str, claim: str) -> None:
        answer = self._tried(value)
        self._say(claim, answer, ok=answer.ok)

    def _refused(self, value: str, claim: str) -> None:
        answer = retired(self._onlooker, self._company(), self._credential, value)
        self._say(claim, answer, ok=self._credential.refuses(answer))

    def _say(self, claim: str, answer: Answer, *, ok: bool) -> None:
        self._screen.witnessed(f"{'' if ok else 'NOT SO: '}{claim} (HTTP {answer.status}: {answer.text})", ok=ok)

    def _tried(self, value: str) -> Answer:
        return self._credential.tried(self._onlooker, self._company(), value)

    def _company(self) -> Company:
        return Company.of(self._stack.control.state())

    def _new(self) -> str:
        return current_version(self._scenario, self._stack.control.state()).value
