"""The Restate server with its Python SDK: a server, a service endpoint and this client, all on loopback.

CPU and memory are the server's and the endpoint's; this client's own are left out.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.peers.calls import call_out
from bench.peers.work import RESULT_BYTES, TIMER_SECONDS, Engine, batches, folder, free_port, put_through, render

REQUEST_TIMEOUT_SECONDS = 120.0


def endpoint(port: int) -> None:
    """Serves the workflows, in a process of its own."""
    restate: Any = importlib.import_module("restate")
    hypercorn: Any = importlib.import_module("hypercorn.asyncio")
    configuration: Any = importlib.import_module("hypercorn.config")

    async def noop(number: int) -> int:
        return number

    async def sequence(context: Any, steps: int) -> int:
        return sum([await context.run_typed("noop", noop, number=number) for number in range(steps)])

    async def gather(context: Any, steps: int) -> int:
        running = [context.run_typed("noop", noop, number=number) for number in range(steps)]
        return sum([await running_step for running_step in await restate.gather(*running)])

    async def batch(context: Any, bounds: list[int]) -> int:
        running = [context.run_typed("noop", noop, number=number) for number in range(*bounds)]
        return sum([await running_step for running_step in await restate.gather(*running)])

    async def in_batches(context: Any, items: int) -> int:
        called = [context.service_call(served["batch"], arg=list(bounds)) for bounds in batches(items)]
        return sum([await answer for answer in await restate.gather(*called)])

    async def report(context: Any, number: int) -> str:
        reads = [context.run_typed(name, noop, number=number) for name in ("sales", "costs")]
        sales, costs = [await read for read in await restate.gather(*reads)]
        tries = restate.RunOptions(max_attempts=3, initial_retry_interval=timedelta(seconds=0.1))
        total = await context.run_typed("call_out", call_out, tries, number=number, total=sales + costs)
        await context.sleep(timedelta(seconds=TIMER_SECONDS))
        result: str = await context.run_typed("render", render, total=total)
        return result

    service = restate.Service("bench")
    served: dict[str, Any] = {}
    for handler in (sequence, gather, batch, in_batches, report):
        handler.__annotations__["context"] = restate.Context
        served[handler.__name__] = service.handler()(handler)
    config = configuration.Config()
    config.bind = [f"127.0.0.1:{port}"]
    asyncio.run(hypercorn.serve(restate.app(services=[service]), config))


async def main() -> None:
    httpx: Any = importlib.import_module("httpx")
    ports = [free_port() for _ in range(4)]
    ingress, admin, node, served = ports
    with ExitStack() as stack:
        server = stack.enter_context(_process("server", [sys.argv[2]], _settings(ingress, admin, node)))
        command = [sys.executable, "-m", "bench.peers.restate_engine", str(folder()), "", str(served)]
        service = stack.enter_context(_process("endpoint", command, {}))
        async with httpx.AsyncClient(
            timeout=REQUEST_TIMEOUT_SECONDS,
            limits=httpx.Limits(max_connections=600, max_keepalive_connections=600),
            trust_env=False,
        ) as client:
            await _until(client, f"http://127.0.0.1:{admin}/health")
            await _registered(client, admin, served)
            await _until(client, f"http://127.0.0.1:{ingress}/restate/health")

            async def run(handler: str, steps: int) -> None:
                answer = await client.post(f"http://127.0.0.1:{ingress}/bench/{handler}", json=steps)
                answer.raise_for_status()
                if answer.json() != steps * (steps - 1) // 2:
                    raise RuntimeError(f"{handler} of {steps} came to {answer.text}")

            async def report(number: int) -> None:
                answer = await client.post(f"http://127.0.0.1:{ingress}/bench/report", json=number)
                answer.raise_for_status()
                if len(answer.json()) != RESULT_BYTES:
                    raise RuntimeError(f"report came to {answer.text[:100]}")

            async def many(executions: int, steps: int) -> None:
                await asyncio.gather(*(run("sequence", steps) for _ in range(executions)))

            await put_through(
                Engine(
                    sequence=lambda steps: run("sequence", steps),
                    gather=lambda steps: run("gather", steps),
                    many=many,
                    processes=[server.pid, service.pid],
                    maps={
                        # In this order: a wide gather that is given up goes on in the server, beside what comes next.
                        "calls of 500": lambda items: run("in_batches", items),
                        "runs of a gather": lambda items: run("gather", items),
                    },
                    report=report,
                )
            )


def _settings(ingress: int, admin: int, node: int) -> dict[str, str]:
    return {
        "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
        "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
        "RESTATE_BIND_ADDRESS": f"127.0.0.1:{node}",
        "RESTATE_ADVERTISED_ADDRESS": f"http://127.0.0.1:{node}/",
        "RESTATE_LISTEN_MODE": "tcp",
        "RESTATE_NODE_NAME": "bench",
        "RESTATE_BASE_DIR": str(folder() / "restate"),
        "RESTATE_DISABLE_TELEMETRY": "true",
        "RESTATE_LOG_FILTER": "warn",
    }


@contextmanager
def _process(name: str, command: list[str], settings: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended when the block ends, also after an exception."""
    with (folder() / f"{name}.log").open("wb") as log:
        started = subprocess.Popen(
            command, env={**os.environ, **settings}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(5)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


async def _until(client: Any, url: str) -> None:
    httpx: Any = importlib.import_module("httpx")
    for _ in range(600):
        try:
            if (await client.get(url)).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.05)
    raise TimeoutError(f"no answer at {url} within 30 s")


async def _registered(client: Any, admin: int, served: int) -> None:
    answer: Any = None
    for _ in range(100):
        answer = await client.post(f"http://127.0.0.1:{admin}/deployments", json={"uri": f"http://127.0.0.1:{served}/"})
        if answer.status_code < 300:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"the endpoint could not be registered: {answer.text}")


def server_binary(node_modules: Path) -> Path:
    """The path of the server's binary in its npm package for this machine."""
    return next(node_modules.glob("@restatedev/restate-server-*/bin/restate-server"))


if __name__ == "__main__":
    if len(sys.argv) > 3:
        endpoint(int(sys.argv[3]))
    else:
        asyncio.run(main())
