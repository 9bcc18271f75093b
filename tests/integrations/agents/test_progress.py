"""What an agent is doing reaches those who watch its execution, without arguments, and without disturbing its tools."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterable, AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import AgentStreamEvent, ModelMessage, ModelResponse, PartStartEvent, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.models.test import TestModel

from stepfast import Retry, current_step, step, workflow
from stepfast.cli.following import _print_changes
from stepfast.engine import step_watch
from stepfast.integrations.pydantic_ai import StepfastDurability, progress
from stepfast.integrations.pydantic_ai.progress import Reporter
from stepfast.language.context import MAX_PROGRESS_BYTES
from stepfast.shown import status_value
from stepfast.simulator.simulated_loop import SimulatedLoop
from stepfast.testing import Environment, MotoCloud, step_context
from tests.http.serving import Api
from tests.waiting import until

KITS: list[Any] = [Environment, MotoCloud]
SECRET = "4111-1111"


async def asks_two(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Calls each tool with a secret, and then answers."""
    if len(messages) == 1:
        return ModelResponse(parts=[ToolCallPart(tool.name, {"card": SECRET}) for tool in info.function_tools])
    return ModelResponse(parts=[TextPart("Both are done.")])


def made(name: str, **options: Any) -> Agent[None, str]:
    agent = Agent(FunctionModel(asks_two), name=name, capabilities=[StepfastDurability(**options)])

    @agent.tool_plain
    def charge(card: str) -> str:
        """Charges a card."""
        return "charged"

    return agent


teller = made("teller")
quiet = made("quiet", progress=False)
open_one = made("open", show_arguments=True, status=True)


@workflow("tells")
async def tells() -> str:
    return (await teller.run("go")).output


@workflow("quiet")
async def says_nothing() -> str:
    return (await quiet.run("go")).output


@workflow("open")
async def tells_all() -> str:
    return (await open_one.run("go")).output


def progress_of(run: Any) -> dict[str, Any]:
    records = run._reading.snapshot(run.execution_id).records.values()
    return {record.id.rpartition("/")[2]: json.loads(record.progress) for record in records if record.progress}


@pytest.mark.parametrize("kit", KITS)
def test_requests_and_tools_say_what_they_do_but_no_arguments(kit: Any) -> None:
    with kit(tells) as env:
        run = env.run(tells)
    assert run.result == "Both are done."
    assert progress_of(run) == {
        "teller.model": {"agent": "teller", "request": 1, "calls": ["charge"]},
        "teller.tool.charge": {"agent": "teller", "tool": "charge"},
        "teller.model#2": {"agent": "teller", "request": 2, "text": "Both are done."},
    }
    assert run._reading.execution(run.execution_id).shown is None


@pytest.mark.parametrize("kit", KITS)
def test_arguments_and_the_status_are_shown_where_that_is_asked_for(kit: Any) -> None:
    with kit(tells_all) as env:
        run = env.run(tells_all)
    assert progress_of(run)["open.tool.charge"] == {
        "agent": "open", "tool": "charge", "arguments": json.dumps({"card": SECRET}, separators=(",", ":")),
    }  # fmt: skip
    assert SECRET not in json.dumps([progress_of(run)[name] for name in ("open.model", "open.model#2")])
    assert status_value(run._reading.execution(run.execution_id).shown) == {"agent": "open", "request": 2}


