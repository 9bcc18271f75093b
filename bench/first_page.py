"""What the first page of an execution costs the `api` function, by its commands: `python -m bench.first_page`.

The real handler in a process of its own, with a table that answers at once. Counted are its CPU time, its memory, its
calls and the items that it reads.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.aws_stub import Item, Stub, serving
from bench.aws_work import Process
from stepfast.backends.dynamodb import items, order_items
from stepfast.backends.dynamodb.listing_keys import listing_keys
from stepfast.backends.dynamodb.typed_json import text
from stepfast.model import Chained, Execution, Failure, OrderEntry, Record

BEGAN = 1_795_000_000.0
CALLS = 10
"""Requests of which the cheapest counts."""
TARGET = 2.0


@dataclass(frozen=True, slots=True)
class Cost:
    """cpu: seconds of a processor. peak: MB of the process, above what it takes before. calls, items: of the table."""

    cpu: float
    peak: float
    calls: int
    items: int
    commands: int
    notable: int


def numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}#{number}"


def wide(count: int, status: str) -> Iterator[Item]:
    """A gather: RUNNING while its last step runs, or FAILED by it."""
    ids = [numbered("noop", number) for number in range(1, count + 1)]
    execution = Execution("wide", "gather", str(count), BEGAN)
    for number, id in enumerate(ids):
        at = BEGAN + number / 1000
        record = Record(id, "step", "noop", "SUCCEEDED", 0, 2, 1, token="a" * 16, input=f'{{"number":{number}}}')
        record = replace(record, output=str(number), first_at=at, started_at=at, ended_at=at + 0.1)
        if id == ids[-1]:
            ends = {"RUNNING": {"output": None, "ended_at": None, "lease": at + 300}, "FAILED": {"output": None}}
            failure = Failure("ValueError", "no", "noop")
            error = failure if status == "FAILED" else None
            record = replace(record, status=status, error=error, **ends[status])  # type: ignore[arg-type]
        yield items.record_item("wide", record, at)
    yield order_items.entry_item("wide", OrderEntry(0, 0, dispatched=tuple(ids), seal="s"), BEGAN)
    if status == "FAILED":
        yield order_items.entry_item("wide", OrderEntry(1, 0, applied=tuple(ids), seal="t"), BEGAN)
        error = Failure("ValueError", "no", "noop")
        execution = replace(execution, status="FAILED", error=error, causes=(ids[-1],), ended_at=BEGAN + count)
    yield _meta(execution)


def long(count: int, status: str) -> Iterator[Item]:
    """A chain of steps, each claimed with the outcome of the one before; the last of them runs."""
    for number in range(1, count):
        at = BEGAN + number
        then = Chained(numbered("noop", number + 1), at + 300, 0, "d" * 64, at + 0.1)
        record = Record(numbered("noop", number), "step", "noop", "SUCCEEDED", 0, 2, 1, token="a" * 16, then=then)
        record = replace(record, input=f'{{"number":{number - 1}}}', output=str(number - 1))
        record = replace(record, first_at=at, started_at=at, ended_at=at + 0.1)
        yield items.record_item("wide", record, at)
    yield _meta(Execution("wide", "chain", str(count), BEGAN))


def _meta(execution: Execution) -> Item:
    keys = listing_keys(execution.execution_id, execution.status, execution.created_at, 8)
    return items.meta_item(execution, {"input": text(execution.input)}, keys, BEGAN)


SHAPES = (("gather, RUNNING", wide, "RUNNING"), ("gather, FAILED", wide, "FAILED"), ("chain, RUNNING", long, "RUNNING"))


def measured(held: Sequence[Item], query: str = "") -> Cost:
    """The cost of the first page, with the process and its code as warm as after some other request."""
    stub = _Counting(held)
    with serving(stub) as url, Process("api", url) as function:
        warm = function.call(_event("/v1/executions", ""))
        function.call(_event("/v1/executions/none", ""))
        replies = []
        for _ in range(CALLS):
            stub.called, stub.read = {}, 0
            replies.append(function.call(_event("/v1/executions/wide", query)))
        calls, read = sum(stub.called.values()), stub.read
    answer = replies[-1]["answer"]
    if answer["statusCode"] != 200:
        raise RuntimeError(f"the api function answers {answer['statusCode']}: {answer['body'][:300]}")
    body = json.loads(answer["body"])
    peak = (replies[-1]["peak_kb"] - warm["peak_kb"]) / 1024
    cpu = min(reply["cpu"] for reply in replies)
    return Cost(cpu, peak, calls, read, len(body["commands"]), len(body.get("notable", ())))


class _Counting(Stub):
    """read: items that answers held, or that were counted."""

    def __init__(self, held: Sequence[Item]) -> None:
        super().__init__(held)
        self.read = 0

    def answer(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer = super().answer(operation, asked)
        items_got = sum(map(len, answer.get("Responses", {}).values())) + ("Item" in answer)
        self.read += answer.get("ScannedCount", items_got)
        return answer


def _event(path: str, query: str) -> dict[str, Any]:
    context = {"http": {"method": "GET", "path": path}, "stage": "$default"}
    context["authorizer"] = {"lambda": {"key": "bench", "scopes": "read"}}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "example.com"},
        "requestContext": context,
        "isBase64Encoded": False,
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.first_page", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000, 20_000, 100_000])
    asked = parser.parse_args()
    worst = 0.0
    for name, shape, status in SHAPES:
        print(
            f"{name}\n{'commands':>9} {'CPU ms':>8} {'ratio':>6} {'MB':>6} {'calls':>6} {'items':>6} {'shown':>6} first"
        )
        first: Cost | None = None
        for size in asked.sizes:
            cost = measured(list(shape(size, status)))
            first = first or cost
            ratio = cost.cpu / first.cpu
            worst = max(worst, ratio if size > 1000 else 0.0)
            print(
                f"{size:9} {1000 * cost.cpu:8.1f} {ratio:6.2f} {cost.peak:6.1f} {cost.calls:6} {cost.items:6} "
                f"{cost.commands:6} {cost.notable:5}",
                flush=True,
            )
    print(f"longest of more than 1,000 commands to the shortest: {worst:.2f} times; target {TARGET:g}")
    return 0 if worst <= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
