"""Keeps SDK loggers at WARNING: at INFO httpx writes query strings, at DEBUG azure-core writes tokens and bodies."""

import logging

TALKATIVE = ("azure", "httpx", "httpcore", "msal", "urllib3", "kiota_http", "durabletask", "aiohttp")


def pin() -> None:
    """Set the levels, whatever the host's own level is: who turns on DEBUG wants to see Rekey, not its tokens."""
    for name in TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
