"""Another model for a durable agent, in tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.models import Model

from stepfast.errors import DefinitionError
from stepfast.integrations.pydantic_ai.durability import StepfastDurability


@contextmanager
def replace_model(agent: Agent[Any, Any], model: Model) -> Iterator[None]:
    """In the block, the agent's own model is another one, in workflows, in steps and elsewhere. For tests.

    `agent.override(model=…)` does not reach workflows: their code runs in a context of its own.

    agent: an agent with StepfastDurability. Raises DefinitionError for another agent.
    model: the model, such as a FunctionModel or a TestModel of pydantic-ai.
    """
    durability = StepfastDurability.from_agent(agent)
    if durability is None:
        raise DefinitionError(
            f"agent {agent.name!r} has no StepfastDurability: replace its model with agent.override()"
        )
    before = agent.model
    agent.model = model
    try:
        with durability.default_model(model):
            yield
    finally:
        agent.model = before
