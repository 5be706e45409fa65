"""Runs the simulated Azure until SIGTERM or Ctrl-C: `python -m local.azure --state-dir DIR`."""

import argparse
import asyncio
import signal
from pathlib import Path

from local.azure.server import serving

STORAGE_SERVICES = ("blob", "queue")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.azure", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TLS port of all services (default: a free one)")
    parser.add_argument("--identity-port", type=int, default=0, help="plain port of the managed identity endpoint")
    for service in STORAGE_SERVICES:
        parser.add_argument(f"--{service}", metavar="URL", help=f"a {service} endpoint to stand in front of")
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=Path(".azure-sim"),
        help="where ca.pem and azure.json (urls, ports, identity header) are written (default: %(default)s)",
    )
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    storage = {service: url for service in STORAGE_SERVICES if (url := getattr(arguments, service))}
    async with serving(arguments.state_dir, arguments.port, arguments.identity_port, storage) as running:
        print(f"simulated Azure ready: {running.description['control']}/_sim/state", flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_run(_arguments()))
