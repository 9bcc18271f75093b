"""DBOS Transact as configured by default, on its SQLite database, or on PostgreSQL if the second argument says so."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from contextlib import ExitStack
from typing import Any

from bench.peers import calls, postgres, work
from bench.peers.work import TIMER_SECONDS, Engine, batches, folder, put_through

dbos: Any = importlib.import_module("dbos")
DBOS: Any = dbos.DBOS


async def _noop(number: int) -> int:
    return number


noop: Any = DBOS.step(name="noop")(_noop)


async def _sequence(steps: int) -> int:
    total = 0
    for number in range(steps):
        total += await noop(number)
    return total


async def _gather(steps: int) -> int:
    return sum(await asyncio.gather(*(noop(number) for number in range(steps))))


sequence: Any = DBOS.workflow(name="sequence")(_sequence)
gather: Any = DBOS.workflow(name="gather")(_gather)


async def _batch(start: int, stop: int) -> int:
    return sum(await asyncio.gather(*(noop(number) for number in range(start, stop))))


batch: Any = DBOS.workflow(name="batch")(_batch)


async def _in_batches(items: int) -> int:
    """A child workflow for each batch; they run at the same time."""
    handles = [await DBOS.start_workflow_async(batch, start, stop) for start, stop in batches(items)]
    return sum([await handle.get_result() for handle in handles])


in_batches: Any = DBOS.workflow(name="in_batches")(_in_batches)


# -- the report of bench/realistic.py ----------------------------------------------------------------------------------

call_out: Any = DBOS.step(name="call_out", retries_allowed=True, max_attempts=3, interval_seconds=0.1)(calls.call_out)
render: Any = DBOS.step(name="render")(work.render)


async def _report(number: int) -> str:
    sales, costs = await asyncio.gather(noop(number), noop(number))
    total = await call_out(number, sales + costs)
    await DBOS.sleep_async(TIMER_SECONDS)
    result: str = await render(total)
    return result


report: Any = DBOS.workflow(name="report")(_report)


async def many(executions: int, steps: int) -> None:
    async def run_execution() -> None:
        await sequence(steps)

    await asyncio.gather(*(run_execution() for _ in range(executions)))


async def main() -> None:
    with ExitStack() as stack:
        database = f"sqlite:///{folder() / 'dbos.sqlite'}"
        if sys.argv[2:] == ["postgres"]:
            database = stack.enter_context(postgres.server(folder()))
        DBOS(
            config={
                "name": "bench",
                "system_database_url": database,
                "log_level": "ERROR",
                "run_admin_server": False,
            }
        )
        DBOS.launch()
        stack.callback(DBOS.destroy)
        maps = {"steps of a gather": gather, "child workflows of 500": in_batches}
        await put_through(Engine(sequence, gather, many, [os.getpid()], maps, report))


if __name__ == "__main__":
    asyncio.run(main())
