"""stepfast embedded, with the same work as its peers."""

from __future__ import annotations

import asyncio
import os

from bench.bed import Bed
from bench.peers.work import Engine, folder, put_through


async def main() -> None:
    bed = Bed(folder() / "stepfast.db")
    try:
        await put_through(
            Engine(
                sequence=lambda steps: asyncio.to_thread(bed.run, "sequence", steps),
                gather=lambda steps: asyncio.to_thread(bed.run, "gather", steps),
                many=lambda executions, steps: asyncio.to_thread(bed.run, "sequence", steps, "async", executions),
                processes=[os.getpid()],
            )
        )
    finally:
        bed.runtime.close()


if __name__ == "__main__":
    asyncio.run(main())
