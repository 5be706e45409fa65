"""How the commands get to the operator API: which address gets the key, and what is said when it doesn't answer."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.processes import free_port
from rekey.__main__ import main
from rekey.api_access import access
from rekey.errors import SettingError
from tests.rekey.answering import Api, answering

ROOT = Path(__file__).parents[2]
KEY = "canary-key-1234567890=="


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """Run an operator API that the environment names, with the key to it."""
    with answering() as running:
        monkeypatch.setenv("REKEY_API", running.origin)
        monkeypatch.setenv("REKEY_API_KEY", KEY)
        running.answer("GET /api/rotations", {"rotations": []})
        yield running


def test_the_key_goes_into_the_header(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """It is in no address, and never shown."""
    assert main(["list", "--json"]) == 0
    assert api.asked[0].headers["x-functions-key"] == KEY
    assert KEY not in api.asked[0].path
    shown = capsys.readouterr()
    assert KEY not in shown.out + shown.err


def test_the_key_can_be_in_a_file(api: Api, tmp_path: Path) -> None:
    """A file named on the command line goes before the environment; a line end behind the key is no part of it."""
    file = tmp_path / "key"
    file.write_text("other-key\n")
    assert main(["list", "--key-file", str(file)]) == 0
    assert api.asked[0].headers["x-functions-key"] == "other-key"


@pytest.mark.parametrize("content", [None, "", "two words", "a\nb", "\u00e4", b"\xff\xfe"])
def test_a_file_without_a_key_is_named(
    api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | bytes | None
) -> None:
    """What can't be a key is refused with the option's name, and isn't shown."""
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["list", "--key-file", str(file)]) == 2
    err = capsys.readouterr().err
    assert "--key-file" in err
    assert "two words" not in err
    assert api.asked == []


def test_a_key_that_is_none_is_not_shown(
    api: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither is it sent."""
    monkeypatch.setenv("REKEY_API_KEY", "canary value")
    assert main(["list"]) == 2
    err = capsys.readouterr().err
    assert "REKEY_API_KEY" in err
    assert "canary" not in err
    assert api.asked == []


def test_a_redirect_is_not_followed(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """The key is for one host: where it sends on to is named and not asked."""
    with answering() as other:
        api.answers.clear()
        api.answer("GET /api/rotations", b"", status=302, Location=f"{other.origin}/api/rotations")
        assert main(["list"]) == 1
        assert other.asked == []
    assert "127.0.0.1, which is not followed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "address",
    [
        "http://rekey.azurewebsites.net",
        "http://10.0.0.1:7071",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "ftp://127.0.0.1",
        "file:///etc/passwd",
        "rekey.azurewebsites.net",
        "https://",
        "https://host/other/path",
        "https://host:port",
        "https://ho\u017ft",
        "https://host\n",
        " ",
        "",
    ],
)
def test_an_address_that_must_not_get_the_key_is_refused(address: str) -> None:
    """Not encrypted, unless it is this machine; not an origin; not an address at all."""
    with pytest.raises(SettingError) as caught:
        access({"REKEY_API_KEY": KEY}, address)
    assert "https://<host>" in caught.value.message


@pytest.mark.parametrize(
    "address", [f"https://host/api/secrets?code={KEY}", f"https://u:{KEY}@host", f"https://h#{KEY}"]
)
def test_an_address_with_a_key_in_it_is_not_shown(address: str) -> None:
    """People paste a function's whole URL."""
    with pytest.raises(SettingError) as caught:
        access({}, address)
    assert KEY not in caught.value.message


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://Rekey.AzureWebsites.net/", "https://rekey.azurewebsites.net"),
        ("https://host:8443/api", "https://host:8443"),
        ("http://localhost:7071", "http://localhost:7071"),
        ("http://127.0.0.1:7071/api", "http://127.0.0.1:7071"),
        ("http://[::1]:7071", "http://[::1]:7071"),
        ("http://app.localhost", "http://app.localhost"),
    ],
)
def test_an_address_becomes_an_origin(address: str, origin: str) -> None:
    """However it is written."""
    assert access({}, address).origin == origin
    assert access({"REKEY_API": address}).origin == origin


