"""The benchmark: what it counts is counted right, within the budget, and all of it is printed."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from local.storage import AzuriteMissingError
from rekey.nightly_settings import GRAPH_WRITES, VAULT_CREATES, Limit
from tests.bench import __main__ as bench
from tests.bench import imports, rotations, sweep


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    """Return the figures of two rotations."""
    try:
        return rotations.figures()
    except AzuriteMissingError as missing:
        pytest.skip(str(missing))


def test_a_warm_rotation_stays_within_its_requests(counted: dict[str, Any]) -> None:
    """At most 26 requests, with every check of the runbook; docs/decisions.md says what each is for."""
    assert counted["requests_warm_by_service"] == {
        "azuredevops": 5,
        "email": 3,
        "entra": 2,
        "graph": 4,
        "keyvault": 12,
    }
    assert counted["requests_warm"] == bench.AIMS["requests_warm"]


def test_a_cold_rotation_adds_only_what_is_remembered(counted: dict[str, Any]) -> None:
    """The first rotation of a process adds four tokens, a challenge for each of two vaults, and the tenant's policy."""
    cold, warm = (counted[f"requests_{which}_by_service"] for which in ("cold", "warm"))
    more = {service: n - warm.get(service, 0) for service, n in cold.items() if n != warm.get(service, 0)}
    assert more == {"managed-identity": 4, "keyvault": 2, "graph": 1}
    assert counted["tokens"] == {"cold": 4, "warm": 0}


def test_a_warm_rotation_makes_no_connections(counted: dict[str, Any]) -> None:
    """Clients are shared for the life of the process: no TLS handshake, but requests to storage were counted too."""
    assert counted["tls_handshakes_warm"] == 0
    assert counted["requests_storage_warm"] > 0


def test_imports_are_compared() -> None:
    """Both processes really import, and loading the app needs no less than the libraries it rests on."""
    figures = imports.figures(rounds=1)
    assert figures["import_floor_ms"] > 0
    assert figures["import_memory_ratio"] > 0.9


@pytest.mark.exhaustive
def test_a_sweep_without_pace_is_refused() -> None:
    """The same sweep, everything started at once: the simulated services refuse, and say so in the figure."""
    limits = {VAULT_CREATES: Limit(75, 10), GRAPH_WRITES: Limit(3, 2)}
    try:
        seen = sweep.swept(4, limits, "--at-once", "--alone")
    except AzuriteMissingError as missing:
        pytest.skip(str(missing))
    assert seen.throttled["graph"] > 0
    assert len(seen.writes[GRAPH_WRITES, ""]) == 8
    assert sum(len(at) for (limit, _), at in seen.writes.items() if limit == VAULT_CREATES) == 8


def test_the_limits_minimum_is_that_of_the_tightest() -> None:
    """Work divided by rate, of whichever limit and vault has the most; the time is from the first to the last write."""
    at = [datetime(2030, 1, 1, 12, 0, second, tzinfo=UTC) for second in range(21)]
    seen = sweep.Seen({}, {(VAULT_CREATES, "a"): at[:10], (VAULT_CREATES, "b"): at[5:], (GRAPH_WRITES, ""): at[1:5]})
    limits = {VAULT_CREATES: Limit(2, 3), GRAPH_WRITES: Limit(1, 5)}
    assert (seen.minimum(limits), seen.seconds()) == (24, 20)


def test_all_figures_are_printed_as_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], counted: dict[str, Any]
) -> None:
    """With --json the last line is an object with every figure by its name; without, there is a line for each."""
    measured = {"import_ratio": 1.0, "import_memory_ratio": 1.0}
    monkeypatch.setattr(bench, "PARTS", {"rotations": lambda: counted, "imports": lambda: measured})
    assert bench.main(["--json"]) == 0
    printed = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert printed == counted | measured
    assert {"requests_warm", "requests_cold", "tokens", "tls_handshakes_warm", "import_ratio"} <= set(printed)
    bench.main([])
    table = capsys.readouterr().out
    assert all(name in table for name in printed)
    assert "aim: at most 26" in table
