"""The runbook in words: every step of one rotation in order, what it would touch, and which rights it needs.

The order is the orchestrator's; a test walks a rotation and compares.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from rekey import names
from rekey.model import ConsumerTarget, Facts, NoticeKind, Reason, Rotation, When
from rekey.notices.recipients import recipients
from rekey.own_permissions import needed
from rekey.ports import Permission
from rekey.settings import Settings

A_ROTATION_ID = "<rotation id>"
"""The real one is made when the rotation starts."""


class Touched(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One object a step touches: where it is, its own id, its name, and what becomes of it."""

    plane: str
    id: str
    change: str
    name: str = ""


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its name in records and logs, what it does, on what, with which rights."""

    step: str
    does: str
    touches: tuple[Touched, ...] = ()
    permissions: tuple[Permission, ...] = ()


class Walkthrough:
    """One rotation, step by step; `facts` is what could be found out, without object ids where it couldn't."""

    def __init__(self, rotation: Rotation, facts: Facts, grace_until: datetime, settings: Settings) -> None:
        self._rotation = rotation
        self._facts = facts
        self._grace_until = grace_until
        self._settings = settings

    def steps(self) -> Iterator[PlannedStep]:
        """Return every step in order."""
        if self._facts.nothing_left():
            yield from self._stops()
            return
        at_retire = self._rotation.policy.disable_old == "at-retire"
        yield self._step(names.READ_POLICY, "Reads the newest version and its tags.", self._version("read"))
        yield self._step(names.OPEN_RECORD, "Opens the evidence record.", self._record("created"))
        yield self._preflight()
        yield self._mail(NoticeKind.STARTING)
        yield from self._make()
        if not at_retire:
            yield self._disable()
        for when in (When.WITH_OTHERS, When.AFTER_OTHERS):
            for target in self._of(when):
                yield from self._switch(target)
        yield self._mail(NoticeKind.SWITCHED)
        yield from (self._asked(target) for target in self._of(When.BY_HAND))
        if self._rotation.reason != Reason.LEAK:
            yield PlannedStep(
                step=names.GRACE, does=f"Leaves old and new valid until {self._grace_until:%Y-%m-%d %H:%M} UTC."
            )
        yield from (self._acknowledged(target) for target in self._of(When.BY_HAND))
        yield self._step(names.CHECK_OLD_CREDENTIAL_USE, "Looks whether the old credential is still used.")
        if at_retire:
            yield self._disable()
        yield self._retire()
        yield self._mail(NoticeKind.DONE)
        yield self._step(names.CLOSE_RECORD, "Closes the record.", self._record("closed"))

    def _stops(self) -> Iterator[PlannedStep]:
        yield self._step(names.READ_POLICY, "Reads the newest version and its tags.", self._version("read"))
        yield self._step(names.OPEN_RECORD, "Opens the evidence record.", self._record("created"))
        yield self._preflight()
        if self._rotation.reason == Reason.LEAK and self._facts.old_key_id:
            yield self._retire()
        yield self._mail(NoticeKind.NOTHING_LEFT)
        yield self._step(names.CLOSE_RECORD, "Closes the record.", self._record("closed"))

    def _preflight(self) -> PlannedStep:
        return self._step(
            names.PREFLIGHT,
            "Checks the whole chain; updates nothing of the version, which proves the right to write.",
            self._version("written back as it is"),
            self._application("read"),
            *(self._consumer(target, "read") for target in self._facts.consumers if target.when != When.BY_HAND),
        )

    def _make(self) -> Iterator[PlannedStep]:
        yield self._in_turn() if self._facts.next_key_id else self._issued()
        yield self._step(
            names.VERIFY_CREDENTIAL, "Uses the new credential until it works.", self._application("used with it")
        )
        does, touched = "Publishes the new value, reads it back", [self._secret("gets a new version")]
        if not self._facts.next_key_id:
            does, touched = f"{does}, destroys the staged one", [*touched, self._staged("deleted and purged")]
        yield self._step(names.SET_SECRET_VERSION, f"{does}.", *touched)

    def _issued(self) -> PlannedStep:
        label = names.label(self._settings.deployment, A_ROTATION_ID)
        return self._step(
            names.GENERATE_CREDENTIAL,
            "Has a new credential issued and stages its value.",
            self._application(f"gets a new credential, labelled {label}"),
            self._staged("created, with the new value"),
        )

    def _in_turn(self) -> PlannedStep:
        return self._step(
            names.GENERATE_CREDENTIAL,
            "Has the key that isn't in use made anew.",
            self._application(f"gets a new key in place of {self._facts.next_key_id}"),
        )

    def _of(self, when: When) -> list[ConsumerTarget]:
        return [target for target in self._facts.consumers if target.when == when]

    def _asked(self, target: ConsumerTarget) -> PlannedStep:
        mails = (Touched(plane="mail", id=address, change="is asked to act") for address in target.third_parties)
        return self._step(names.NOTIFY_OWNERS, f"Asks {target.uri} to act.", *mails)

    def _acknowledged(self, target: ConsumerTarget) -> PlannedStep:
        does = "Waits until it is acknowledged, at most until the old credential's end."
        return self._step(names.READ_DECISIONS, does, self._consumer(target, "acts by hand"), consumer=target.kind)

    def _switch(self, target: ConsumerTarget) -> Iterator[PlannedStep]:
        writes = self._consumer(target, "gets the new value")
        yield self._step(names.UPDATE_CONSUMER, "Gives the consumer the new value.", writes, consumer=target.kind)
        uses = self._consumer(target, "asked for what it holds now")
        yield self._step(names.CONFIRM_CONSUMER, "Confirms that it works.", uses, consumer=target.kind)

    def _disable(self) -> PlannedStep:
        return self._step(
            names.DISABLE_OLD_VERSION, "Disables the version that was current.", self._version("disabled")
        )

    def _retire(self) -> PlannedStep:
        old = self._facts.old_key_id
        if old is None:
            does = "Leaves the old credential alone."
            return self._step(names.RETIRE_OLD_CREDENTIAL, does, self._application("keeps the old credential"))
        removed = self._application(f"loses the old credential, key id {old}")
        return self._step(names.RETIRE_OLD_CREDENTIAL, "Makes the old credential unusable.", removed)

    def _mail(self, kind: NoticeKind) -> PlannedStep:
        policy = self._rotation.policy
        told = recipients(
            kind,
            owners=policy.owners,
            notify=policy.notify,
            application_owners=self._facts.owners,
            settings=self._settings,
        )
        mails = (Touched(plane="mail", id=address, change=f"gets the notice {kind}") for address in told)
        return self._step(names.NOTIFY_OWNERS, f"Sends the notice {kind}.", *mails)

    def _step(self, step: str, does: str, *touches: Touched, consumer: str = "") -> PlannedStep:
        rotation = self._rotation
        rights = needed(step, rotation.vault, rotation.policy, self._settings, consumer)
        return PlannedStep(step=step, does=does, touches=touches, permissions=rights)

    def _version(self, change: str) -> Touched:
        rotation = self._rotation
        return _vault(f"{rotation.vault}/{rotation.secret}/{rotation.old_version}", change)

    def _secret(self, change: str) -> Touched:
        return _vault(f"{self._rotation.vault}/{self._rotation.secret}", change)

    def _staged(self, change: str) -> Touched:
        return _vault(f"{self._settings.staging_vault}/{names.staged_secret(A_ROTATION_ID)}", change)

    def _record(self, change: str) -> Touched:
        return Touched(plane="storage", id=f"{names.CONTAINER}/{names.record_blob(A_ROTATION_ID)}", change=change)

    def _application(self, change: str) -> Touched:
        credential = self._rotation.policy.credential
        named: dict[str, Any] = {"name": self._facts.display_name} if self._facts.display_name else {}
        return Touched(plane=credential.kind, id=self._facts.object_id or credential.target, change=change, **named)

    def _consumer(self, target: ConsumerTarget, change: str) -> Touched:
        return Touched(plane=target.kind, id=target.object_id or target.uri, change=change, name=target.uri)


def _vault(place: str, change: str) -> Touched:
    return Touched(plane="key-vault", id=place, change=change)
