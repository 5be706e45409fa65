"""A function app that exercises the local host: every trigger, and activities that can be paused."""

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import azure.durable_functions as df
import azure.functions as func
from durabletask.task import OrchestrationContext

type Steps = Generator[Any, Any, Any]

app = df.DFApp(http_auth_level=func.AuthLevel.FUNCTION)
NOTES = Path(os.environ.get("SAMPLE_NOTES", "notes"))
if os.environ.get("SAMPLE_BROKEN") == "ends":
    os._exit(3)
if os.environ.get("SAMPLE_BROKEN") or NOTES.with_name("broken").exists():
    raise RuntimeError("the sample app is broken on purpose")
if NOTES.with_name("dies").exists():
    threading.Timer(0.05, os._exit, [4]).start()


def note(kind: str, **content: object) -> None:
    """Leave a line that the tests read."""
    with NOTES.open("a") as notes:
        notes.write(json.dumps({"kind": kind, "pid": os.getpid(), **content}) + "\n")


@app.route(route="greet/{name:alpha}/{times:int?}", methods=["GET", "POST"])
def greet(req: func.HttpRequest) -> func.HttpResponse:
    shown = {
        "route": dict(req.route_params),
        "query": dict(req.params),
        "body": req.get_body().decode(),
        "agent": req.headers.get("x-agent"),
    }
    response = func.HttpResponse(json.dumps(shown), mimetype="application/json", status_code=201)
    response.headers.add("Set-Cookie", "a=1; Path=/")
    response.headers.add("Set-Cookie", "b=2; Path=/")
    return response


@app.route(route="greet/me", methods=["GET"])
@app.queue_output(arg_name="ignored", queue_name="nowhere", connection="SAMPLE_STORAGE")
def greet_me(req: func.HttpRequest, ignored: func.Out[str]) -> str:  # noqa: ARG001 (the binding has this name)
    return "it's you"


@app.route(route="broken")
def broken(req: func.HttpRequest) -> str:  # noqa: ARG001 (the binding has this name)
    raise ValueError("broken on purpose")


@app.route(route="pid")
def pid(req: func.HttpRequest) -> str:  # noqa: ARG001 (the binding has this name)
    settings = [os.environ.get(name, "") for name in ("ConnectionStrings:Sql", "SAMPLE_LOCAL")]
    return " ".join([str(os.getpid()), *settings])


@app.route(route="hang")
def hang(req: func.HttpRequest) -> str:  # noqa: ARG001 (the binding has this name)
    note("hang")
    time.sleep(60)
    return "never"


@app.route(route="resolve", methods=["GET"])
def resolve(req: func.HttpRequest) -> str:
    return str(socket.getaddrinfo(req.params["host"], 80)[0][4][0])


