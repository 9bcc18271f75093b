"""map_items() in both kits: batches, reports, failures and resumes."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from stepfast import Csv, JsonLines, MapFailed, MapReport, Retry, map_items, step, workflow
from stepfast.simulator import resources
from stepfast.simulator.provision import BUCKET
from stepfast.testing import Environment, MotoCloud

KITS: list[Any] = [Environment, MotoCloud]
RUN: list[int] = []
BROKEN: set[int] = set()


@pytest.fixture(autouse=True)
def _fresh() -> None:
    RUN.clear()
    BROKEN.clear()


class Order(BaseModel):
    id: int
    note: str | None = None


class Options(BaseModel):
    items: list[Order] | None = None
    path: str = ""
    concurrency: int | None = None
    tolerate: int | float = 0
    batch: int = 3


@step(retry=Retry(max_attempts=1))
def double(order: Order) -> int:
    RUN.append(order.id)
    if order.id in BROKEN:
        raise ValueError(f"{order.id} is broken")
    return 2 * order.id


@workflow("mapped-orders")
async def mapped(options: Options) -> MapReport[int]:
    items: Any = options.items
    if items is None:
        items = Csv(options.path) if options.path.endswith(".csv") else JsonLines(options.path)
    return await map_items(
        double, items, concurrency=options.concurrency, tolerate=options.tolerate, batch=options.batch
    )


@workflow("summed-orders")
async def summed(options: Options) -> list[int]:
    report = await map_items(double, options.items or [], batch=options.batch, tolerate=options.tolerate)
    return [result async for result in report.results]


def orders(count: int) -> list[Order]:
    return [Order(id=number) for number in range(count)]


@pytest.mark.parametrize(("kit", "concurrency"), [*((Environment, lanes) for lanes in (None, 1, 2, 5)), (MotoCloud, 2)])
def test_every_item_runs_once_in_batches_that_are_children(kit: Any, concurrency: int | None) -> None:
    with kit(mapped) as env:
        run = env.run(mapped, Options(items=orders(7), concurrency=concurrency))
        report = run.result
    assert (report.succeeded, report.failed, report.tolerated, report.failures) == (7, 0, 0, ())
    assert sorted(RUN) == list(range(7))
    assert [batch.succeeded for batch in report.results.batches] == [3, 3, 1]
    assert len({batch.batch_id for batch in report.results.batches}) == 3


@pytest.mark.parametrize("kit", KITS)
def test_results_come_in_the_order_of_the_items(kit: Any) -> None:
    BROKEN.add(4)
    with kit(summed) as env:
        assert env.run(summed, Options(items=orders(6), tolerate=1)).result == [0, 2, 4, 6, 10]


@pytest.mark.parametrize("kit", KITS)
def test_an_empty_list_is_mapped_at_once(kit: Any) -> None:
    with kit(mapped) as env:
        assert env.run(mapped, Options(items=[])).result.total == 0


@pytest.mark.parametrize("kit", KITS)
def test_a_resume_runs_what_failed_and_nothing_else(kit: Any) -> None:
    BROKEN.update((1, 4, 5))
    with kit(mapped) as env:
        run = env.run(mapped, Options(items=orders(6)))
        assert run.status == "FAILED"
        assert run.error.type == "MapFailed"
        assert run.error.message == (
            "map_items(double): 3 of 6 items failed, and 0 may fail: item 1: ValueError: 1 is broken; "
            "item 4: ValueError: 4 is broken; item 5: ValueError: 5 is broken"
        )
        assert sorted(RUN) == list(range(6))
        RUN.clear()
        BROKEN.discard(4)
        env.resume(run)
        env.run_until(run)
        assert (run.status, sorted(RUN)) == ("FAILED", [1, 4, 5])
        RUN.clear()
        BROKEN.clear()
        env.resume(run)
        report = env.run_until(run).result
    assert sorted(RUN) == [1, 5]
    assert (report.succeeded, report.failed) == (6, 0)


TOLERATED = [(0, False), (1, False), (2, True), (0.19, False), (0.2, True), (1.0, True)]


@pytest.mark.parametrize(
    ("kit", "tolerate", "passes"), [*((Environment, *case) for case in TOLERATED), (MotoCloud, 0.2, True)]
)
def test_tolerated_failures_are_reported_with_their_ids(kit: Any, tolerate: float, passes: bool) -> None:
    BROKEN.update((1, 9))
    with kit(mapped) as env:
        run = env.run(mapped, Options(items=orders(10), tolerate=tolerate))
        assert run.status == ("SUCCEEDED" if passes else "FAILED")
        if passes:
            report = run.result
            assert (report.succeeded, report.failed, report.tolerated) == (8, 2, 2)
            assert [(f.item, f.error_type, f.message, f.command_id) for f in report.failures] == [
                (1, "ValueError", "1 is broken", "double#1"),
                (9, "ValueError", "9 is broken", "double#9"),
            ]
            assert report.failures[0].batch_id == report.results.batches[0].batch_id


@pytest.mark.parametrize("kit", KITS)
def test_of_very_many_failures_all_are_counted_and_no_more_are_held_than_listed(
    kit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stepfast.language.map_items.MAX_FAILURES", 4)
    BROKEN.update(range(3, 15))
    with kit(mapped) as env:
        run = env.run(mapped, Options(items=orders(18), tolerate=12, batch=3, concurrency=1))
        assert (run.result.succeeded, run.result.failed, run.result.tolerated) == (6, 12, 12)
        assert [failure.item for failure in run.result.failures] == [3, 4, 5, 6]
        recorded = [event.details["output"] for event in run.history if event.type == "step-succeeded"]
    assert [(held["failed"], len(held["failures"])) for held in recorded] == [(3, 3), (3, 1), (3, 0), (3, 0)]


@pytest.mark.parametrize("kit", KITS)
def test_a_bad_line_is_named_with_what_is_wrong(kit: Any, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    lines = [json.dumps({"id": number}) for number in range(1, 8)]
    lines[4], lines[5] = "{id: 5}", '{"id": "six"}'
    file.write_text("\n".join(lines))
    with kit(mapped) as env:
        report = env.run(mapped, Options(path=str(file), tolerate=2)).result
        assert (report.succeeded, report.tolerated) == (5, 2)
        assert [(f.item, f.error_type, f.command_id) for f in report.failures] == [
            (5, "InvalidItem", None),
            (6, "InvalidItem", None),
        ]
        assert report.failures[0].message == "is not JSON: key must be a string at column 2"
        assert "id: Input should be a valid integer" in report.failures[1].message
        assert sorted(RUN) == [1, 2, 3, 4, 7]
        run = env.run(mapped, Options(path=str(file), tolerate=1))
        assert "2 of 7 items failed, and 1 may fail: line 5: InvalidItem: is not JSON" in run.error.message


@pytest.mark.parametrize("kit", KITS)
def test_a_csv_row_becomes_an_item_of_its_type(kit: Any, tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text('id,note\n1,"a, b"\n2,\nx,\n')
    with kit(mapped) as env:
        report = env.run(mapped, Options(path=str(file), tolerate=1)).result
    assert (report.succeeded, [f.item for f in report.failures], sorted(RUN)) == (2, [4], [1, 2])


@pytest.mark.parametrize("kit", KITS)
def test_a_missing_file_fails_the_map_and_a_resume_reads_it_once_it_is_there(kit: Any, tmp_path: Path) -> None:
    file = tmp_path / "late.jsonl"
    with kit(mapped) as env:
        run = env.run(mapped, Options(path=str(file)))
        assert f"map_items(double): {file} cannot be read: No such file" in run.error.message
        file.write_text('{"id": 1}\n')
        env.resume(run)
        assert env.run_until(run).result.succeeded == 1


def test_a_file_in_a_bucket_is_read_in_parts() -> None:
    with MotoCloud(mapped) as cloud:
        s3 = resources.client("s3")
        s3.put_object(Bucket=BUCKET, Key="in/orders.jsonl", Body=b'{"id": 1}\n{"id": 2}\n{"id": 3}\n{"id": 4}\n')
        run = cloud.run(mapped, Options(path=f"s3://{BUCKET}/in/orders.jsonl"))
        assert (run.result.succeeded, sorted(RUN)) == (4, [1, 2, 3, 4])
        run = cloud.run(mapped, Options(path=f"s3://{BUCKET}/in/none.jsonl"))
        assert run.error is not None
        assert "none.jsonl cannot be read: it does not exist, or the role lacks s3:GetObject on it" in run.error.message


def test_map_failed_survives_pickle_with_its_report() -> None:
    import pickle

    failed = pickle.loads(pickle.dumps(MapFailed("text", MapReport[int](1, 2, 0))))
    assert (str(failed), failed.report.failed) == ("text", 2)


@pytest.mark.parametrize("kit", KITS)
def test_line_70_000_of_a_file_is_the_bad_one(kit: Any, tmp_path: Path) -> None:
    """The parts of a file are many here: blank lines count as lines, so that only the numbers are large."""
    file, lines = tmp_path / "orders.jsonl", [""] * 70_002
    for number in (1, 34_999, 35_000, 69_999, 70_001, 70_002):
        lines[number - 1] = json.dumps({"id": number})
    lines[70_000 - 1] = '{"id": 70000'
    file.write_text("\n".join(lines))
    with kit(mapped) as env:
        run = env.run(mapped, Options(path=str(file), batch=10_000))
        assert "1 of 7 items failed, and 0 may fail: line 70,000: InvalidItem: is not JSON" in run.error.message
        assert sorted(RUN) == [1, 34_999, 35_000, 69_999, 70_001, 70_002]
        report = env.run(mapped, Options(path=str(file), batch=10_000, tolerate=1)).result
    assert (report.succeeded, [failure.item for failure in report.failures]) == (6, [70_000])
