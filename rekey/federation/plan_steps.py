"""The walk to a connection without a secret, in words: every step in order, and what it would touch.

The order is the orchestrator's; a test walks a federation and compares.
"""

from collections.abc import Iterator
from datetime import datetime

from rekey import names
from rekey.federation.holders import credential_name
from rekey.federation.rights import needed
from rekey.model.federation import Federation, Identity, Mode
from rekey.model.federation_news import Stage
from rekey.plan_steps import PlannedStep, Touched

A_FEDERATION_ID = "<federation id>"
"""The real one is made when the federation starts."""


class Walkthrough:
    """One federation, step by step; `signs_in_as` is None where it couldn't be found out.

    `told` are mail addresses, `until` is when the soak ends, `scopes` are ARM ids that roles are granted at.
    """

    def __init__(
        self,
        walk: Federation,
        signs_in_as: Identity | None,
        told: tuple[str, ...],
        until: datetime,
        scopes: tuple[str, ...] = (),
    ) -> None:
        self._walk = walk
        self._identity = signs_in_as
        self._told = told
        self._until = until
        self._scopes = scopes

    def steps(self) -> Iterator[PlannedStep]:
        """Return every step in order."""
        yield self._step(names.READ_CONNECTION, "Reads the connection.", self._connection("read"))
        yield self._step(names.OPEN_FEDERATION, "Opens the evidence record.", self._record("created"))
        yield from self._checks()
        if self._walk.grants_roles:
            yield self._mail(Stage.APPROVE)
            yield self._step(names.APPROVAL, "Waits until somebody else than who asked approves it.")
        yield self._mail(Stage.STARTING)
        if self._walk.grants_roles:
            yield from self._checks()
        yield from _WAYS[self._walk.mode](self)
        yield self._mail(Stage.DONE)
        yield self._step(names.CLOSE_FEDERATION, "Closes the record.", self._record("closed"))

    def in_place(self) -> Iterator[PlannedStep]:
        """Convert the connection itself; trust comes first if it is known already what is to be trusted."""
        if self._walk.old and self._walk.old.issuer:
            yield self._trust()
        yield self._step(
            names.CONVERT_CONNECTION,
            "Has Azure DevOps convert the connection, by an operation that Microsoft doesn't document.",
            self._connection("signs in by workload identity federation"),
        )
        yield self._trust()
        yield self._prove()
        yield from self._soaks()
        yield self._prove()
        yield self._retire_secrets()

    def side_by_side(self) -> Iterator[PlannedStep]:
        """Make a connection beside it."""
        yield self._step(names.CREATE_CONNECTION, "Makes the new connection.", self._new("created"))
        yield self._trust()
        if self._walk.grants_roles:
            granted = self._principal("gets those roles of the old one that settings allow")
            yield self._step(names.COPY_ROLES, "Copies role assignments.", granted)
        yield self._prove()
        copied = self._new("gets the old one's checks and pipeline permissions")
        yield self._step(names.COPY_ACCESS, "Copies who may use it, and what guards it.", copied)
        yield from self._soaks()
        yield self._step(names.LOOK_AT_RUNS, "Looks whether pipelines still run through the old connection.")
        deleted = self._connection("deleted, if nothing ran through it during the soak")
        yield self._step(names.RETIRE_CONNECTION, "Deletes the old connection.", deleted)
        yield self._retire_secrets()

    def repair(self) -> Iterator[PlannedStep]:
        """Let Entra know the connection again."""
        yield self._trust()
        yield self._prove()

    def _checks(self) -> Iterator[PlannedStep]:
        yield self._step(names.FIND_IDENTITY, "Finds whom the connection signs in as.", self._principal("read"))
        yield self._step(names.CHECK_CONNECTION, "Checks the whole chain, and who uses the connection.")

    def _soaks(self) -> Iterator[PlannedStep]:
        yield self._mail(Stage.CONVERTED)
        yield self._step(names.SOAK, f"Leaves the way back open until {self._until:%Y-%m-%d %H:%M} UTC.")

    def _trust(self) -> PlannedStep:
        made = f"gets the federated credential {credential_name(self._walk)} with the connection's issuer and subject"
        return self._step(names.TRUST_CONNECTION, "Has Entra trust the connection.", self._principal(made))

    def _prove(self) -> PlannedStep:
        does = "Lets Azure DevOps sign in with the connection until it works."
        proven = self._new if self._walk.mode is Mode.SIDE_BY_SIDE else self._connection
        return self._step(names.PROVE_CONNECTION, does, proven("signs in, changes nothing"))

    def _retire_secrets(self) -> PlannedStep:
        kept = self._walk.old.managed_by if self._walk.old else ()
        lost = (Touched(plane="key-vault", id=one, change="its password is removed in Entra") for one in kept)
        return self._step(names.RETIRE_SECRETS, "Removes the managed passwords that nothing else needs.", *lost)

    def _mail(self, stage: Stage) -> PlannedStep:
        mails = (Touched(plane="mail", id=address, change=f"gets the notice {stage}") for address in self._told)
        return self._step(names.NOTIFY_OWNERS, f"Sends the notice {stage}.", *mails)

    def _step(self, step: str, does: str, *touches: Touched) -> PlannedStep:
        rights = needed(step, self._walk, self._identity, self._scopes)
        return PlannedStep(step=step, does=does, touches=touches, permissions=rights)

    def _connection(self, change: str) -> Touched:
        old = self._walk.old
        place = f"{self._walk.organization}/{self._walk.project}/{self._walk.connection}"
        return Touched(plane="azure-devops", id=old.id if old else place, change=change, name=place)

    def _new(self, change: str) -> Touched:
        place = f"{self._walk.organization}/{self._walk.project}/{self._walk.new_name}"
        return Touched(plane="azure-devops", id=place, change=change)

    def _principal(self, change: str) -> Touched:
        found, old = self._identity, self._walk.old
        if found and found.arm_id:
            return Touched(plane="resource-manager", id=found.arm_id, change=change)
        name = old.application_name if old else ""
        known = found.object_id if found else old.object_id if old else ""
        return Touched(plane="entra", id=known or (old.application if old else ""), change=change, name=name)

    def _record(self, change: str) -> Touched:
        blob = names.federation_blob(A_FEDERATION_ID)
        return Touched(plane="storage", id=f"{names.CONTAINER}/{blob}", change=change)


_WAYS = {
    Mode.IN_PLACE: Walkthrough.in_place,
    Mode.SIDE_BY_SIDE: Walkthrough.side_by_side,
    Mode.REPAIR: Walkthrough.repair,
}
