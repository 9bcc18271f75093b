"""Each row of the table, as a step's result and argument, a workflow's input and a signal's payload."""

from __future__ import annotations

import json
import sys
import warnings
from typing import Any

import pytest
from pydantic import TypeAdapter

from stepfast.errors import DefinitionError, NotStorable
from stepfast.language.steps import Step, step
from stepfast.language.workflows import Workflow, workflow
from stepfast.values.codec import Codec
from tests.values import kinds
from tests.values.facts import facts
from tests.values.rows import DEFINITION, ROWS, SAME, VALIDATED, Row
from tests.values.table import DOCUMENT, written

HERE = [row for row in ROWS if row.since <= sys.version_info[:2] <= row.until]
NAMES = [f"{row.type}-{row.value}"[:80].replace("\n", ";") for row in HERE]
REFUSED = [(row, name) for row, name in zip(HERE, NAMES, strict=True) if row.outcome not in (SAME, VALIDATED)]


def read(text: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydantic: what it says of ReadOnly is its own business
        return eval(text, vars(kinds))


def made(row: Row) -> tuple[Step[..., Any], Workflow[..., Any], Codec, Any]:
    """A step that takes and returns the type, a workflow that takes it, and the codec of a signal of it."""
    annotation = read(row.type)

    async def take(value: Any) -> Any: ...
    async def takes(value: Any) -> Any: ...

    for function in (take, takes):
        function.__annotations__ = {"value": annotation, "return": annotation}
    taken = Codec(annotation, "signal 'go': payload")
    return step(take), workflow("takes")(takes), taken, annotation


FULL = (kinds.Made, kinds.Grown, kinds.Dog)


def _as_sent(expected: Any, value: Any) -> Any:
    """What a factory made, and what tells a union's members apart, is sent, so it counts as set at the other end."""
    return facts(type(value)(**value.model_dump())) if isinstance(value, FULL) else expected


@pytest.fixture(autouse=True)
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@pytest.mark.parametrize(
    ("row", "name"), [(row, name) for row, name in zip(HERE, NAMES, strict=True) if row.outcome in (SAME, VALIDATED)]
)
def test_it_comes_back_equal_in_type_and_behaviour(row: Row, name: str) -> None:
    taking_step, flow, payload, annotation = made(row)
    value = read(row.value)
    expected = facts(value if row.outcome == SAME else TypeAdapter(annotation).validate_python(read(row.value)))
    for codec in (taking_step.result, flow.input, payload):
        text = codec.text(value)
        assert facts(codec.decode(text)) == expected
        assert facts(codec.encode(value)[1]) == expected
        assert codec.stored(text.rstrip()) == codec.stored(codec.stored(text.rstrip()).rstrip())
    sent = flow.input.sendable(value)
    assert facts(flow.input.decode(json.dumps(sent))) == _as_sent(expected, value)
    bound = taking_step.arguments.decode(taking_step.arguments.encode(taking_step.arguments.bind((value,), {})))
    assert facts(bound.args[0]) == expected


@pytest.mark.parametrize(("row", "name"), REFUSED, ids=[name for _, name in REFUSED])
def test_it_is_refused_with_its_path(row: Row, name: str) -> None:
    taking_step, flow, payload, _ = made(row)
    kind = DefinitionError if row.outcome == DEFINITION else NotStorable
    for codec, where in ((taking_step.result, "result"), (flow.input, "input"), (payload, "payload")):
        with pytest.raises(kind, match=f": {where}") as refused:
            codec.text(read(row.value))
        if isinstance(refused.value, NotStorable):
            assert refused.value.path == row.outcome
            with pytest.raises(NotStorable):
                codec.encode(read(row.value))
    if row.outcome == DEFINITION:
        with pytest.raises(DefinitionError, match=": argument"):
            taking_step.arguments.check()
        return
    value = taking_step.arguments.bind((read(row.value),), {})
    with pytest.raises(NotStorable, match=": argument") as refused_argument:
        taking_step.arguments.encode(value)
    assert refused_argument.value.path == f".value{row.outcome}"


def test_the_documents_table_has_these_rows() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    assert len(ROWS) >= 120
    assert document == written(document), "run python -m tests.values.table"