def test_this_machine_is_asked_without_a_proxy(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would get the key in clear."""
    with answering() as proxy:
        monkeypatch.setenv("http_proxy", proxy.origin)
        monkeypatch.delenv("no_proxy", raising=False)
        assert main(["list"]) == 0
        assert proxy.asked == []
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (401, b"", 1, "Set REKEY_API_KEY, or name a file with --key-file"),
        (403, b"", 1, "--audience"),
        (400, {"error": {"code": "bad-input", "field": "state", "message": "state: got 'x'"}}, 2, "state: got 'x'"),
        (503, {"error": {"code": "storage-busy", "message": "storage is busy"}}, 1, "Try again in a moment"),
        (500, {"error": {"code": "x", "message": "Create the blob container"}}, 1, "Create the blob container"),
        (404, b"<html>", 1, "HTTP 404. Is that the address of a running Rekey?"),
        (502, b"", 1, "HTTP 502"),
        (500, {"error": "x"}, 1, "HTTP 500"),
        (200, b"<html>sign in", 1, "isn't JSON"),
        (200, {"other": 1}, 1, "of another version"),
        (200, [], 1, "of another version"),
    ],
)
def test_what_goes_wrong_is_said_with_what_to_do(
    api: Api, capsys: pytest.CaptureFixture[str], status: int, body: object, code: int, said: str
) -> None:
    """One line on standard error, an exit code, no traceback."""
    api.answers.clear()
    api.answer("GET /api/rotations", body, status=status)
    assert main(["list"]) == code
    shown = capsys.readouterr()
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""


def test_an_address_where_nobody_listens_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Unreachable is exit code 1, with the address and what to check."""
    address = f"http://127.0.0.1:{free_port()}"
    assert main(["list", "--api", address]) == 1
    assert f"cannot reach {address}" in capsys.readouterr().err


def test_no_address_at_all_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It names the setting."""
    monkeypatch.delenv("REKEY_API", raising=False)
    assert main(["list"]) == 2
    assert "REKEY_API: got ''" in capsys.readouterr().err


AZ = """#!{python}
import json, sys
print(json.dumps({{"accessToken": "token-for-" + sys.argv[-1], "expires_on": 4102444800, "argv": sys.argv}}))
"""


def az(folder: Path, script: str) -> str:
    """Put an `az` on a path of its own and return that path."""
    file = folder / "az"
    file.write_text(script)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return f"{folder}:{os.environ['PATH']}"


def test_who_is_signed_in_with_the_azure_cli_is_shown_by_a_token(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """--audience asks the Azure CLI for a token of that audience, which goes beside the key."""
    monkeypatch.setenv("PATH", az(tmp_path, AZ.format(python=sys.executable)))
    assert main(["list", "--audience", "api://rekey"]) == 0
    assert api.asked[0].headers["authorization"].startswith("Bearer token-for-")
    assert api.asked[0].headers["x-functions-key"] == KEY


def test_who_is_not_signed_in_is_told(
    api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a token nothing is asked."""
    script = "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account.\" >&2\nexit 1\n"
    monkeypatch.setenv("PATH", az(tmp_path, script))
    assert main(["list", "--audience", "api://rekey"]) == 1
    assert "Sign in with az login" in capsys.readouterr().err
    assert api.asked == []


def test_a_terminal_that_knows_ascii_only_will_do(api: Api) -> None:
    """Nothing but Python is loaded, and what the terminal can't show is escaped."""
    rotation = {"rotation_id": "x", "vault": "kv", "secret": "s\u00fc\u202e", "state": "closed", "result": "done"}
    api.answers.clear()
    api.answer("GET /api/rotations", {"rotations": [{**rotation, "opened": "", "instance": None}]})
    source = """
import sys
from rekey.__main__ import main
code = main(["list"])
heavy = {"msgraph", "azure", "httpx", "aiohttp", "jinja2"} & set(sys.modules)
sys.exit(code or (f"loads {heavy}" if heavy else 0))
"""
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr.strip()) == (0, ""), done
    assert "s\\xfc\\u202e" in done.stdout


def test_the_key_can_not_be_given_on_the_command_line(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    """Others on the machine would see it: there is no such option, and none that is understood as one."""
    with pytest.raises(SystemExit) as caught:
        main(["list", "--key", KEY])
    assert caught.value.code == 2
    capsys.readouterr()
    assert main(["list", "--key-file", KEY]) == 2
    assert KEY not in capsys.readouterr().err
    assert api.asked == []
