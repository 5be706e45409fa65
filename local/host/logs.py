"""How host and worker write log records: one line each, to standard output, from the level on that is asked for."""

import logging
import sys


def write_logs(level: int) -> None:
    """Configure the root logger only, so that the app's own settings of other loggers hold."""
    logging.basicConfig(
        level=level,
        stream=sys.stdout,
        format="[%(asctime)s] %(levelname)s %(name)s: %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
