"""A durable agent for a deployment: two of its tools meet, one loses its process, and one waits for a person."""

import os
import time
from pathlib import Path

from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from stepfast import Retry, current_step, workflow
from stepfast.integrations.pydantic_ai import DecideBySignal, StepfastDurability

SECONDS_TO_MEET = 45


def noted(folder: str, what: str) -> int:
    """Notes the attempt, and says how many there were."""
    with (Path(folder) / f"{what}.log").open("a") as log:
        log.write(f"{current_step().step_id} {current_step().attempt}\n")
    return len((Path(folder) / f"{what}.log").read_text().splitlines())


def meet(folder: str, other: str) -> None:
    """Returns once the other tool runs as well: it never does if tools run one after the other."""
    end = time.monotonic() + SECONDS_TO_MEET
    while not (Path(folder) / f"{other}.log").exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{other} did not run at the same time")
        time.sleep(0.05)


async def asks(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    if len(messages) == 1:
        calls = [ToolCallPart("weigh", {}), ToolCallPart("price", {}), ToolCallPart("refund", {"cents": 900})]
        return ModelResponse(parts=calls)
    return ModelResponse(parts=[TextPart("; ".join(str(part.content) for part in messages[-1].parts))])  # type: ignore[union-attr]


clerk = Agent(
    FunctionModel(asks),
    name="clerk",
    deps_type=str,
    capabilities=[
        StepfastDurability(tool_step={"timeout": 50, "retry": Retry(max_attempts=2, initial=0.2)}),
        DecideBySignal(),
    ],
)


@clerk.tool
def weigh(context: RunContext[str]) -> str:
    noted(context.deps, "weigh")
    meet(context.deps, "price")
    return "3 kg"


@clerk.tool(metadata={"stepfast": {"pool": "fragile", "timeout": 3, "retry": Retry(max_attempts=5, initial=0.2)}})
def price(context: RunContext[str]) -> str:
    if noted(context.deps, "price") == 1:
        os._exit(1)
    return "9 euro"


@clerk.tool(requires_approval=True)
def refund(context: RunContext[str], cents: int) -> str:
    noted(context.deps, "refund")
    if (Path(context.deps) / "bank-closed").exists():
        raise ConnectionError("the bank is closed")
    return f"refunded {cents}"


@workflow("clerk")
async def serving(folder: str) -> str:
    return (await clerk.run("my tea is cold", deps=folder)).output
