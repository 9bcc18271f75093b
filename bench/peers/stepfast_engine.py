"""stepfast embedded, with the same work as its peers. Python's collector is set as `stepfast dev` sets it."""

from __future__ import annotations

import asyncio
import itertools
import os

from bench.bed import Bed
from bench.map import ended, mapped
from bench.peers.work import Engine, folder, put_through
from stepfast.collector import spare
from stepfast.language.registry import Registry
from stepfast.local.runtime import Runtime

numbers = itertools.count()


async def _map(runtime: Runtime, items: int) -> None:
    file = folder() / f"{next(numbers)}.jsonl"
    with file.open("w") as out:
        out.writelines(f"{number}\n" for number in range(items))
    await asyncio.to_thread(ended, runtime, "mapped", str(file), file.stem)


async def main() -> None:
    spare()
    bed = Bed(folder() / "stepfast.db")
    maps = Runtime(Registry([mapped]), folder() / "maps.db")
    try:
        await put_through(
            Engine(
                sequence=lambda steps: asyncio.to_thread(bed.run, "sequence", steps),
                gather=lambda steps: asyncio.to_thread(bed.run, "gather", steps),
                many=lambda executions, steps: asyncio.to_thread(bed.run, "sequence", steps, "async", executions),
                processes=[os.getpid()],
                maps={"map_items": lambda items: _map(maps, items)},
            )
        )
    finally:
        bed.runtime.close()
        maps.close()


if __name__ == "__main__":
    asyncio.run(main())
