"""GET /v1/dead-letters/groups, and dead letters chosen by the step that failed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from stepfast import Retry, step, workflow
from stepfast.http.models import FaultGroups
from stepfast.http.routes import dead_letters
from tests.http.serving import Api

mended = threading.Event()


@step(retry=Retry(max_attempts=1))
def charge(n: int) -> int:
    if mended.is_set():
        return n
    raise ConnectionError("down") if n % 2 else KeyError(n)


@step(retry=Retry(max_attempts=1))
def ship(n: int) -> int:
    if mended.is_set():
        return n
    raise ConnectionError("down")


@workflow("paying")
async def paying(n: int) -> int:
    if n >= 10 and not mended.is_set():
        raise KeyError("in the workflow's own code")
    return await charge(n)


@workflow("shipping")
async def shipping(n: int) -> int:
    return await ship(n)


@pytest.fixture
def api(serve: Any) -> Api:
    """Failed: p1 p3 p2 of charge, p10 of no step, s1 s2 of ship; p1 and s1 for the second time."""
    mended.clear()
    made: Api = serve(paying, shipping, steps=[charge, ship])
    for id in ("p1", "p3", "p2", "p10", "s1", "s2"):
        made.start("paying" if id[0] == "p" else "shipping", int(id[1:]), id)
        made.ends("FAILED", id=id)
    for id in ("p1", "s1"):
        assert made.ask("POST", f"/v1/executions/{id}/resume").status == 200
        made.ends("FAILED", id=id)
    return made


def groups(api: Api, query: str = "") -> Any:
    answer = api.get("/v1/dead-letters/groups", query=query)
    FaultGroups.model_validate(answer, strict=True)
    return answer


def briefly(answer: Any) -> list[tuple[Any, ...]]:
    names = ("workflow", "step", "error", "count", "again", "execution_id")
    return [tuple(group[name] for name in names) for group in answer["groups"]]


# -- groups -----------------------------------------------------------------------------------------------


def test_failures_that_look_alike_are_counted_together_the_most_first(api: Api) -> None:
    answer = groups(api)
    assert answer["complete"] is True
    assert briefly(answer) == [
        ("paying", "charge", "ConnectionError", 2, 1, "p3"),
        ("shipping", "ship", "ConnectionError", 2, 1, "s2"),
        ("paying", None, "KeyError", 1, 0, "p10"),
        ("paying", "charge", "KeyError", 1, 0, "p2"),
    ]
    assert answer["groups"][0]["newest"] == api.get("/v1/executions/p3")["created_at"]


def test_groups_of_one_workflow(api: Api) -> None:
    assert briefly(groups(api, "workflow=shipping")) == [("shipping", "ship", "ConnectionError", 2, 1, "s2")]
    assert groups(api, "workflow=unheard-of") == {"groups": [], "complete": True}


def test_what_no_longer_is_failed_is_in_no_group(api: Api) -> None:
    mended.set()
    for id in ("s1", "s2"):
        api.ask("POST", f"/v1/executions/{id}/resume")
        api.ends(id=id)
    assert groups(api, "workflow=shipping") == {"groups": [], "complete": True}


@pytest.mark.parametrize(("most", "complete"), [(6, True), (5, False), (1, False)])
def test_groups_say_when_there_are_more_than_were_looked_at(
    api: Api, monkeypatch: pytest.MonkeyPatch, most: int, complete: bool
) -> None:
    monkeypatch.setattr(dead_letters, "MAX_EXAMINED", most)
    answer = groups(api)
    assert answer["complete"] is complete
    assert sum(group["count"] for group in answer["groups"]) == most
    assert "s2" in [group["execution_id"] for group in answer["groups"]], "the last to start is looked at first"


@pytest.mark.parametrize("workflow", ["", "x" * 65, "a&workflow=b"])
def test_groups_of_a_workflow_that_cannot_be_are_refused(api: Api, workflow: str) -> None:
    answer = api.ask("GET", "/v1/dead-letters/groups", query=f"workflow={workflow}")
    assert (answer.status, answer.fields) == (422, ["workflow"])


# -- by step ----------------------------------------------------------------------------------------------

SELECTED = [
    ({"step": "charge"}, ["p2", "p3", "p1"]),
    ({"step": "ship"}, ["s2", "s1"]),
    ({"step": ""}, ["p10"]),
    ({"step": "charge", "error": "ConnectionError"}, ["p3", "p1"]),
    ({"step": "", "error": "ConnectionError"}, []),
    ({"step": "", "workflow": "shipping"}, []),
    ({"step": "charge", "error": "KeyError", "workflow": "paying"}, ["p2"]),
    ({"step": "Charge"}, []),
]


@pytest.mark.parametrize(("selector", "expected"), SELECTED)
def test_dead_letters_are_found_by_their_step(api: Api, selector: dict[str, str], expected: list[str]) -> None:
    query = "&".join(f"{name}={value}" for name, value in selector.items())
    assert [letter["execution_id"] for letter in api.get("/v1/dead-letters", query=query)["dead_letters"]] == expected


@pytest.mark.parametrize(("selector", "expected"), SELECTED)
def test_those_of_a_step_are_resumed_and_no_others(api: Api, selector: dict[str, str], expected: list[str]) -> None:
    mended.set()
    answer = api.ask("POST", "/v1/dead-letters/replay", selector)
    assert answer.status == 200
    assert [result["execution_id"] for result in answer.body["results"]] == expected
    for id in expected:
        api.ends(id=id)


def test_what_is_left_for_the_next_request_names_the_step_as_well(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "RESUME_SECONDS", 0.02)  # one in each request
    mended.set()
    body: Any = {"step": "", "rate": 50}
    seen = []
    while body is not None:
        answer = api.ask("POST", "/v1/dead-letters/replay", body).body
        seen += [result["execution_id"] for result in answer["results"]]
        body = answer["next"]
        assert body is None or (body["step"], body["rate"]) == ("", 50)
    assert seen == ["p10"]


def test_a_step_whose_name_is_too_long_is_refused(api: Api) -> None:
    answer = api.ask("GET", "/v1/dead-letters", query=f"step={'x' * 65}")
    assert (answer.status, answer.fields) == (422, ["step"])
