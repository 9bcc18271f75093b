"""From a start over HTTP to its result, one no-op step, by many clients at once: `python -m bench.http_starts`.

A `stepfast dev` of its own serves clients with a kept connection each. Each client starts an execution and asks for its
end, which the server answers when it has come, and then starts the next. With one client it shows the shortest time.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import tempfile
import time
from pathlib import Path

from bench.connections import percentile
from bench.dev import dev_server

WORKFLOW = """
from stepfast import step, workflow

@step
async def noop(number: int) -> int:
    return number

@workflow("one")
async def one(number: int) -> int:
    return await noop(number)
"""
WARM = 5
"""Executions of each client that are not counted."""
WAIT_SECONDS = 20


class Client:
    """One kept connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, head: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer."""
        lines = [head, "Host: localhost", "Content-Type: application/json", f"Content-Length: {len(body)}"]
        self._writer.write("\r\n".join([*lines, f"Prefer: wait={WAIT_SECONDS}", "", ""]).encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", answer)
        return int(answer.split(b" ", 2)[1]), await self._reader.readexactly(int(length[1]) if length else 0)

    async def run(self, execution_id: str) -> float:
        """Starts an execution; the seconds until its result has come. Raises RuntimeError."""
        began = time.perf_counter()
        status, said = await self.ask(
            "POST /v1/workflows/one/executions HTTP/1.1", b'{"input": 1, "execution_id": "%s"}' % execution_id.encode()
        )
        if status not in (200, 201, 202):
            raise RuntimeError(f"the start was answered with {status}: {said[:200]!r}")
        status, said = await self.ask(f"GET /v1/executions/{execution_id}?commands=false HTTP/1.1")
        if status != 200 or b'"SUCCEEDED"' not in said:
            raise RuntimeError(f"the result was answered with {status}: {said[:200]!r}")
        return time.perf_counter() - began

    def close(self) -> None:
        self._writer.close()


async def measure(port: int, clients: int, executions: int, prefix: str) -> list[float]:
    """The seconds of all executions of all clients but the first ones of each."""

    async def work(number: int) -> list[float]:
        client = Client(*await asyncio.open_connection("127.0.0.1", port))
        taken = [await client.run(f"{prefix}-{number}-{turn}") for turn in range(WARM + executions)]
        client.close()
        return taken[WARM:]

    return [seconds for taken in await asyncio.gather(*map(work, range(clients))) for seconds in taken]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.http_starts", description=__doc__)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--executions", type=int, default=40, help="of each client")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, dev_server(Path(folder), WORKFLOW) as served:
        for clients, executions in ((1, 200), (asked.clients, asked.executions)):
            cpu, began = served.cpu(), time.perf_counter()
            taken = asyncio.run(measure(served.port, clients, executions, f"of-{clients}"))
            whole = clients * (executions + WARM)
            rate, spent = whole / (time.perf_counter() - began), 1000 * (served.cpu() - cpu) / whole
            print(
                f"{clients:>3} clients: p50 {1000 * statistics.median(taken):6.1f} ms, "
                f"p99 {1000 * percentile(taken, 99):6.1f} ms, {rate:,.0f} executions/s, {spent:.2f} ms of CPU each"
            )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
