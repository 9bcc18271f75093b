"""Rubbish gets a problem that says what was wrong, and never a 5xx."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stepfast import signal, workflow
from stepfast.errors import Unavailable
from stepfast.http.api import build
from stepfast.http.bodies import MAX_BODY
from tests.http.serving import Api, event
from tests.lanes import examples

START = "/v1/workflows/anything/executions"
REPLAY = "/v1/dead-letters/replay"


@workflow("anything")
async def anything(value: Any) -> None:
    await signal("go")


@workflow("numbers")
async def numbers(values: list[int]) -> None:
    await signal("go", list[int])


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    path: Path = tmp_path_factory.mktemp("bad") / "test.db"
    made = Api(path, (anything, numbers))
    made.start("anything", id="one")
    made.start("numbers", [], id="two")
    yield made
    made.close()


# -- bodies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1 column 1"),
        ("{'input': 1}", "line 1 column 2"),
        ('{"input": 1} trailing', "trailing"),
        ('{"input": NaN}', "NaN and Infinity are not JSON"),
        ('{"input": [1, -Infinity]}', "NaN and Infinity are not JSON"),
        ('{"input": "\\ud800"}', "lone surrogate"),
        ('{"input": "\x01"}', "control character"),
        ('{"input": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply: at most 200 levels"),
        ('{"input": ' + "9" * 5000 + "}", "out of range"),
        ("\ufeff{}", "line 1 column 1"),
    ],
    ids=lambda value: value[:24],
)
def test_what_is_not_json_is_malformed(api: Api, text: str, said: str) -> None:
    for path in (START, REPLAY, "/v1/executions/one/signals/go"):
        answer = api.ask("POST", path, text=text)
        assert (answer.status, answer.kind) == (400, "malformed-json")
        assert said in answer.body["detail"]


@pytest.mark.parametrize("text", ["[]", '[{"input": 1}]', "null", "1", '"text"', "true"])
def test_a_body_that_is_no_object_is_refused(api: Api, text: str) -> None:
    answer = api.ask("POST", START, text=text)
    assert (answer.status, answer.body["errors"][0]["field"]) == (422, "")


def test_a_number_beyond_floats_is_refused_like_infinity(api: Api) -> None:
    for path, field in ((START, "input"), ("/v1/executions/one/signals/go", "payload")):
        answer = api.ask("POST", path, text=f'{{"{field}": [1e999]}}')
        assert (answer.status, answer.fields) == (422, [field])


@pytest.mark.parametrize("value", ["\x00", "🎉", {"\x00": {}}, 10**300, [[]] * 3, 1e308, "", {"": None}])
def test_strange_but_valid_json_goes_round(api: Api, value: Any) -> None:
    answer = api.ask("POST", START, {"input": value})
    assert answer.status == 201
    assert api.get(f"/v1/executions/{answer.body['execution_id']}")["input"] == value


def test_nesting_up_to_the_limit_is_shown_again(api: Api) -> None:
    deep: Any = 1
    for _ in range(190):
        deep = [deep]
    answer = api.ask("POST", START, {"input": deep})
    assert answer.status in (201, 422)
    if answer.status == 201:
        assert api.get(f"/v1/executions/{answer.body['execution_id']}")["input"] == deep
        assert api.get(f"/v1/executions/{answer.body['execution_id']}/history")["events"][0]["input"] == deep


def test_base64_bodies_are_read(api: Api) -> None:
    sent = {**event("POST", START, {}), "body": base64.b64encode(b'{"input": "\xc3\xa9"}').decode()}
    assert api.handle({**sent, "isBase64Encoded": True}).body["input"] == "é"


@pytest.mark.parametrize("body", ["not base64!", base64.b64encode(b'{"input": "\xff"}').decode()])
def test_bytes_that_are_no_text_are_malformed(api: Api, body: str) -> None:
    answer = api.handle({**event("POST", START, {}), "body": body, "isBase64Encoded": True})
    assert (answer.status, answer.kind) == (400, "malformed-json")


def test_a_body_beyond_the_limit_is_too_large(api: Api) -> None:
    limit = MAX_BODY - len('{"input": ""}')
    assert api.ask("POST", START, {"input": "x" * limit}).status == 201
    answer = api.ask("POST", START, {"input": "x" * (limit + 1)})
    assert (answer.status, answer.kind) == (413, "body-too-large")
    assert str(MAX_BODY) in answer.body["detail"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x"])
def test_a_body_of_another_type_is_refused(api: Api, kind: str) -> None:
    answer = api.ask("POST", START, {"input": 1}, headers={"content-type": kind})
    assert (answer.status, answer.kind) == (415, "unsupported-media-type")


def test_json_with_a_charset_is_taken(api: Api) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert api.ask("POST", START, {"input": 1}, headers=headers).status == 201


@pytest.mark.parametrize("path", [START, REPLAY, "/v1/executions/one/signals/go"])
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", "x"])
def test_a_missing_body_is_asked_for(api: Api, path: str, kind: str) -> None:
    answer = api.ask("POST", path, headers={"content-type": kind})
    assert (answer.status, answer.kind) == (422, "invalid-request")


# -- addresses --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "id",
    ["a/b", "a%2Fb", "é", "🎉", "a b", "", "..", "x" * 129, "a\nb", "a\x00", "a;b", '"', "<script>", "a?b", "\ud800"],
)
def test_ids_that_cannot_be_are_refused_or_not_found(api: Api, id: str) -> None:
    for method, path in (("GET", ""), ("GET", "/history"), ("POST", "/cancel"), ("POST", "/resume")):
        answer = api.ask(method, f"/v1/executions/{id}{path}")
        assert answer.status in (404, 405, 422), (id, answer)
        assert answer.kind in ("invalid-request", "unknown-route", "execution-not-found", "wrong-method")


@pytest.mark.parametrize("name", ["a/b", "é", "a b", "", "..", "x" * 300, "\x00", "unknown"])
def test_workflow_names_that_cannot_be_are_not_found(api: Api, name: str) -> None:
    answer = api.ask("POST", f"/v1/workflows/{name}/executions", {"input": 1})
    assert answer.status == 404


@pytest.mark.parametrize("path", ["/", "", "/v1", "/v2/executions", "/v1/executions/", "//v1/executions", "/nope"])
def test_an_unknown_address_is_a_problem_too(api: Api, path: str) -> None:
    answer = api.ask("GET", path)
    assert (answer.status, answer.kind) == (404, "unknown-route")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/executions/one/history", "GET"),
        ("PUT", "/v1/executions/one", "DELETE, GET"),
        ("GET", START, "POST"),
        ("POST", "/v1/health", "GET"),
        ("GET", "/v1/executions/one/resume", "POST"),
        ("OPTIONS", "/v1/executions", "GET"),
        ("BREW", "/v1/executions", "GET"),
    ],
)
def test_another_method_is_told_the_right_one(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api.ask(method, path)
    assert (answer.status, answer.kind, answer.headers["Allow"]) == (405, "wrong-method", allowed)


# -- mistakes of ours and outages ---------------------------------------------------------------------------


class Failing:
    """Runs nothing, and raises instead."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, coroutine: Any) -> Any:
        coroutine.close()
        raise self.error


