"""GET /v1/dead-letters and POST /v1/dead-letters/replay."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from stepfast import Retry, step, workflow
from stepfast.errors import Unavailable
from stepfast.http.api import build
from stepfast.http.models import DeadLetterList, Replayed
from stepfast.http.routes import dead_letters
from tests.http.serving import Api, event

mended = threading.Event()


@step(retry=Retry(max_attempts=1))
def work(n: int) -> int:
    if mended.is_set():
        return n
    raise ConnectionError(f"down {n}") if n % 2 else KeyError(n)


@workflow("odd")
async def odd(n: int) -> int:
    return await work(n)


@workflow("even")
async def even(n: int) -> int:
    return await work(n)


@pytest.fixture
def six(serve: Any) -> Any:
    """Failed executions 0 to 5; the odd ones with ConnectionError, the others with KeyError."""
    mended.clear()
    api: Api = serve(odd, even, steps=[work])
    for n in range(6):
        api.start("odd" if n % 2 else "even", n, str(n))
        api.ends("FAILED", id=str(n))
    return api


def listed(api: Api, query: str = "") -> list[str]:
    answer = api.get("/v1/dead-letters", query=query)
    DeadLetterList.model_validate(answer, strict=True)
    return [letter["execution_id"] for letter in answer["dead_letters"]]


def replay(api: Api, **body: Any) -> Any:
    answer = api.ask("POST", "/v1/dead-letters/replay", body)
    assert answer.status == 200, answer
    Replayed.model_validate(answer.body, strict=True)
    return answer.body


def test_dead_letters_name_the_step_and_the_error(six: Api) -> None:
    letter = six.get("/v1/dead-letters", query="limit=1")["dead_letters"][0]
    assert (letter["execution_id"], letter["workflow"], letter["step"]) == ("5", "odd", "work")
    assert (letter["error"]["type"], letter["error"]["message"]) == ("ConnectionError", "down 5")
    assert letter["generation"] == 0
    assert letter["ended_at"] >= letter["created_at"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "543210"),
        ("workflow=odd", "531"),
        ("error=KeyError", "420"),
        ("error=KeyError&workflow=odd", ""),
        ("error=ConnectionError&limit=2", "53"),
        ("error=Unheard", ""),
        ("limit=4", "5432"),
    ],
)
def test_dead_letters_are_filtered(six: Api, query: str, expected: str) -> None:
    assert listed(six, query) == list(expected)


def test_pages_of_dead_letters_end(six: Api) -> None:
    ids: list[str] = []
    cursor = ""
    for _ in range(10):
        page = six.get("/v1/dead-letters", query=f"error=KeyError&limit=1{cursor}")
        ids += [letter["execution_id"] for letter in page["dead_letters"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert ids == ["4", "2", "0"]


def test_replay_by_ids_resumes_and_says_what_was_refused(six: Api) -> None:
    mended.set()
    answer = replay(six, execution_ids=["1", "nobody", "2", "1"])
    assert (answer["resumed"], answer["remaining"], answer["next"]) == (2, False, None)
    assert [(result["execution_id"], result["resumed"]) for result in answer["results"]] == [
        ("1", True),
        ("nobody", False),
        ("2", True),
    ]
    assert "nobody" in answer["results"][1]["refused"]
    six.ends(id="1")
    six.ends(id="2")
    assert listed(six) == ["5", "4", "3", "0"]


@pytest.mark.parametrize(
    ("selector", "resumed"),
    [
        ({"workflow": "odd"}, "531"),
        ({"error": "KeyError"}, "420"),
        ({"error": "KeyError", "workflow": "odd"}, ""),
        ({"all": True}, "543210"),
    ],
)
def test_replay_by_selector_resumes_what_matches(six: Api, selector: dict[str, Any], resumed: str) -> None:
    mended.set()
    answer = replay(six, **selector)
    assert [result["execution_id"] for result in answer["results"]] == list(resumed)
    for id in resumed:
        six.ends(id=id)


@pytest.mark.parametrize(
    "selector", [{"all": True}, {"execution_ids": [str(n) for n in range(6)]}, {"error": "KeyError"}]
)
def test_a_replay_of_more_than_its_time_allows_says_what_to_send_next(
    six: Api, monkeypatch: pytest.MonkeyPatch, selector: dict[str, Any]
) -> None:
    monkeypatch.setattr(dead_letters, "MOST_RESUMED", 2)
    body: Any = selector
    sizes, seen = [], []
    while body is not None:
        answer = replay(six, **body)
        assert answer["remaining"] == (answer["next"] is not None)
        sizes.append(len(answer["results"]))
        seen += [result["execution_id"] for result in answer["results"]]
        body = answer["next"]
    assert max(sizes) <= 2
    assert len(seen) == len(set(seen)) == (3 if "error" in selector else 6)


def test_one_that_fails_again_at_once_is_not_resumed_again_by_the_same_replay(
    six: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "RESUME_BATCH", 1)
    answer = replay(six, all=True)
    assert answer["resumed"] == 6
    for id in "012345":
        assert six.ends("FAILED", id=id)["generation"] == 1


class Flickering:
    """Runs the engine's coroutines until the store goes away."""

    def __init__(self, api: Api, calls: int) -> None:
        self.call, self.left = api.runtime.call, calls

    def __call__(self, coroutine: Any) -> Any:
        if self.left == 0:
            coroutine.close()
            raise Unavailable("the disk is full")
        self.left -= 1
        return self.call(coroutine)


