"""How reads fare while thousands of connections are open: `python -m bench.connections`.

A `stepfast dev` of its own serves one client alone, and then the same client beside idle connections and busy ones. The
number that counts is the ratio of the two, within one run on one machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.dev import dev_server

WORKFLOW = """
from stepfast import workflow

@workflow("nothing")
async def nothing(number: int) -> int:
    return number
"""
READ = b"GET /v1/executions/asked?commands=false HTTP/1.1\r\nHost: localhost\r\n\r\n"
OPENED = 100
"""Connections that are opened at a time."""


@dataclass
class Load:
    """What the server has open besides the one client whose reads are timed.

    rate: requests a second of all busy connections together, of which one in ten starts an execution.
    """

    idle: int = 2000
    busy: int = 500
    rate: float = 60.0
    reads: int = 400
    seed: int = 1


@dataclass
class Figures:
    """Seconds that reads took, alone and under load; how many requests of the busy ones were answered and how."""

    alone: list[float] = field(default_factory=list)
    loaded: list[float] = field(default_factory=list)
    answered: int = 0
    failed: int = 0
    still_open: int = 0

    @property
    def ratio(self) -> float:
        return percentile(self.loaded, 99) / percentile(self.alone, 99)


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


class Caller:
    """One keep-alive connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> int:
        """The status of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        await self._reader.readexactly(int(length[1]) if length else 0)
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        self._writer.close()


async def measure(host: str, port: int, load: Load) -> Figures:
    """Times reads at a running server, alone and under load."""
    figures, seeded = Figures(), random.Random(load.seed)

    async def connect() -> Caller:
        return Caller(*await asyncio.open_connection(host, port))

    async def connect_many(count: int) -> list[Caller]:
        made: list[Caller] = []
        while len(made) < count:
            made += await asyncio.gather(*(connect() for _ in range(min(OPENED, count - len(made)))))
        return made

    client = await connect()
    await client.ask(_start("asked"))
    await _time(client, load.reads // 4, figures.alone, pause=0.0)
    figures.alone.clear()  # the first ones find nothing warmed up
    await _time(client, load.reads, figures.alone, pause=0.01)
    idle, busy = await connect_many(load.idle), await connect_many(load.busy)
    for caller in idle:
        assert await caller.ask(READ) == 200
    stop = asyncio.Event()
    pause = load.busy / load.rate if load.busy else 0.0
    working = [
        asyncio.create_task(_work(caller, number, pause, seeded, stop, figures)) for number, caller in enumerate(busy)
    ]
    await asyncio.sleep(1.0)
    await _time(client, load.reads, figures.loaded, pause=0.01)
    stop.set()
    await asyncio.gather(*working)
    for caller in idle:
        figures.still_open += await caller.ask(READ) == 200
    for caller in (client, *idle, *busy):
        caller.close()
    return figures


def _start(execution_id: str) -> bytes:
    body = b'{"input": 1, "execution_id": "%s"}' % execution_id.encode()
    head = b"POST /v1/workflows/nothing/executions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def _time(client: Caller, reads: int, taken: list[float], pause: float) -> None:
    for _ in range(reads):
        begun = time.perf_counter()
        assert await client.ask(READ) == 200
        taken.append(time.perf_counter() - begun)
        await asyncio.sleep(pause)


async def _work(
    caller: Caller, number: int, pause: float, seeded: random.Random, stop: asyncio.Event, figures: Figures
) -> None:
    turn = 0
    while True:
        try:
            await asyncio.wait_for(stop.wait(), seeded.expovariate(1 / pause))
            return
        except TimeoutError:
            turn += 1
        request = _start(f"busy-{number}-{turn}") if seeded.random() < 0.1 else READ
        try:
            ok = await caller.ask(request) in (200, 201)
        except (OSError, asyncio.IncompleteReadError):
            ok = False
        figures.answered += ok
        figures.failed += not ok
        if not ok:
            return


def run(load: Load) -> Figures:
    """Serves and measures."""
    _allow(load.idle + load.busy + 100)
    with tempfile.TemporaryDirectory() as folder, dev_server(Path(folder), WORKFLOW) as served:
        return asyncio.run(measure("127.0.0.1", served.port, load))


def _allow(descriptors: int) -> None:
    if os.name == "posix":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < descriptors:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(descriptors, hard), hard))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.connections", description=__doc__)
    load = Load()
    for name in ("idle", "busy", "reads"):
        parser.add_argument(f"--{name}", type=int, default=getattr(load, name))
    parser.add_argument("--rate", type=float, default=load.rate, help="requests a second of the busy ones together")
    asked = parser.parse_args()
    figures = run(Load(asked.idle, asked.busy, asked.rate, asked.reads))
    for name, values in (("alone", figures.alone), ("under load", figures.loaded)):
        print(f"{name:<11} p50 {percentile(values, 50) * 1000:7.2f} ms   p99 {percentile(values, 99) * 1000:7.2f} ms")
    print(f"p99 under load is {figures.ratio:.1f} times that of one client (target: below 10)")
    print(
        f"busy requests answered: {figures.answered}, failed: {figures.failed}; idle still open: {figures.still_open}"
    )
    return 0 if figures.ratio < 10 and not figures.failed and figures.still_open == asked.idle else 1


if __name__ == "__main__":
    raise SystemExit(main())
