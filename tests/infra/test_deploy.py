"""The package is deployed as it is: what the deployment endpoint is sent, and what of its answers is believed."""

import json
import ssl
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.infra.team import ROOT
from tools.deploy import DeployError, Site, checked, main, publish

PACKAGE = b"PK as it was packed"
BUILDING, DONE = {"status": 1}, {"status": 4}


@dataclass
class Endpoint:
    """A function app's deployment endpoint: it takes a package and then tells `states`, one each time it is asked."""

    host: str = ""
    takes: int = 202
    states: list[tuple[int, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, str | None, bytes]] = field(default_factory=list)

    def answer(self, method: str) -> tuple[int, Any]:
        """Return the next answer."""
        if method == "POST":
            return self.takes, "d1"
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """An endpoint on this machine, and an `az` that knows it."""
    made = Endpoint(states=[(200, DONE)])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            made.asked.append((self.command, self.path, self.headers["Authorization"], body))
            status, said = made.answer(self.command)
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - the name that the server asks for

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    ca, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        made.host = f"localhost:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _sign_in(tmp_path, monkeypatch, made.host)
        yield made
        server.shutdown()


def _sign_in(folder: Path, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    names = [{"hostType": "Standard", "name": "elsewhere"}, {"hostType": "Repository", "name": host}]
    world = {"account": {"user": {}}, "token": "t0", "functionapp": {"hostNameSslStates": names}}
    (folder / "world.json").write_text(json.dumps(world))
    (folder / "bin").mkdir()
    az = folder / "bin" / "az"
    az.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "{ROOT}/tests/infra/az_stand_in.py" "$@"\n')
    az.chmod(0o755)
    monkeypatch.setenv("AZ_STAND_IN", str(folder / "world.json"))
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:/usr/bin:/bin")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A package with its digest beside it."""
    made = tmp_path / "rekey.zip"
    made.write_bytes(PACKAGE)
    made.with_name("rekey.zip.sha256").write_text(f"{sha256(PACKAGE).hexdigest()}  rekey.zip\n")
    return made


def run(archive: Path) -> int:
    """Deploy as people do."""
    return main(["--resource-group", "rg-rekey", "--name", "func-rekey", "--archive", str(archive)])


def test_it_is_sent_as_it_is_and_waited_for(endpoint: Endpoint, archive: Path) -> None:
    """The endpoint gets the package's bytes and is told to build nothing, and is asked until it is done."""
    endpoint.states = [(404, None), (200, {"status": 0}), (200, BUILDING), (200, DONE)]
    assert run(archive) == 0
    (method, path, caller, body), *questions = endpoint.asked
    assert (method, path, caller) == ("POST", "/api/publish?RemoteBuild=false&Deployer=rekey", "Bearer t0")
    assert body == PACKAGE
    assert [path for _, path, _, _ in questions] == ["/api/deployments/d1"] * 4


def test_an_endpoint_that_is_gone_afterwards_has_done_it(endpoint: Endpoint, archive: Path) -> None:
    """What deploys may be recycled before it says that it is done: a 404 after it was there is the end."""
    endpoint.states = [(200, BUILDING), (404, None)]
    assert run(archive) == 0


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ([(200, BUILDING), (200, {"status": 3, "status_text": "disk full"})], "it failed. disk full"),
        ([(200, {"status": 5})], "another deployment is under way"),
        ([(200, {"status": -1})], "it was cancelled"),
        ([(200, {"status": 6})], "in part only"),
        ([(200, {"status": 1, "remoteBuild": True})], "Azure builds the package itself"),
        ([(500, None)], "can't be followed: 500"),
    ],
)
def test_what_is_not_done_is_said(
    endpoint: Endpoint, archive: Path, states: list[Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every end but success is exit code 1 with a sentence, a package that Azure builds itself too."""
    endpoint.states = states
    assert run(archive) == 1
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("takes", "said"), [(409, "another deployment"), (403, "Website Contributor"), (500, "wasn't taken: 500")]
)
def test_a_refusal_says_what_to_do(
    endpoint: Endpoint, archive: Path, takes: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A package that isn't taken is exit code 1 with what helps."""
    endpoint.takes = takes
    assert run(archive) == 1
    assert said in capsys.readouterr().err


def test_patience_ends(endpoint: Endpoint) -> None:
    """A deployment without an end isn't waited for for ever."""
    endpoint.states = [(200, BUILDING)]
    with pytest.raises(DeployError, match="no end of the deployment in 0 s"):
        publish(Site(endpoint.host, "t0"), PACKAGE, patience=0.2)


@pytest.mark.parametrize("broken", ["rekey.zip", "rekey.zip.sha256"])
def test_only_what_was_packed_is_sent(endpoint: Endpoint, archive: Path, broken: str) -> None:
    """A package that was changed, or that has no digest beside it, stays here."""
    archive.with_name(broken).write_text("something else")
    with pytest.raises(DeployError, match="its SHA-256 isn't the one"):
        checked(archive)
    archive.with_name(broken).unlink()
    assert run(archive) == 1
    assert endpoint.asked == []


def test_without_az_it_says_so(
    archive: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine without the Azure CLI is told to get it."""
    monkeypatch.setenv("PATH", "/nowhere")
    assert run(archive) == 1
    assert "az is missing" in capsys.readouterr().err
