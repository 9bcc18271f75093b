"""The AWS durable execution SDK on its local test runner, whose store is in memory: nothing is durable."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
from typing import Any

from bench.peers.work import Engine, put_through

sdk: Any = importlib.import_module("aws_durable_execution_sdk_python.execution")
testing: Any = importlib.import_module("aws_durable_execution_sdk_python_testing.runner")
RESULT_TIMEOUT_SECONDS = 120


def _function(event: dict[str, Any] | str, context: Any) -> int:
    asked = json.loads(event) if isinstance(event, str) else event
    numbers = range(asked["steps"])
    if asked["wide"]:
        branches = [lambda child, number=number: child.step(lambda _: number, name="noop") for number in numbers]
        return sum(context.parallel(branches, name="gather").get_results())
    return sum(context.step(lambda _, number=number: number, name="noop") for number in numbers)


async def main() -> None:
    with testing.DurableFunctionTestRunner(handler=sdk.durable_execution(_function)) as runner:
        numbers = iter(range(10**9))

        def start(steps: int, wide: bool) -> Any:
            asked = json.dumps({"steps": steps, "wide": wide})
            return runner.run_async(
                input=asked, execution_timeout=RESULT_TIMEOUT_SECONDS, execution_name=f"run-{next(numbers)}"
            )

        def run_all(count: int, steps: int, wide: bool) -> None:
            for execution in [start(steps, wide) for _ in range(count)]:
                result = runner.wait_for_result(execution, timeout=RESULT_TIMEOUT_SECONDS)
                if result.result != str(steps * (steps - 1) // 2):
                    raise RuntimeError(f"an execution is {result.status.name}: {result.result or result.error}")

        async def run(count: int, steps: int, wide: bool) -> None:
            await asyncio.to_thread(run_all, count, steps, wide)

        await put_through(
            Engine(
                sequence=lambda steps: run(1, steps, False),
                gather=lambda steps: run(1, steps, True),
                many=lambda executions, steps: run(executions, steps, False),
                processes=[os.getpid()],
                maps={"branches of a parallel": lambda items: run(1, items, True)},
            )
        )


if __name__ == "__main__":
    asyncio.run(main())
