"""The run context and the dependencies of an agent, in a step of it."""

from __future__ import annotations

import json
from typing import Any

from pydantic_ai import RunContext
from pydantic_ai.durable_exec import DurableRunContext
from typing_extensions import TypeVar

from stepfast.errors import DefinitionError, NotStorable
from stepfast.integrations.pydantic_ai.wire import dumped
from stepfast.values.codec import Codec

DepsT = TypeVar("DepsT", default=object, covariant=True)


class StepRunContext(DurableRunContext[DepsT]):
    """The RunContext that tools and event handlers get in a step. It holds what pydantic-ai carries into durable units.

    To carry more, subclass it, override `serialize_run_context`, and hand the class to
    `StepfastDurability(run_context_type=…)`.
    """

    def unavailable_field_message(self, name: str) -> str:
        return (
            f"ctx.{name} is not available in a step, which may run in another process: carry it in the dependencies, "
            f"or in a subclass of {type(self).__name__} that adds it in serialize_run_context"
        )


class Contexts:
    """Writes run contexts as JSON, and restores them in the step.

    agent: the name of the agent, for errors. deps_type: the type of the dependencies.
    """

    def __init__(self, durability: Any, agent: str, deps_type: Any, kind: type[DurableRunContext[Any]]) -> None:
        self._durability = durability
        self._agent = agent
        self._kind = kind
        self._deps = Codec(deps_type, f"agent {agent!r}: deps")

    def dump(self, context: RunContext[Any]) -> dict[str, Any]:
        carried = self._kind.serialize_run_context(context)
        return {
            "context": dumped(f"agent {self._agent!r}: the run context", dict[str, Any], carried),
            "deps": self._dumped_deps(context.deps),
        }

    def load(self, body: dict[str, Any]) -> RunContext[Any]:
        deps = None if body["deps"] is None else self._deps.decode(json.dumps(body["deps"]))
        durability = self._durability
        return self._kind.restore(
            body["context"], deps=deps, agent=durability.agent, engine_spec=durability.engine_spec
        )

    def _dumped_deps(self, deps: Any) -> Any:
        if deps is None:
            return None
        try:
            return json.loads(self._deps.text(deps))
        except (DefinitionError, NotStorable) as error:
            raise NotStorable(
                f"{error}; the deps of an agent cross into its steps as JSON: set deps_type to a type of values, "
                "and let tools open connections and clients themselves"
            ) from error
