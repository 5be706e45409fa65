"""What tests ask of one attempt of a credential kind: its turn, its label, its end, and what came before it."""

from datetime import UTC, datetime, timedelta

from rekey import names
from rekey.inspection import Before
from rekey.model import Facts, Rotation, Walk
from rekey.ports import CredentialKind, NewCredential
from rekey.secret_value import SecretValue
from tests.core.company import Company


class Asked:
    """The turn of a first attempt that nobody overtakes; `times` counts how often it asked."""

    def __init__(self, before: datetime | None = None) -> None:
        self.before = before
        self.times = 0

    async def ask(self) -> None:
        """Count."""
        self.times += 1


async def old_value_of(company: Company, rotation: Rotation) -> SecretValue:
    """Return the value of the version that was current before the rotation."""
    found = await company.desk.vault(rotation.vault).read(rotation.secret, rotation.old_version)
    assert found
    return found[1]


async def inspected(issuer: CredentialKind, company: Company, rotation: Rotation) -> Facts:
    """Return what preflight finds."""
    return await issuer.inspect(rotation, Before(company.clients, rotation))


def labels_of(walk: Walk) -> tuple[str, str]:
    """Return the label of this rotation, and that of another deployment's."""
    return names.label("test", walk.rotation.id), names.label("other", walk.rotation.id)


def end_asked() -> datetime:
    """Return the end that a new credential is asked to have."""
    return (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)


async def made(issuer: CredentialKind, walk: Walk, label: str) -> NewCredential:
    """Return a new credential of a first attempt."""
    return await issuer.generate(walk.rotation, label, end_asked(), Asked())
