"""Which kinds there is a company for, credentials and consumers alike; a new kind is one line here."""

from collections.abc import Callable, Mapping

from local.scenario import Scenario
from local.storage_scenario import StorageScenario

GRACE = "PT5S"
"""So that nobody has to watch for a week, the default."""

COMPANIES: Mapping[str, Callable[[], Scenario]] = {
    "entra-app-password": lambda: Scenario(grace=GRACE),
    "azdo-service-connection": lambda: Scenario(grace=GRACE),
    "storage-account-key": lambda: StorageScenario(grace=GRACE),
}
"""Kind -> a company, with new names, in which a rotation has to do with it."""


class UnknownKindError(Exception):
    """There is no such kind; the sentence lists those there are."""


def company_for(kind: str) -> Scenario:
    """Return a company, with new names, in which a rotation has to do with that kind."""
    if kind not in COMPANIES:
        raise UnknownKindError(f"kind: got {kind!r}, expected one of {', '.join(COMPANIES)}")
    return COMPANIES[kind]()
