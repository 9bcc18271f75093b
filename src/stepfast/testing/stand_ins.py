"""Workflows that stand in for others in a test: one step, which the kit fakes."""

from __future__ import annotations

import asyncio
from typing import Any

from stepfast.language.arguments import hints_of
from stepfast.language.registry import Registry
from stepfast.language.retry import Retry
from stepfast.language.steps import Step, step
from stepfast.language.workflows import Workflow
from stepfast.values.codec import UNTYPED


def step_of(workflow: Workflow[..., Any]) -> Step[..., Any]:
    """The step that a stand-in runs in place of the workflow's code: it takes the input and returns the result."""
    hints = hints_of(workflow.function, f"workflow {workflow.name!r}")
    inputs = [hint for name, hint in hints.items() if name != "return"]

    async def stand_in(input: Any, /) -> Any:
        raise AssertionError("the kit fakes it")

    stand_in.__annotations__ = {"input": inputs[0] if inputs else UNTYPED, "return": hints.get("return", UNTYPED)}
    return step(name=f"fake.{workflow.name}"[:64], retry=Retry(max_attempts=1))(stand_in)


def stand_in_for(workflow: Workflow[..., Any], faked: Step[..., Any], seconds: float) -> Workflow[..., Any]:
    """A workflow of the same name and types, which waits for so long and then calls the faked step."""

    async def run(input: Any = None) -> Any:
        if seconds:
            await asyncio.sleep(seconds)
        return await faked(input)

    double: Workflow[..., Any] = Workflow(run, workflow.name)
    double.__dict__["input"], double.__dict__["result"] = workflow.input, workflow.result
    return double


def put(registry: Registry, workflow: Workflow[..., Any]) -> None:
    """Has a registry of a kit know this workflow in the place of that of its name; LookupError for another name."""
    if workflow.name not in registry.workflows:
        raise LookupError(f"workflow {workflow.name!r} was not given to this environment")
    registry.workflows[workflow.name] = workflow
    registry.forget(workflow.name)