async def books(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    if len(messages) == 1:
        return ModelResponse(parts=[ToolCallPart("book", {"day": "2026-11-28"})])
    return ModelResponse(parts=[TextPart("booked")])


booker = Agent(FunctionModel(books), name="booker", capabilities=[StepfastDurability(show_arguments=True, status=True)])


@booker.tool_plain
async def book(day: date) -> str:
    """Books a day."""
    return day.isoformat()


@workflow("books")
async def booking() -> str:
    return (await booker.run("go")).output


def test_arguments_of_any_class_are_reported_as_the_model_wrote_them() -> None:
    with Environment(booking) as env:
        run = env.run(booking)
    assert run.result == "booked"
    assert progress_of(run)["booker.tool.book"]["arguments"] == '{"day":"2026-11-28"}'


def test_a_parameter_turns_it_off() -> None:
    with Environment(says_nothing) as env:
        run = env.run(says_nothing)
    assert run.result == "Both are done."
    assert progress_of(run) == {}


shifting = Agent(
    FunctionModel(asks_two), name="shifting", capabilities=[StepfastDurability(progress=False, show_arguments=True)]
)


@shifting.tool_plain(name="charge")
def upgrade(card: str) -> str:
    """Turns all on, as a new version of the code would while the execution is running."""
    durability = StepfastDurability.from_agent(shifting)
    assert durability is not None
    for name in ("steps", "status"):
        object.__setattr__(durability.get_durable_operation_backend().shown, name, True)
    return "charged"


@workflow("shifting")
async def shifts() -> str:
    return (await shifting.run("go")).output


def test_an_execution_that_began_without_it_goes_on_with_it() -> None:
    """Environment replays the whole execution at each point, and fails where a command differs."""
    with Environment(shifts) as env:
        run = env.run(shifts)
    assert run.result == "Both are done."
    assert list(progress_of(run)) == ["shifting.model#2"]


# -- tools and handlers that report by themselves ----------------------------------------------------------------

seen: list[Any] = []


async def one_call(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    if len(messages) == 1:
        return ModelResponse(parts=[ToolCallPart(info.function_tools[0].name, {})])
    return ModelResponse(parts=[TextPart("done")])


loader = Agent(
    FunctionModel(one_call),
    name="loader",
    capabilities=[StepfastDurability(tool_step={"retry": Retry(max_attempts=4, initial=1.0)})],
)


@loader.tool_plain
def load() -> str:
    """Loads rows, from where the attempt before was cut off."""
    context = current_step()
    seen.append(context.last_progress)
    if context.attempt == 1:
        raise ConnectionError("away before the first row")
    if context.attempt == 2:
        context.heartbeat(progress={"row": 100})
    if context.attempt < 4:
        raise ConnectionError("away")
    return "loaded"


@workflow("loads-rows")
async def loads_rows() -> str:
    return (await loader.run("go")).output


@pytest.mark.parametrize("kit", KITS)
def test_a_tool_that_reports_keeps_its_own_progress(kit: Any) -> None:
    """It sees none of the agent's, and the agent does not overwrite what an earlier attempt has reported."""
    seen.clear()
    with kit(loads_rows) as env:
        run = env.run(loads_rows)
    assert seen == [None, None, {"row": 100}, {"row": 100}]
    assert progress_of(run)["loader.tool.load"] == {"row": 100}


async def report_events(context: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
    async for event in events:
        if isinstance(event, PartStartEvent):
            current_step().heartbeat(progress="of the handler")
            break  # what is left is drained


handled = Agent(TestModel(), name="handled", capabilities=[StepfastDurability(event_stream_handler=report_events)])


@workflow("handled")
async def handles() -> str:
    return (await handled.run("go")).output


def test_a_handler_that_reports_goes_first() -> None:
    with Environment(handles) as env:
        run = env.run(handles)
    assert run.result == "success (no tool calls)"
    assert progress_of(run) == {"handled.model-stream": "of the handler"}


# -- the text so far ---------------------------------------------------------------------------------------------


def reports_of(pieces: list[tuple[float, str]], handler: Any = None) -> list[tuple[float, Any]]:
    """What is reported, and when, of an answer whose pieces come after so many seconds."""
    reports: list[tuple[float, Any]] = []
    loop = SimulatedLoop(datetime(2026, 1, 1, tzinfo=UTC))
    start = loop.time()

    async def answer() -> AsyncIterator[Any]:
        for pause, piece in pieces:
            await asyncio.sleep(pause)
            yield PartStartEvent(index=0, part=TextPart(piece))

    async def watch() -> None:
        noted: Any = lambda progress: reports.append((loop.time() - start, progress))  # noqa: E731
        with step_context(report=noted) as context:
            reporter = Reporter(context, {"agent": "a", "request": 1}, silent=False)
            progress._reporter.set(reporter)
            reporter.report()
            handle: Any = progress.watching(handler)
            await handle(None, answer())
            reporter.ended(ModelResponse(parts=[TextPart(pieces[-1][1])]))

    try:
        loop.run_until_complete(watch())
    finally:
        loop.close()
    return reports


def test_the_text_so_far_is_reported_at_most_once_a_second() -> None:
    times = [at for at, _ in reports_of([(0.25, "word")] * 16)]
    assert times == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0, 4.0])  # the last is that of the whole answer
    assert [progress.get("text") for _, progress in reports_of([(2.0, "one"), (2.0, "two")])] == [
        None, "one", "one\ntwo", "two",
    ]  # fmt: skip


def test_what_a_handler_leaves_is_reported_too() -> None:
    async def leaves(context: Any, events: AsyncIterable[Any]) -> None:
        async for _ in events:
            break

    pieces = [(2.0, "one"), (2.0, "two"), (2.0, "three")]
    assert reports_of(pieces, leaves) == reports_of(pieces)


@pytest.mark.parametrize(
    "piece", ["x" * 9000, "\N{ROLLING ON THE FLOOR LAUGHING}" * 2000, "\x01" * 2000, "\ud800" * 2000, '"\\' * 3000]
)
def test_a_long_text_is_cut_to_its_end_and_no_text_fails_the_step(piece: str) -> None:
    reports = reports_of([(2.0, f"{piece} the end")])
    for _, report in reports[1:]:
        assert report["text"].startswith("…")
        assert report["text"].endswith("the end")
        assert len(json.dumps(report, ensure_ascii=False).encode()) <= MAX_PROGRESS_BYTES / 2


# -- those who watch ---------------------------------------------------------------------------------------------

answered = threading.Event()


async def streams(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | DeltaToolCalls]:
    if len(messages) == 1:
        yield {0: DeltaToolCall(name="charge", json_args=json.dumps({"card": SECRET}), tool_call_id="c-1")}
        return
    for word in ("Your ", "tea ", "is "):
        yield word
    await asyncio.to_thread(answered.wait, 60)
    yield "late."


async def drain(context: RunContext[None], events: AsyncIterable[AgentStreamEvent]) -> None:
    async for _ in events:
        pass


live = Agent(
    FunctionModel(stream_function=streams),
    name="live",
    capabilities=[StepfastDurability(event_stream_handler=drain, status=True)],
)


@step
def charge(card: str) -> str:
    return "charged"


@live.tool_plain(name="charge", metadata={"stepfast": False})
async def charge_inline(card: str) -> str:
    return await charge(card)


@workflow("live")
async def lives() -> str:
    return (await live.run("Where is my tea?")).output


def test_watch_and_the_events_show_the_text_while_the_model_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(step_watch, "PROGRESS_WRITE_SECONDS", 0.0)
    monkeypatch.setattr("stepfast.integrations.pydantic_ai.progress.REPORT_SECONDS", 0.0)
    answered.clear()
    api = Api(tmp_path / "live.db", (lives,))
    try:
        api.start("live")
        expected = {"agent": "live", "request": 2, "text": "Your tea is "}
        until(
            lambda: any(event.get("progress") == expected for event in api.get("/v1/executions/one/events")["events"])
        )
        events = api.get("/v1/executions/one/events")["events"]
        assert {"type": "status", "value": {"agent": "live", "request": 2}} in events
        lines: list[str] = []
        _print_changes(api.get("/v1/executions/one"), {}, lines.append)
        assert any('"text": "Your tea is "' in line for line in lines), lines
        assert not any(SECRET in line for line in lines)
        answered.set()
        ended = api.ends()
        assert ended["result"] == "Your tea is late."
    finally:
        answered.set()
        api.close()
