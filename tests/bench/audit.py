"""How fast the vaults' audit log is read: lines parsed and judged in a second, against json.loads of the same lines.

Both take turns in one process, the best of several each: on a shared machine only ratios mean something. The lines have
the shape and the mix that Key Vault's log has: an SDK's first request is a challenge, applications repeat themselves.
"""

import json
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from rekey.audit.judging import judge
from rekey.audit.ports import Known, Watched
from rekey.audit.tally import Tally
from rekey.registry import AUDIT_RULES, audit_rule

LINES = 20_000
ROUNDS = 5
VAULT = "kv-shop"
HOST = f"https://{VAULT}.vault.azure.net"
BEGIN = datetime(2030, 1, 5, 12, tzinfo=UTC)
APPLICATIONS, SECRETS, A_SECOND = 40, 120, 20
"""What a busy vault has; so many lines a second make a day of 2 GB."""

OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
OPERATIONS = {"SecretGet": 60, "": 15, "SecretListVersions": 8, "SecretList": 4, "KeyUnwrap": 10, "VaultGet": 3}
"""How many of a hundred lines are that; "" is a challenge."""


def figures(count: int = LINES, rounds: int = ROUNDS) -> dict[str, Any]:
    """Return the ratio of usual lines, that of lines of which no two are alike, and what is held in memory (KiB)."""
    usual, different = list(lines(count)), list(lines(count, alike=False))
    loaded, watched = _best(rounds, lambda: _loaded(usual), lambda: watch(usual))
    return {
        "audit_parse_ratio": round(loaded / watched, 2),
        "audit_parse_ratio_nothing_alike": round(_ratio(rounds, different), 2),
        "audit_lines_per_second": round(count / watched),
        "audit_line_bytes": round(sum(map(len, usual)) / count),
        "audit_memory_kib": _memory(count),
    }


def watch(log: "list[bytes] | Iterator[bytes]") -> int:
    """Parse and judge lines as one turn does, all rules on; return how many hits there were."""
    tally = Tally(VAULT)
    for line in log:
        tally.add(line)
    return len(judge(tally.accesses(), KNOWN, [audit_rule(name)() for name in AUDIT_RULES]))


def lines(count: int, *, alike: bool = True) -> Iterator[bytes]:
    """Yield lines of the log in order of time; `alike`: applications do what they did before."""
    chance = random.Random(1)  # noqa: S311 - the same lines each time
    kinds, weights = list(OPERATIONS), list(OPERATIONS.values())
    for number in range(count):
        application = number if not alike else chance.randrange(APPLICATIONS)
        secret = chance.randrange(3) + 3 * (application % (SECRETS // 3))
        operation = chance.choices(kinds, weights)[0]
        yield json.dumps(_line(number, operation, application, secret), separators=(",", ":")).encode()


def _line(number: int, operation: str, application: int, secret: int) -> dict[str, Any]:
    id_, app, challenged = f"{HOST}/secrets/deploy-{secret}", _guid(1, application), not operation
    when = BEGIN + timedelta(seconds=number / A_SECOND)
    return {
        "time": f"{when:%Y-%m-%dT%H:%M:%S.%f}0Z",
        "category": "AuditEvent",
        "operationName": operation or "SecretGet",
        "resultType": "Success",
        "resultDescription": "AKV10000: Request is missing a Bearer or PoP token." if challenged else "",
        "correlationId": _guid(3, number),
        "callerIpAddress": f"10.1.{application // 250 % 250}.{application % 250}",
        "identity": {} if challenged else {"claim": {OBJECT_ID: _guid(2, application), "appid": app}},
        "properties": {
            "id": id_ if challenged else f"{id_}/{UUID(int=secret).hex}",
            "clientInfo": "azsdk-net-Security.KeyVault.Secrets/4.6.0 (.NET 8.0.11; Microsoft Windows 10.0.20348)",
            "requestUri": f"{id_}?api-version=7.5",
            "httpStatusCode": 401 if challenged else 200,
            "isRbacAuthorized": not challenged,
            "tlsVersion": "TLS1_3",
        },
        "resourceId": f"/SUBSCRIPTIONS/{_guid(4, 0)}/RESOURCEGROUPS/SHOP/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/KV-SHOP",
        "operationVersion": "7.5",
        "resultSignature": "Unauthorized" if challenged else "OK",
        "durationMs": "12",
    }


def _guid(kind: int, number: int) -> str:
    return str(UUID(int=(kind << 96) + number))


def _watched(secret: int) -> Watched:
    """Every other application may read its secrets, and only that version is current which nobody asks for."""
    return Watched(managed=True, readers=frozenset({_guid(1, secret // 3)}), current="0" * 32, switched=BEGIN)


def _secrets() -> Mapping[str, Watched]:
    return {f"deploy-{number}": _watched(number) for number in range(SECRETS)}


KNOWN = Known(own=frozenset({_guid(1, 1)}), secrets=_secrets())


def _loaded(log: list[bytes]) -> None:
    for line in log:
        json.loads(line)


def _ratio(rounds: int, log: list[bytes]) -> float:
    loaded, watched = _best(rounds, lambda: _loaded(log), lambda: watch(log))
    return loaded / watched


def _best(rounds: int, *works: Callable[[], object]) -> list[float]:
    """Return the least CPU seconds that each of them took."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(rounds):
        for work, seconds in zip(works, taken, strict=True):
            before = time.process_time()
            work()
            seconds.append(time.process_time() - before)
    return [min(seconds) for seconds in taken]


def _memory(count: int) -> int:
    """Return the most that was held at once while lines came by of which none was kept."""
    tracemalloc.start()
    try:
        watch(lines(count))
        return tracemalloc.get_traced_memory()[1] // 1024
    finally:
        tracemalloc.stop()