@pytest.mark.parametrize(("calls", "status"), [(0, 503), (1, 503), (4, 200)])
def test_an_outage_in_the_middle_keeps_what_was_done_and_says_how_to_go_on(
    six: Api, monkeypatch: pytest.MonkeyPatch, calls: int, status: int
) -> None:
    monkeypatch.setattr(dead_letters, "RESUME_BATCH", 1)
    mended.set()
    handler = build(six.runtime.operations, six.registry, Flickering(six, calls))
    ids = ["5", "3", "1", "0"]
    response = handler(event("POST", "/v1/dead-letters/replay", {"execution_ids": ids}), None)
    assert response["statusCode"] == status
    if status == 200:
        answer = json.loads(response["body"])
        assert (answer["resumed"], answer["next"]) == (3, {"execution_ids": ["0"]})


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rate": 5},
        {"all": False},
        {"execution_ids": ["1"], "workflow": "odd"},
        {"execution_ids": ["1"], "all": True},
        {"all": True, "error": "KeyError"},
        {"all": True, "step": "work"},
        {"execution_ids": ["1"], "step": ""},
    ],
)
def test_a_replay_without_exactly_one_selector_is_refused(six: Api, body: Any) -> None:
    answer = six.ask("POST", "/v1/dead-letters/replay", body)
    assert (answer.status, answer.kind) == (422, "invalid-request")
    assert "execution_ids" in answer.body["detail"]
    assert "step" in answer.body["detail"]
    assert listed(six) == list("543210")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"execution_ids": []}, "execution_ids"),
        ({"execution_ids": ["x"] * 1001}, "execution_ids"),
        ({"execution_ids": "1"}, "execution_ids"),
        ({"execution_ids": [1]}, "execution_ids[0]"),
        ({"all": True, "rate": 0}, "rate"),
        ({"all": True, "rate": 1001}, "rate"),
        ({"all": True, "limit": 3}, "limit"),
        ({"step": "x" * 65}, "step"),
        ({"step": 7}, "step"),
        ({"all": True, "cursor": "nonsense"}, "cursor"),
    ],
)
def test_a_bad_replay_names_its_field(six: Api, body: Any, field: str) -> None:
    answer = six.ask("POST", "/v1/dead-letters/replay", body)
    assert answer.status == 422
    assert answer.fields == [field]
