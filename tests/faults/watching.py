"""Looks, many times a second, whether whoever reads the secret right now gets a credential that signs in."""

import http.client
import ssl
import threading
from urllib.parse import urlencode

from local.company import Company
from local.stack import Stack

PAUSE = 0.15
"""Seconds between two looks: far below the shortest time a wrong state could last between two steps."""


def signs_in(stack: Stack, value: str) -> bool:
    """Tell whether the application gets a token with that password.

    The tenant is written in upper case, so that faults meant for the app's own sign-ins pass this one by.
    """
    described = stack.control.description
    trust = ssl.create_default_context(cafile=described["ca"])
    connection = http.client.HTTPSConnection("127.0.0.1", described["port"], context=trust, timeout=20)
    form = {
        "grant_type": "client_credentials",
        "client_id": stack.client_id,
        "client_secret": value,
        "scope": f"{described['urls']['graph']}/.default",
    }
    headers = {"Host": f"login.localhost:{described['port']}", "Content-Type": "application/x-www-form-urlencoded"}
    try:
        path = f"/{described['tenant'].upper()}/oauth2/v2.0/token"
        connection.request("POST", path, urlencode(form), headers)
        return connection.getresponse().status == http.client.OK
    finally:
        connection.close()


class Watch:
    """A thread that writes down each moment in which a reader would have got nothing that works."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self.looks = 0
        self.wrong: list[str] = []

    def start(self) -> None:
        """Begin to look; the secret must be in its vault."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; may be called twice, or without a start."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(PAUSE):
            self.wrong += self._look()
            self.looks += 1

    def _look(self) -> list[str]:
        before = self._held()
        wrong = [
            f"{place}: {problem}"
            for place, (value, enabled) in before.items()
            if (problem := self._problem(value, enabled=enabled))
        ]
        # What was replaced between the look and the sign-in was right when it was read.
        return wrong if wrong and before == self._held() else []

    def _held(self) -> dict[str, tuple[str, bool]]:
        scenario, company = self._stack.scenario, Company.of(self._stack.control.state())
        version = company.keyvault.vaults[scenario.vault].secrets[scenario.secret].versions[-1]
        key = company.endpoint(scenario.organization, scenario.project, scenario.connection).key
        return {f"newest version {version.id}": (version.value, version.enabled), "service connection": (key, True)}

    def _problem(self, value: str, *, enabled: bool) -> str:
        if not enabled:
            return "is disabled"
        return "" if signs_in(self._stack, value) else "does not sign in"
