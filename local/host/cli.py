"""Command line of the local host, in the words of Core Tools: `start --port N`, `--version`."""

import argparse
import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from local.host.admin import VERSION
from local.host.composition import Host
from local.host.logs import write_logs
from local.host.routes import RouteError
from local.host.settings import read_settings
from local.host.settings_error import SettingsError
from local.host.store import StoreError
from local.host.supervisor import LoadError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the host of the function app in the current folder until a signal; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.host", description="Azure Functions on one machine.")
    parser.add_argument("--version", "-v", action="version", version=VERSION)
    start = parser.add_subparsers(dest="command", required=True).add_parser("start", help="run the app in this folder")
    start.add_argument(
        "--port", "-p", type=int, help="HTTP port (default: local.settings.json's, or 7071; 0 takes a free one)"
    )
    try:
        asyncio.run(_start(parser.parse_args(arguments).port))
    except (SettingsError, RouteError, StoreError) as error:
        print(f"The host can't start: {error}", file=sys.stderr)
        return 1
    except LoadError as error:
        print(f"The function app can't be loaded: {error}", file=sys.stderr)
        return 1
    return 0


async def _start(port: int | None) -> None:
    settings = read_settings(Path.cwd(), port)
    listening = _bound(settings.port)
    settings = replace(settings, port=listening.getsockname()[1])
    write_logs(settings.log_level)
    if settings.log_level == logging.INFO:
        for chatty in ("azure", "durabletask", "uvicorn"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Host(settings, listening).run(stop)


def _bound(port: int) -> socket.socket:
    # asyncio sends at once only on sockets that name their protocol: else each answer waits 40 ms for an ACK.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except OSError as error:
        listening.close()
        raise SettingsError(f"port {port} can't be used ({error.strerror}): choose another with --port") from None
    return listening
