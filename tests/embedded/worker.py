"""A process of an application: `python -m tests.embedded.worker FILE`.

It prints a line once its engine is open, and then answers each line of its input: a call of the engine, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from typing import Any

from opentelemetry import trace

import stepfast
from tests.embedded.flows import approval, order, relay

CALLER = trace.SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, True, trace.TraceFlags(1))


async def answer(engine: stepfast.Embedded, call: list[Any]) -> Any:
    match call:
        case ["start", name, value, execution_id]:
            return (await engine.start(name, value, execution_id)).created
        case ["start_traced", name, value, execution_id]:
            with trace.use_span(trace.NonRecordingSpan(CALLER)):
                return (await engine.start(name, value, execution_id)).created
        case ["caller_of", execution_id]:  # as the file has it
            with sqlite3.connect(f"file:{engine.path}?mode=ro", uri=True) as db:
                sql = "SELECT traceparent FROM executions WHERE execution_id = ?"
                return db.execute(sql, (execution_id,)).fetchone()[0]
        case ["result", execution_id]:
            return await engine.execution(execution_id).result(120)
        case ["signal", execution_id, name, signal_id]:
            return (await engine.execution(execution_id).signal(name, None, signal_id))["signal_id"]
        case ["waits", execution_id]:
            commands = (await engine.execution(execution_id).commands(status="OPEN"))["commands"]
            return [command["kind"] for command in commands]
        case ["is_owner"]:
            return engine.is_owner
    raise AssertionError(call)


async def main(path: str) -> None:
    async with stepfast.Embedded(path, workflows=[order, approval, relay], durability="process", grace=0) as engine:
        print(json.dumps("open"), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps(await answer(engine, json.loads(line))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
