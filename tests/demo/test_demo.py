"""The demo as people start it: what it prints, what its exit code rests on, what it leaves running (nothing)."""

import json
import signal
from pathlib import Path

import pytest

from local.azure.control import Control
from local.demo import readers
from local.kinds.catalogue import COMPANIES
from local.leaks import descendants
from local.processes import wait_until
from tests.demo.run import Starts, in_order

ORDER = [
    "read_policy",
    "open_record",
    "preflight",
    "notify_owners",
    "generate_credential",
    "verify_credential",
    "set_secret_version",
    "disable_old_version",
    "update_consumer",
    "confirm_consumer",
    "notify_owners",
    "grace",
    "check_old_credential_use",
    "retire_old_credential",
    "notify_owners",
    "close_record",
]
SERVICES = {"keyvault", "graph", "entra", "azuredevops", "managed-identity", "email"}


def test_rotation_is_shown_and_judged(demo: Starts) -> None:
    """A run shows every step of the runbook, finds nothing wrong, and keeps what it is judged by."""
    run = demo("--json")
    code, told = run.result()
    assert (code, told["ok"], told["leaks"]) == (0, True, []), run.progress
    assert in_order(told["steps"]) == ORDER
    assert any(step["outcome"] == "retry-after" for step in told["steps"])
    assert all(step["detail"] and step["seconds"] >= 0 for step in told["steps"])
    assert set(told["requests"]) == SERVICES
    assert all(check["ok"] for check in told["checks"])
    assert "AADSTS7000215: Invalid client secret provided." in run.progress
    assert "\x1b" not in run.progress
    folder = Path(told["folder"])
    evidence = json.loads((folder / "evidence.json").read_text())
    assert (evidence["rotation_id"], evidence["result"]) == (told["rotation"], "done")
    assert len(list((folder / "mails").glob("*.html"))) == 4
    assert readers.CAUGHT in {check["name"] for check in told["checks"]}
    assert "Rule: unexpected-reader" in run.progress
    assert not (folder / "azurite").exists()


@pytest.mark.exhaustive
def test_company_that_is_not_as_it_should_be_fails(demo: Starts) -> None:
    """Somebody adds a password to the application meanwhile: the app says done, and the demo says what is wrong."""
    run = demo("--json")
    run.until("disable_old_version")
    control = Control.of(run.folder / "azure")
    application = next(name for name in control.state()["entra"]["applications"] if not name.endswith("neighbour"))
    control.seed({"applications": {application: {"passwords": [{"display_name": "sabotage"}]}}})
    code, told = run.result()
    assert (code, told["ok"]) == (1, False)
    assert in_order(told["steps"]) == ORDER
    assert "one password is left, the published one" in {c["name"] for c in told["checks"] if not c["ok"]}
    assert "one password is left, the published one: 2 passwords" in run.progress


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc to see what runs")
@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.exhaustive)])
def test_interrupted_run_leaves_nothing_running(how: signal.Signals, demo: Starts) -> None:
    """Ctrl-C or SIGTERM in the middle stops all that was started and is not taken for success."""
    run = demo("--json")
    run.until("read_policy")
    started = descendants({run.child.pid})
    assert len(started) >= 3
    run.child.send_signal(how)
    code, told = run.result()
    assert (code, told["ok"]) == (130, False)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started), "all children have ended")


def test_unknown_kind_is_refused_with_those_there_are(demo: Starts) -> None:
    """A kind that doesn't exist ends at once with the list of those that do."""
    run = demo("--kind", "entra-app-pasword")
    _, progress = run.child.communicate(timeout=60)
    assert run.child.returncode == 2
    assert "'entra-app-pasword'" in progress
    assert all(kind in progress for kind in COMPANIES)
