"""Large outcomes in a replay: read when they are applied, a few at the same time, and never all."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import pytest

from stepfast import step, workflow
from stepfast.errors import NonDeterministic
from stepfast.model import Execution, Record
from stepfast.replay.reading import AT_ONCE
from stepfast.replay.replay import Replay
from stepfast.stored_text import StoredText, text_of


class Bucket:
    """Values that are stored apart. read: their names, in the order of the reads. ahead: those read at once."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.ahead: list[int] = []

    def text(self, name: str, value: Any) -> StoredText:
        text = json.dumps(value)

        def read() -> str:
            self.read.append(name)
            return text

        digest = hashlib.sha256(text.encode()).hexdigest()
        return StoredText(read, len(text), digest, name, self._ahead)

    def _ahead(self, texts: Sequence[StoredText]) -> None:
        self.ahead.append(len(texts))


@step
def large(number: int) -> str:
    return "x" * number


@step
def store(text: str) -> int:
    return len(text)


@workflow("gathered")
async def gathered(count: int) -> int:
    return sum(map(len, await asyncio.gather(*(large(number) for number in range(count)))))


@workflow("raced")
async def raced() -> str:
    tasks = [asyncio.ensure_future(large(number)) for number in range(3)]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done.pop().result()


@workflow("stored")
async def stored() -> int:
    return await store("y" * 50)


def record(id: str, output: Any, at: float, **more: Any) -> Record:
    name = id.partition("#")[0]
    return Record(id, "step", name, "SUCCEEDED", 0, attempt=1, output=output, ended_at=at, **more)


def numbered(number: int) -> str:
    return "large" if number == 0 else f"large#{number + 1}"


def replayed(flow: Any, input: str, records: Sequence[Record], **more: Any) -> Replay:
    replay = Replay(flow, Execution("one", flow.name, input, 0.0))
    try:
        replay.advance({record.id: record for record in records}, **more)
    finally:
        replay.close()
    return replay


def test_each_outcome_is_read_once_as_it_is_applied_and_the_next_ones_at_the_same_time() -> None:
    bucket = Bucket()
    records = [record(numbered(number), bucket.text(str(number), "x"), float(number)) for number in range(20)]
    replay = replayed(gathered, "20", records, extend=True)
    assert replay.result == "20"
    assert bucket.read == [str(number) for number in range(20)]
    assert bucket.ahead == [AT_ONCE, AT_ONCE, 20 - 2 * AT_ONCE]


def test_outcomes_that_the_code_does_not_get_are_not_read() -> None:
    bucket = Bucket()
    records = [record(numbered(number), bucket.text(str(number), "x" * number), 9.0 - number) for number in range(3)]
    assert replayed(raced, "null", records, extend=True).result == '"xx"'
    assert bucket.read == ["2"]
    held = replayed(gathered, "3", records)  # nobody has chosen an order yet
    assert (held.finished, bucket.read) == (False, ["2"])


def test_an_input_that_is_the_same_is_not_read() -> None:
    bucket = Bucket()
    same = bucket.text("same", {"text": "y" * 50})
    compact = json.dumps({"text": "y" * 50}, separators=(",", ":"))
    exact = StoredText(lambda: pytest.fail("it is the same"), 60, hashlib.sha256(compact.encode()).hexdigest(), None)
    assert replayed(stored, "null", [record("store", "50", 1.0, input=exact)]).result == "50"
    assert replayed(stored, "null", [record("store", "50", 1.0, input=same)]).result == "50"
    assert bucket.read == ["same"]
    other = bucket.text("other", {"text": "z"})
    error = replayed(stored, "null", [record("store", "50", 1.0, input=other)]).error
    assert isinstance(error, NonDeterministic)
    assert "recorded with the input" in str(error)


def test_a_stored_text_equals_its_text() -> None:
    text = Bucket().text("a", [1])
    assert text == "[1]"
    assert text != "[2]"
    assert text == Bucket().text("b", [1])
    assert text != Bucket().text("a", [2])
    assert text != 5
    assert len({text, Bucket().text("c", [1])}) == 1
    assert [text_of(text), text_of("x"), text_of(None)] == ["[1]", "x", None]
    assert repr(text) == "<a stored text of 3 bytes>"
