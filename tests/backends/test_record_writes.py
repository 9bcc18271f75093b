"""The short statements write the rows that the full ones write, and are what ordinary steps are written by."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from stepfast.backends.sqlite import record_writes
from stepfast.backends.sqlite.file import SqliteFile
from stepfast.backends.sqlite.schema import LARGE_VALUE_CHARACTERS
from stepfast.backends.sqlite.store import SqliteBackend
from stepfast.engine.ports import Commit
from stepfast.model import Attempt, Chained, Execution, Failure, Record
from tests.contract.clock import FixedClock

CLAIM = Record(
    "pay", "step", "pay", "RUNNING", 0, attempt=1, token="t1", lease=1300.0, input="[1]", first_at=1200.0,
    started_at=1200.0,
)  # fmt: skip
RESULT = replace(CLAIM, status="SUCCEEDED", revision=2, lease=None, output='"paid"', ended_at=1201.0)
LARGE = '"' + "x" * LARGE_VALUE_CHARACTERS + '"'
OTHERS: dict[str, Any] = {
    "kind": "timer", "name": "charge", "status": "FAILED", "generation": 1, "attempt": 2, "interrupted": 1,
    "token": "t2", "lease": 1400.0, "due": 1500.0, "input": "[2]", "output": '"sent"',
    "error": Failure("ValueError", "no", "pay"), "first_at": 1100.0, "started_at": 1250.0, "ended_at": 1202.0,
    "then": Chained("next", 1400.0, 0, "digest", 1201.0), "signal": "s1",
    "attempts": (Attempt(1, 1200.0, 1201.0, Failure("ValueError", "no", "pay"), 1202.0),), "children": ("c",),
    "repair": "{}", "waited": "[]", "progress": "1",
}  # fmt: skip
"""By field of a record, a value that neither the claim nor the result has."""


class Owner:
    """A file with one execution, and the statements that write records to it."""

    def __init__(self, path: Path) -> None:
        self.backend = SqliteBackend(SqliteFile(path, "process"), FixedClock())
        asyncio.run(self.backend.create(Execution("one", "work", "1", 1000.0)))
        self.statements: list[str] = []
        self.backend._file._writer.set_trace_callback(self.statements.append)

    def write(self, record: Record) -> bool:
        return asyncio.run(self.backend.commit("one", Commit(record, wake=False))).record

    def stored(self) -> Record | None:
        peeked = asyncio.run(self.backend.peek("one", "pay"))
        return peeked[1] if peeked is not None else None

    def row(self) -> Any:
        return self.backend._file.row("SELECT * FROM commands", ())

    def columns(self) -> list[int]:
        """How many columns the writes of records have named, one after the other."""
        return [text.count(",") for text in self.statements if " commands " in text]


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path / "a.db")
    yield made
    made.backend.close()


def test_the_values_to_try_are_of_all_fields() -> None:
    assert {field.name for field in fields(Record)} == {"id", "revision", *OTHERS}
    assert all(value not in (getattr(CLAIM, name), getattr(RESULT, name)) for name, value in OTHERS.items())


@pytest.mark.parametrize("record", [CLAIM, replace(RESULT, revision=1)], ids=["claim", "result"])
@pytest.mark.parametrize("name", OTHERS)
def test_each_field_of_a_first_record_is_stored(owner: Owner, record: Record, name: str) -> None:
    changed = replace(record, **{name: OTHERS[name]})
    assert owner.write(changed)
    assert owner.stored() == changed


@pytest.mark.parametrize("name", OTHERS)
def test_each_field_that_a_result_changes_is_stored(owner: Owner, name: str) -> None:
    changed = replace(RESULT, **{name: OTHERS[name]})
    assert owner.write(CLAIM)
    assert owner.write(changed)
    assert owner.stored() == changed


@pytest.mark.parametrize("name", OTHERS)
def test_each_field_that_a_result_leaves_out_is_emptied(owner: Owner, name: str) -> None:
    assert owner.write(replace(CLAIM, **{name: OTHERS[name]}))
    assert owner.write(replace(RESULT, generation=1))
    assert owner.stored() == replace(RESULT, generation=1)


@pytest.mark.parametrize("name", ["input", "output"])
@pytest.mark.parametrize("record", [replace(RESULT, revision=1), RESULT], ids=["first", "over the claim"])
def test_a_large_value_is_stored_in_a_row_of_its_own(owner: Owner, record: Record, name: str) -> None:
    claim, changed = replace(CLAIM, **{"input": LARGE} if name == "input" else {}), replace(record, **{name: LARGE})
    assert record.revision == 1 or owner.write(claim)
    assert owner.write(changed)
    assert owner.stored() == changed
    assert owner.backend._file.row("SELECT count(*) FROM large_values", ()) == (1,)


@pytest.mark.parametrize("then", [None, OTHERS["then"]], ids=["alone", "chained"])
def test_the_rows_are_those_of_the_full_statements(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: Chained | None
) -> None:
    records = [CLAIM, replace(RESULT, then=then)]
    short = [owner.write(record) and owner.row() for record in records]
    monkeypatch.setattr(record_writes, "short_write", lambda *record: None)
    full = Owner(tmp_path / "full.db")
    assert short == [full.write(record) and full.row() for record in records]
    full.backend.close()
    assert max(owner.columns()) < min(full.columns())


def test_a_result_over_a_claim_of_an_earlier_process_is_stored(owner: Owner, tmp_path: Path) -> None:
    assert owner.write(CLAIM)
    owner.backend.close()
    later = Owner(tmp_path / "a.db")
    assert later.write(replace(RESULT, attempt=2))
    assert later.stored() == replace(RESULT, attempt=2)
    later.backend.close()


def test_a_second_claim_and_a_second_result_are_refused(owner: Owner) -> None:
    assert owner.write(CLAIM)
    assert not owner.write(replace(CLAIM, token="t2"))
    assert owner.write(RESULT)
    assert not owner.write(replace(RESULT, output='"twice"'))
    assert owner.stored() == RESULT


def test_a_claim_and_its_result_in_one_transaction_are_both_stored(owner: Owner) -> None:
    async def both() -> None:
        await asyncio.gather(*(owner.backend.commit("one", Commit(record, wake=False)) for record in (CLAIM, RESULT)))

    asyncio.run(both())
    assert owner.stored() == RESULT


def test_a_result_over_a_write_of_its_own_transaction_is_stored_whole(owner: Owner) -> None:
    longer = replace(CLAIM, revision=2, progress="1")
    result = replace(RESULT, revision=3)

    async def both() -> None:
        await asyncio.gather(*(owner.backend.commit("one", Commit(each, wake=False)) for each in (longer, result)))

    assert owner.write(CLAIM)
    asyncio.run(both())
    assert owner.stored() == result
