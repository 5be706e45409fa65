"""HTTP triggers, through a running host."""

from tests.host.hosting import RunningHost


def test_request_reaches_the_function_as_sent(host: RunningHost) -> None:
    """Route values, repeated query keys, body and headers arrive; status and both cookies come back."""
    response = host.http.post("/api/greet/bob/3?x=1&x=2", content="hi", headers={"X-Agent": "me"})
    assert response.status_code == 201
    assert response.json() == {
        "route": {"name": "bob", "times": "3"},
        "query": {"x": "1,2"},
        "body": "hi",
        "agent": "me",
    }
    assert response.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]


def test_optional_route_value_may_be_absent(host: RunningHost) -> None:
    """A route that ends in an optional parameter also takes the shorter path."""
    assert host.http.get("/api/greet/bob").json()["route"] == {"name": "bob"}


def test_literal_route_wins(host: RunningHost) -> None:
    """Of two routes that match, the literal one is taken; a str is answered as text."""
    response = host.http.get("/api/greet/me")
    assert (response.status_code, response.text) == (200, "it's you")


def test_ignored_bindings_are_named(host: RunningHost) -> None:
    """An output binding that this host doesn't carry out is said at the start."""
    assert "ignored: queue output is not carried out here" in host.process.output()


def test_constraint_method_and_unknown_path_are_not_found(host: RunningHost) -> None:
    """What no route takes is 404, as the real host answers."""
    assert host.http.get("/api/greet/b0b").status_code == 404
    assert host.http.get("/api/greet/bob/three").status_code == 404
    assert host.http.put("/api/greet/bob").status_code == 404
    assert host.http.get("/greet/bob").status_code == 404


def test_failing_function_is_500_and_logged(host: RunningHost) -> None:
    """An exception is an empty 500; its traceback is in the host's output."""
    response = host.http.get("/api/broken")
    assert (response.status_code, response.content) == (500, b"")
    assert "ValueError: broken on purpose" in host.process.wait_output("function broken failed")


def test_names_under_localhost_are_this_machine(host: RunningHost) -> None:
    """The app resolves any name that ends in .localhost to loopback."""
    assert host.http.get("/api/resolve?host=some.vault.localhost").text == "127.0.0.1"
