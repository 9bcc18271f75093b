"""What is recorded, by the page: it makes the same snapshot as the store has, whatever its size."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stepfast import Retry, signal, step, workflow
from stepfast.cli.recorded_sources import ApiSource
from stepfast.client import Client
from stepfast.engine import recorded_json, recordings
from stepfast.errors import ExecutionNotFound, InvalidRequest, Refused
from stepfast.model import Cursor, Execution
from tests.http.serving import Api, served
from tests.waiting import until


@step(retry=Retry(max_attempts=1))
async def part(number: int) -> str:
    if number < 0:
        raise ValueError(f"{number} is below 0")
    return f"part {number}"


@workflow("recorded")
async def recorded(number: int) -> str:
    import asyncio

    texts = await asyncio.gather(*(part(place) for place in range(number)))
    await signal("go", str)
    return await part(-1) + "".join(texts)


@pytest.fixture
def api(serve: Callable[..., Api]) -> Api:
    made = serve(recorded)
    made.start("recorded", 5, labels={"kind": "test"})
    until(lambda: made.command("signal:go") is not None)
    made.ask("POST", "/v1/executions/one/signals/go", {"payload": "on"})
    made.ends("FAILED")
    return made


def test_the_pages_make_what_the_store_has(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = api.runtime.call(api.runtime.operations.load("one"))
    monkeypatch.setattr(recordings, "RECORDS", 2)
    monkeypatch.setattr(recordings, "PIECE_CHARACTERS", 5)
    with served(api.handler) as url:
        source = ApiSource(Client(url))
        read = source.load("one")
        assert list(source.recorded("one", 0).current.history) == []
        source.close()
    assert read.execution == stored.execution
    assert read.records == stored.records
    assert read.cursor == Cursor(
        stored.cursor.applied, stored.cursor.dispatched, stored.cursor.generation, stored.cursor.revision
    )
    assert read.signals == stored.signals
    assert read.execution.labels == {"kind": "test"}


def test_what_a_resume_took_back_is_part_of_it(api: Api) -> None:
    api.ask("POST", "/v1/executions/one/resume")
    api.ends("FAILED")
    with served(api.handler) as url:
        source = ApiSource(Client(url))
        history = list(source.recorded("one", 0).current.history)
        source.close()
    assert history == api.runtime.call(api.runtime._backend.history("one"))
    assert history


def test_unknown_places_are_refused(api: Api) -> None:
    assert api.ask("GET", "/v1/executions/nobody/recording").status == 404
    assert api.ask("GET", "/v1/executions/one/recording", query="cursor=x:1").status == 422
    assert api.ask("GET", "/v1/executions/one/recording/value", query="name=output&command=lost").status == 422
    assert api.ask("GET", "/v1/executions/one/recording/value", query="name=result").status == 422
    assert api.ask("GET", "/v1/executions/nobody/recording/value", query="name=input").status == 404
    with served(api.handler) as url, Client(url) as client:
        with pytest.raises(ExecutionNotFound):
            client.recording("nobody")
        with pytest.raises(InvalidRequest):
            client.recorded_value("one", "result")
        assert client.recorded_value("one", "output", "part") == '"part 0"'


def test_a_recording_of_another_version_is_refused() -> None:
    values = recorded_json.values_of(Execution("one", "recorded", "1", 0.0))
    assert recorded_json.execution_from({**values, "later": None}).execution_id == "one"
    with pytest.raises(Refused, match="later"):
        recorded_json.execution_from({**values, "later": "something"})
    with pytest.raises(Refused, match="not one of stepfast"):
        recorded_json.execution_from({**values, "status": "LOST"})
