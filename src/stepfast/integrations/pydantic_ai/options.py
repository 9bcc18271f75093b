"""The options of an agent's steps."""

from __future__ import annotations

from typing import Any, cast

from stepfast.errors import DefinitionError
from stepfast.language.step_options import StepOptions


def merged(where: str, *layers: Any) -> StepOptions:
    """The options of all layers; later layers come first. Raises DefinitionError for an unknown option."""
    options: dict[str, Any] = {}
    for layer in layers:
        if not isinstance(layer, dict):
            raise DefinitionError(f"{where}: takes a dict of options of @step, not {layer!r}")
        options |= layer
    if unknown := sorted(set(options) - set(StepOptions.__annotations__)):
        known = ", ".join(StepOptions.__annotations__)
        raise DefinitionError(f"{where}: {unknown[0]!r} is no option of an agent's step; there are: {known}")
    return cast(StepOptions, options)
