"""Records what the local host's engine stores of whole rotations of the real app against the simulated Azure."""

from collections.abc import Callable, Iterator
from typing import Any

from local import leaks
from tests.e2e.company import LOCKED, Company, running
from tests.e2e.managed import Managed
from tests.histories.recorded import History, divided, parsed

SOURCE = "local host"


def _done(company: Company) -> Managed:
    managed = company.manage(event=True, grace="PT3S")
    managed.ends("done")
    return managed


def _refused(company: Company) -> Managed:
    return _rotated(company, project=LOCKED)


def _throttled(company: Company) -> Managed:
    company.stack.control.fault("graph", method="POST", path="/addPassword", status=429, retry_after=1)
    company.stack.control.fault("azuredevops", method="PUT", path="/endpoints/", when="after", status=503)
    return _rotated(company)


def _bad_policy(company: Company) -> Managed:
    return _rotated(company, tags={"rekey-grace": "a week"})


def _left_alone(company: Company) -> Managed:
    return _rotated(company, tags={"rekey-adopt": None})


def _rotated(company: Company, **secret: Any) -> Managed:
    managed = company.manage(**secret)
    company.rotate(managed)
    return managed


ROTATIONS: dict[str, Callable[[Company], Managed]] = {
    "hosted-done": _done,
    "hosted-throttled": _throttled,
    "hosted-failed-preflight": _refused,
    "hosted-bad-policy": _bad_policy,
    "hosted-left-alone": _left_alone,
}


def recordings() -> Iterator[History]:
    """Run each rotation on a real engine and return its history and those of its children."""
    with running() as company:
        for name, run in ROTATIONS.items():
            yield from _histories(company, name, run(company).instance)
        yield from _histories(company, "hosted-forwarded", _forwarded(company))


def _forwarded(company: Company) -> str:
    managed = company.manage()
    other = company.start({**managed.request, "reason": "manual"})
    company.finished(other)
    managed.finished()
    return other


def _histories(company: Company, name: str, instance: str) -> Iterator[History]:
    _, store = company.stack.get("/admin/local/durable-store")
    found = [i for i in store["instances"] if i["id"] == instance or i["id"].startswith(f"{instance}:")]
    for number, stored in enumerate(sorted(found, key=lambda i: str(i["id"]))):
        events = divided(parsed(event) for event in stored["history"])
        history = History(f"{name}.{number}" if number else name, stored["name"], stored["id"], SOURCE, events)
        _require_clean(company, history)
        yield history


def _require_clean(company: Company, history: History) -> None:
    leaked = leaks.scan({history.name: history.text.encode()}, leaks.secrets_of(company.stack))
    if leaked:
        raise ValueError(f"{leaked[0]}: nothing is recorded")