def test_an_outage_is_503_with_a_time_to_come_back(api: Api) -> None:
    handler = build(api.runtime.operations, api.registry, Failing(Unavailable("the disk is full")))
    response = handler(event("GET", "/v1/executions"), None)
    assert (response["statusCode"], response["headers"]["Retry-After"]) == (503, "1")
    assert json.loads(response["body"])["type"] == "urn:stepfast:problem:unavailable"


def test_an_unforeseen_error_is_500_and_neither_answer_nor_log_tells_its_text(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    handler = build(api.runtime.operations, api.registry, Failing(ZeroDivisionError("secret 4711")))
    response = handler(event("POST", START, {"input": "secret 4711"}), None)
    assert response["statusCode"] == 500
    assert "4711" not in response["body"]
    assert "ZeroDivisionError" not in response["body"]
    assert "4711" not in caplog.text
    assert "ZeroDivisionError" in caplog.text
    assert "test_bad_requests.py" in caplog.text  # where it was raised


@pytest.mark.parametrize("broken", [{}, {"rawPath": "/v1/health"}, {"requestContext": None}, {"headers": []}])
def test_an_event_of_another_shape_is_answered(api: Api, broken: dict[str, Any]) -> None:
    assert api.handler(broken, None)["statusCode"] in (400, 404, 500)


# -- anything at all ----------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
bodies = st.dictionaries(
    st.sampled_from(["input", "execution_id", "labels", "payload", "signal_id", "execution_ids", "all", "rate", "x"]),
    json_values,
    max_size=4,
).map(json.dumps)
segments = st.sampled_from(
    ["v1", "executions", "workflows", "anything", "one", "signals", "go", "dead-letters", "replay", "cancel", "history"]
)


@settings(max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST"]),
    path=st.lists(segments | st.text(max_size=8), max_size=6).map(lambda parts: "/" + "/".join(parts)),
    query=st.text(alphabet="labelimtcursosince=&%:-+0aé\x00", max_size=40),
    text=st.none() | bodies | st.text(max_size=60),
)
def test_no_request_makes_the_server_fail(api: Api, method: str, path: str, query: str, text: str | None) -> None:
    answer = api.handle(event(method, path, text=text, query=query))
    assert answer.status < 500, answer
    if answer.status >= 400:
        assert answer.kind


# -- many faults ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (START, lambda n: {"input": 1, **{f"unknown {i}": 1 for i in range(n)}}),
        (START, lambda n: {"input": 1, "labels": {f"bad key {i}": "v" for i in range(n)}}),
        (START, lambda n: {"input": 1, "execution_id": "x" * n}),
        (START, lambda n: {"input": 1, "x" * n: 1}),
        ("/v1/workflows/numbers/executions", lambda n: {"input": ["a"] * n}),
        ("/v1/workflows/numbers/executions", lambda n: {"input": {"x" * n: "y" * n}}),
        ("/v1/executions/two/signals/go", lambda n: {"payload": ["a"] * n}),
        ("/v1/executions/batch", lambda n: {"starts": [{"workflow": "numbers", "labels": {"a:b": "c"}}] * n}),
        ("/v1/executions/statuses", lambda n: {"execution_ids": ["a b"] * n}),
        (f"/v1/workflows/{'x' * 50_000}/executions", lambda n: {"input": None}),
    ],
)
def test_an_answer_of_4xx_is_short_however_much_is_wrong(api: Api, path: str, body: Any) -> None:
    for number in (500, 50_000):
        answer = api.ask("POST", path, body(number))
        assert answer.status in (404, 422)
        assert len(json.dumps(answer.body)) < 64_000
        assert len(answer.body.get("errors", ())) <= 100


def test_an_answer_lists_a_hundred_errors_and_says_how_many_there_were(api: Api) -> None:
    for path, body in (
        ("/v1/workflows/numbers/executions", {"input": ["a"] * 8000}),
        ("/v1/executions/two/signals/go", {"payload": ["a"] * 8000}),
        (START, {"input": 1, **{f"unknown {i}": 1 for i in range(8000)}}),
    ):
        answer = api.ask("POST", path, body)
        assert (answer.status, len(answer.body["errors"]), answer.body["error_count"]) == (422, 100, 8000)
