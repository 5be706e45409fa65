"""The benchmark of reading audit logs: its lines are what they are meant to be, and what it says of them is counted."""

import json
from typing import Any

import pytest

from local.azure.keyvault_audit_record import OPERATIONS
from rekey.audit.judging import judge
from rekey.audit.ports import Known
from rekey.audit.tally import Tally
from rekey.registry import AUDIT_RULES, audit_rule
from tests.bench import __main__ as bench
from tests.bench import audit


def test_reading_and_judging_is_compared_with_decoding() -> None:
    """Both really run over the same lines, and the aim is printed beside the ratio."""
    figures: dict[str, Any] = audit.figures(count=400, rounds=1)
    assert figures["audit_parse_ratio"] > 0 < figures["audit_parse_ratio_nothing_alike"]
    assert figures["audit_line_bytes"] > 800
    assert f"aim: at least {bench.AT_LEAST['audit_parse_ratio']}" in bench.table(figures)


def test_memory_does_not_grow_with_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is held is what differs and the minutes it was in: three times as many lines a minute cost nothing."""
    usual = audit._memory(2000)
    monkeypatch.setattr(audit, "A_SECOND", 3 * audit.A_SECOND)
    assert audit._memory(6000) < 1.5 * usual


def test_its_lines_are_real_ones() -> None:
    """They are read, most of them are of interest, challenges are not, and some are hits when nobody is expected."""
    tally = Tally(audit.VAULT)
    for line in audit.lines(1000):
        tally.add(line)
        assert set(json.loads(line)) >= {"time", "operationName", "identity", "properties", "resourceId"}
    accesses = tally.accesses()
    assert tally.lines == 1000 > sum(access.times for access in accesses) > 600
    assert {access.operation for access in accesses} <= set(OPERATIONS.values())
    nobody = Known(own=frozenset(), readers=frozenset())
    hits = judge(accesses, nobody, [audit_rule(name)() for name in AUDIT_RULES])
    assert sum(hit.access.times for hit in hits) > 500
