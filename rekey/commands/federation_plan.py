"""How the plan of leaving connections without a secret looks on a terminal, for `federate --plan`."""

from collections.abc import Iterator
from typing import Any

from rekey.commands import asking
from rekey.commands.plan import lacking, runbook
from rekey.terminal import FINDINGS, OK, harmless, moment, table, write

_SAID = {"federates": "would need no secret", "stops": "would stop", "nothing-to-do": "there is nothing to do"}
_PIPELINES = ("PIPELINE", "LAST RUN (UTC)", "OWNER", "KNOWN BY")


def show(answer: Any, *, as_json: bool) -> int:
    """Print the plans and return the exit code: 1 if something would stop one of them."""
    plans = answer["plans"]
    if as_json:
        asking.print_json(answer)
    else:
        for number, plan in enumerate(plans):
            for line in ("",) * bool(number) + tuple(_lines(plan)):
                write(line)
        if answer["left_out"]:
            write(f"{answer['matching']} match, {answer['left_out']} of them beyond the limit")
    return FINDINGS if any(plan["verdict"] == "stops" for plan in plans) else OK


def _lines(plan: Any) -> Iterator[str]:
    where = f"{plan['organization']}/{plan['project']}/{plan['connection']}"
    yield harmless(f"{where} {_SAID.get(plan['verdict'], plan['verdict'])} ({plan['mode']}): {plan['why']}")
    if plan["running"]:
        yield f"It is on its way already ({harmless(plan['instance'])}): a start would change nothing."
    yield from lacking(plan["missing"])
    yield from _facts(plan)
    yield from runbook(plan["steps"])
    if plan["pipelines"]:
        yield ""
        yield from table(_PIPELINES, map(_pipeline, plan["pipelines"]))
    for remark in plan["remarks"]:
        yield harmless(f"  {remark}")


def _facts(plan: Any) -> Iterator[str]:
    gap = plan["gap"]
    approval = "somebody else than who asked has to approve it" if plan["needs_approval"] else ""
    facts = (
        ("new one", plan["new_name"]),
        ("issuer", plan["issuer"]),
        ("subject", plan["subject"]),
        ("gap", f"{'possible' if gap['possible'] else 'none'}: {gap['why']}" if gap else ""),
        ("approval", approval),
        ("way back", moment(plan["soak_until"])),
        ("revertible", moment(plan["revert_until"])),
        *(("secret", f"{secret} {becomes}") for secret, becomes in plan["managed"].items()),
    )
    for name, value in facts:
        if value:
            yield harmless(f"  {name:<10} {value}")


def _pipeline(one: Any) -> tuple[object, ...]:
    return one["name"], moment(one["last_run"]), one["owner"], one["known_by"]
