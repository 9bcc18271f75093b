"""What is recorded of one execution, for whoever replays it elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from stepfast.engine import recorded_json
from stepfast.engine.recordings import PIECE_CHARACTERS, RecordingPage
from stepfast.http.auth import needs
from stepfast.http.engine import ApiEngine, answers, reply
from stepfast.http.models import ID
from stepfast.http.recording_models import LargeValue, RecordingView, ValuePieceView
from stepfast.http.resolver import Resolver
from stepfast.http.routes.executions import NO_SUCH, Run
from stepfast.http.values import size_of
from stepfast.stored_text import Text, text_of

Id = Annotated[str, Path(pattern=ID, description="the execution's id")]


def add(app: Resolver, engine: ApiEngine) -> None:
    @app.get(
        "/v1/executions/<execution_id>/recording",
        summary="What is recorded of an execution, by the page",
        description="All of a run in the form in which it is stored, with all values: what `stepfast verify` replays "
        "and `stepfast pull` copies. Commands come first, the execution and its order with the last page. "
        "Start again where a page has another run or generation than the page before. The fields may change from "
        "version to version.",
        operation_id="getRecording",
        tags=["executions"],
        responses=answers((200, "a page of it", RecordingView), problems_of=NO_SUCH),
    )
    @needs("read")
    def recording(
        execution_id: Id,
        cursor: Annotated[str | None, Query(max_length=4096, description="a page's `next`")] = None,
        run: Run = None,
    ) -> Response[str]:
        return reply(200, _view(engine.call(engine.operations.recording(execution_id, cursor, run))))

    @app.get(
        "/v1/executions/<execution_id>/recording/value",
        summary="A large value of a recording, by the piece",
        operation_id="getRecordedValue",
        tags=["executions"],
        responses=answers((200, "a piece of it", ValuePieceView), problems_of=NO_SUCH),
    )
    @needs("read")
    def value(
        execution_id: Id,
        name: Annotated[Literal["input", "output", "result"], Query(description="which value")],
        command: Annotated[
            str | None, Query(min_length=1, max_length=4096, description="whose; the execution's by default")
        ] = None,
        offset: Annotated[int, Query(ge=0, description="an earlier piece's `next`")] = 0,
        run: Run = None,
    ) -> Response[str]:
        piece = engine.call(engine.operations.recorded_value(execution_id, command, name, offset, run))
        return reply(200, ValuePieceView(text=piece.text, next=piece.next))


def _view(page: RecordingPage) -> RecordingView:
    large: list[LargeValue] = []

    def fitted(command: str | None, fields: Mapping[str, Any], *names: str) -> dict[str, Any]:
        texts: dict[str, Text | None] = {name: fields[name] for name in names}
        above = [name for name, text in texts.items() if text is not None and _is_large(text)]
        large.extend(LargeValue(command=command, name=name) for name in above)
        return {**fields, **{name: None if name in above else text_of(text) for name, text in texts.items()}}

    return RecordingView(
        run=page.run,
        generation=page.generation,
        records=[fitted(record.id, recorded_json.record_values(record), "input", "output") for record in page.records],
        signals=[recorded_json.values_of(signal) for signal in page.signals],
        history=[recorded_json.event_values(event) for event in page.history],
        execution=page.execution and fitted(None, recorded_json.values_of(page.execution), "input", "result"),
        order=page.order and recorded_json.order_values(page.order),
        large=large,
        next=page.next,
    )


def _is_large(text: Text) -> bool:
    size = size_of(text)
    return size is None or size > PIECE_CHARACTERS
