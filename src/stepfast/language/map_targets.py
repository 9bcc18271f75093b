"""What `map_items` runs for each item: a step with one argument, or a workflow as a child."""

from __future__ import annotations

import json
from typing import Any

from stepfast.errors import DefinitionError, InvalidRequest
from stepfast.language.arguments import hints_of
from stepfast.language.calls import CommandCall
from stepfast.language.children import ChildCall
from stepfast.language.steps import Step, StepCall
from stepfast.language.workflows import Workflow
from stepfast.values.codec import UNTYPED, Codec


class MapTarget:
    """A step or a workflow, with the codecs of its item and of its result.

    Raises DefinitionError for anything else, for a step that cannot be called with one argument, and for a step with
    options of a call.
    """

    def __init__(self, definition: Step[..., Any] | Workflow[..., Any]) -> None:
        self.definition = definition
        if isinstance(definition, Step):
            self.kind, self.name, self._parameter = "step", definition.name, _parameter(definition)
            hints = hints_of(definition.function, f"step {definition.name!r}")
            self.item = Codec(hints.get(self._parameter, UNTYPED), f"step {definition.name!r}: item")
        elif isinstance(definition, Workflow):
            self.kind, self.name, self._parameter = "workflow", definition.name, ""
            self.item = definition.input
        else:
            raise DefinitionError(f"map_items() takes a step or a workflow first, not {definition!r}")

    @property
    def result(self) -> Codec:
        return self.definition.result

    def decode(self, text: str, empty_is_null: bool = False) -> Any:
        """An item as a value of its type. Raises InvalidRequest.

        empty_is_null: an item that does not fit is tried again with null in place of empty texts, as for CSV.
        """
        try:
            return self.item.decode(text)
        except InvalidRequest:
            if not empty_is_null:
                raise
            fields = json.loads(text)
            emptied = {name: value or None for name, value in fields.items()}
            if emptied == fields:
                raise
            try:
                return self.item.decode(json.dumps(emptied))
            except InvalidRequest:
                pass
            raise

    def call(self, value: Any, number: int) -> CommandCall[Any]:
        """The call for one item. The number of the item is a part of the command's id, as in charge#70000."""
        call: CommandCall[Any]
        if isinstance(self.definition, Step):
            call = StepCall(self.definition, {self._parameter: value})
        else:
            call = ChildCall(self.definition, value, None, "cancel")
        call.__name__ = f"{call.__name__}#{number}"
        return call


def _parameter(step: Step[..., Any]) -> str:
    if step.declared is not step:
        raise DefinitionError(
            f"map_items() takes step {step.name!r} as it is declared: options() holds for one call. "
            "Make a second step with @step for other options"
        )
    parameters = list(step.arguments.signature.parameters.values())
    kinds = (parameters[0].POSITIONAL_ONLY, parameters[0].POSITIONAL_OR_KEYWORD) if parameters else ()
    if not parameters or parameters[0].kind not in kinds:
        raise DefinitionError(f"map_items() calls step {step.name!r} with an item, but it has no argument to take it")
    needed = [parameter.name for parameter in parameters[1:] if _is_needed(parameter)]
    if needed:
        raise DefinitionError(
            f"map_items() calls step {step.name!r} with one item, but it also needs {', '.join(needed)}: "
            "gather them in the item, or give them defaults"
        )
    return parameters[0].name


def _is_needed(parameter: Any) -> bool:
    return parameter.default is parameter.empty and parameter.kind not in (
        parameter.VAR_POSITIONAL,
        parameter.VAR_KEYWORD,
    )
