"""Whether a bulk job keeps its rate, and what it costs: `make bench-jobs`.

A `stepfast dev` of its own has so many FAILED executions of one step. The step is mended, and one job resumes all of
them. The CPU is the server's, with the executions that run again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import httpx

from bench.dev import DevServer, dev_server
from bench.table import table
from stepfast import Client

WORKFLOW = """
import os
from stepfast import Retry, step, workflow

@step(retry=Retry(max_attempts=1))
async def work(number: int) -> int:
    if not os.path.exists("mended"):
        raise ValueError("not yet")
    return number

@workflow("broken")
async def broken(number: int) -> int:
    return await work(number)
"""
BATCH_STARTS = 1000


def measured(server: DevServer, folder: Path, executions: int, rate: float) -> tuple[float, float, int]:
    """Seconds of the job, seconds of the server's CPU, and how many executions it has resumed."""
    with httpx.Client(base_url=server.url, timeout=120) as http, Client(server.url) as client:
        for first in range(0, executions, BATCH_STARTS):
            numbers = range(first, min(executions, first + BATCH_STARTS))
            starts = [{"workflow": "broken", "input": number, "execution_id": f"b-{number}"} for number in numbers]
            http.post("/v1/executions/batch", json={"starts": starts}).raise_for_status()
        while http.get("/v1/executions", params={"status": "RUNNING", "limit": 1}).json()["executions"]:
            time.sleep(0.1)
        (folder / "mended").touch()
        cpu, begun = server.cpu(), time.monotonic()
        job = client.start_job("resume", workflow="broken", status="FAILED", rate=rate)
        while (progress := job.progress())["status"] == "RUNNING":
            time.sleep(0.1)
        return time.monotonic() - begun, server.cpu() - cpu, progress["done"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.jobs", description="Measures a bulk job.")
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=500.0, help="executions a second")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with dev_server(folder, WORKFLOW) as server:
            seconds, cpu, done = measured(server, folder, asked.executions, asked.rate)
    wanted = asked.executions / asked.rate
    rows = [
        (f"executions resumed, of {asked.executions:,}", f"{done:,}", "all"),
        ("seconds, to those that the rate gives", f"{seconds / wanted:.3f}", "0.95 to 1.05"),
        ("cores of the server", f"{cpu / seconds:.2f}", "below 1"),
    ]
    print(table((f"a bulk resume at {asked.rate:g} a second", "measured", "target"), rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