@app.route(route="begin/{name}/{id?}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def begin(req: func.HttpRequest, client: df.DurableFunctionsClient) -> func.HttpResponse:
    given = req.get_json() if req.get_body() else None
    delay = req.params.get("delay")
    instance = await client.schedule_new_orchestration(
        req.route_params["name"],
        instance_id=req.route_params.get("id"),
        input=given,
        start_at=datetime.now(UTC) + timedelta(seconds=float(delay)) if delay else None,
    )
    return client.create_check_status_response(req, instance)


@app.queue_trigger(arg_name="message", queue_name="%SAMPLE_QUEUE%", connection="SAMPLE_STORAGE")
def take(message: func.QueueMessage) -> None:
    body = message.get_body().decode()
    note("message", body=body, id=message.id, count=message.dequeue_count, inserted=str(message.insertion_time))
    if "fail" in body:
        raise ValueError("told to fail")
    if "hang" in body and message.dequeue_count == 1:
        time.sleep(60)


@app.timer_trigger(arg_name="timer", schedule="0 0 3 * * *")
def nightly(timer: func.TimerRequest) -> None:
    note("timer", late=timer.past_due)


@app.timer_trigger(arg_name="timer", schedule="%SAMPLE_SCHEDULE%", run_on_startup="SAMPLE_AT_START" in os.environ)
def often(timer: func.TimerRequest) -> None:
    told: Any = timer  # azure.functions declares its base class only
    note("often", late=told.past_due, schedule=told.schedule, status=told.schedule_status)


@app.orchestration_trigger(context_name="context")
def steps(context: OrchestrationContext, given: Any) -> Steps:
    """Run the activity `step` once for each label."""
    done = []
    for label in given or []:
        done.append((yield context.call_activity("step", input=label)))
        context.set_custom_status({"done": len(done)})
    return done


@app.activity_trigger(input_name="label")
def step(label: str) -> str:
    note("step", label=label)
    logging.getLogger("sample").debug("debug line of %s", label)
    logging.getLogger("sample").info("info line of %s", label)
    gate = NOTES.with_name(f"gate-{label}")
    attempt = sum(line.get("label") == label for line in map(json.loads, NOTES.read_text().splitlines()))
    if label.startswith("pause") and attempt == 1:
        while not gate.exists():
            time.sleep(0.05)
    return f"{label}:{attempt}"


@app.orchestration_trigger(context_name="context")
def wait(context: OrchestrationContext, _given: Any) -> Steps:
    return (yield context.wait_for_external_event("go"))


@app.orchestration_trigger(context_name="context")
def nap(context: OrchestrationContext, given: Any) -> Steps:
    """Wait for so many seconds; the answer says when the timer was set, and when it was over."""
    began = context.current_utc_datetime
    yield context.create_timer(began + timedelta(seconds=given))
    return [began.isoformat(), context.current_utc_datetime.isoformat()]


@app.orchestration_trigger(context_name="context")
def above(context: OrchestrationContext, _given: Any) -> Steps:
    """Wait for a child that waits for an event."""
    return ["above", (yield context.call_sub_orchestrator("wait", instance_id=f"{context.instance_id}-below"))]


@app.orchestration_trigger(context_name="context")
def family(context: OrchestrationContext, _given: Any) -> Steps:
    """A parent tells who its child believes its parent is."""
    return (yield context.call_sub_orchestrator("child", input={"parent": context.instance_id}))


@app.orchestration_trigger(context_name="context")
def child(context: OrchestrationContext, given: Any) -> list[str]:
    return [context.parent_instance_id, given["parent"]]


@app.orchestration_trigger(context_name="context")
def count_down(context: OrchestrationContext, given: Any) -> Steps:
    yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=20))
    if given:
        context.continue_as_new(given - 1, save_events=True)
        return None
    return (yield context.wait_for_external_event("go"))


@app.orchestration_trigger(context_name="context")
def version(context: OrchestrationContext, _given: Any) -> str | None:
    return context.version


@app.orchestration_trigger(context_name="context")
def fail(context: OrchestrationContext, given: Any) -> Steps:
    return (yield context.call_activity("explode", input=given))


@app.orchestration_trigger(context_name="context")
def fail_below(context: OrchestrationContext, given: Any) -> Steps:
    first = yield context.call_activity("step", input="before")
    return [first, (yield context.call_sub_orchestrator("fail", input=given))]


@app.activity_trigger(input_name="given")
async def explode(given: dict) -> str:  # type: ignore[type-arg]  # the worker takes plain classes only
    if NOTES.with_name(f"defused-{given['why']}").exists():
        return "defused"
    raise LookupError(f"exploded with {given['why']}")


@app.activity_trigger(input_name="given")
@app.durable_client_input(client_name="client")
async def peek(given: str, client: df.DurableFunctionsClient) -> str:
    state = await client.get_orchestration_state(given)
    return state.name if state else "nobody"


@app.orchestration_trigger(context_name="context")
def look(context: OrchestrationContext, _given: Any) -> Steps:
    return (yield context.call_activity("peek", input=context.instance_id))
