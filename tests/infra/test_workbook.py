"""The workbook asks telemetry for what the steps really say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from activities.step_event import event
from rekey.model import Ok
from rekey.model.federation_news import Stage
from tests.activities.test_federation_steps import WALK, telling
from tests.activities.test_step_event import STATES
from tests.infra.bicep_source import Expression, Template

INFRA = Path(__file__).parents[2] / "infra"
WORKBOOK: dict[str, Any] = json.loads((INFRA / "workbook" / "rotations.json").read_text(encoding="utf-8"))
QUERIES = {item["name"]: item["content"]["query"] for item in WORKBOOK["items"] if item["type"] == 3}
LINES = [event(step, "r", given, outcome) for step, given, outcome, _ in STATES]
LINES += [
    event("step", "f", given, Ok()) for given in (WALK, telling(Stage.CONVERTED), telling(Stage.NEEDS_YOU, code="x"))
]


def fields(query: str) -> set[str]:
    """Return the fields of a step's line that a query reads."""
    return set(re.findall(r"\be\.(\w+)", query))


def states(query: str) -> set[str]:
    """Return the states that a query tells apart."""
    lists = re.findall(r"\bstate (?:==|!?in) (\('[^)]*\)|'[^']*')", query)
    return {name for found in lists for name in re.findall(r"'([^']+)'", found)}


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_reads_fields_and_states_that_steps_say(name: str) -> None:
    """Each field and each state that a query looks for is in some step's line."""
    assert fields(QUERIES[name])
    assert fields(QUERIES[name]) <= {field for line in LINES for field in line}
    assert states(QUERIES[name]) <= {line["state"] for line in LINES}


def test_step_state_and_wait_of_each_rotation_are_shown() -> None:
    """What is under way is listed by vault and secret, with its step, its state, what it waits for and until when."""
    columns = set(re.findall(r"\['([^']+)'\] =", QUERIES["under way"]))
    assert {"Vault", "Secret", "Step", "State", "Waiting for", "Until"} <= columns


def test_step_state_and_wait_of_each_connection_are_shown() -> None:
    """What leaves its secret is listed by its connection, and no line of a rotation is taken for one."""
    columns = set(re.findall(r"\['([^']+)'\] =", QUERIES["connections"]))
    assert {"Connection", "Step", "State", "Waiting for", "Until"} <= columns
    assert {"federation_id", "connection"} <= fields(QUERIES["connections"])
    assert "isnotempty(tostring(e.federation_id))" in QUERIES["connections"]
    assert not {"vault", "secret", "rotation_id"} & fields(QUERIES["connections"])


def test_what_has_ended_is_not_under_way() -> None:
    """The states that one list leaves out are those that the other has, but for what was never begun."""
    left_out = re.search(r"state !in \(([^)]*)\)", QUERIES["under way"])
    ended = re.search(r"where state in \(([^)]*)\)", QUERIES["ended"])
    assert left_out
    assert ended
    assert set(left_out[1].split(", ")) - set(ended[1].split(", ")) == {"'not-due'"}


def test_a_field_that_no_step_says_is_noticed() -> None:
    """The comparison above isn't blind."""
    assert fields("traces | extend x = e.waits_for") == {"waits_for"}
    assert states("where state in ('a', 'b') or state == 'c'") == {"a", "b", "c"}


def test_the_queries_ask_the_apps_own_telemetry() -> None:
    """The template puts the deployed Application Insights in the place that the workbook keeps for it."""
    (placeholder,) = WORKBOOK["fallbackResourceIds"]
    workbook = Template(INFRA / "app" / "monitoring.bicep").resources["workbook"]
    properties: Any = workbook.body["properties"]
    assert isinstance(properties["serializedData"], Expression)
    assert f"'{placeholder}', insights.id" in properties["serializedData"].text
