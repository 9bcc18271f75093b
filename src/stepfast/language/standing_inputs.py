"""@step(same=...): when a recorded call stands although the code now calls the step with other arguments."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from stepfast.errors import DefinitionError, InvalidRequest
from stepfast.values.codec import Codec

ArgumentValues = Mapping[str, Any]
Same = Collection[str] | Callable[[ArgumentValues, ArgumentValues], bool]
"""Names of arguments that may differ, or a function of the recorded arguments and those of the call, by name."""


def check(same: object, signature: inspect.Signature, step: str) -> Same | None:
    """The `same` of a step. Raises DefinitionError for what is neither a function nor names of its arguments.

    step: how the error calls the step.
    """
    if same is None or callable(same):
        return same
    if isinstance(same, str) or not isinstance(same, Collection):
        raise DefinitionError(f"{step}: same takes names of arguments, such as ('note',), or a function, not {same!r}")
    for name in same:
        if name not in signature.parameters:
            takes = ", ".join(signature.parameters) or "none"
            raise DefinitionError(f"{step}: same names {name!r}; the step's arguments: {takes}")
    return frozenset(same)


def stands(same: Same, codec: Codec, recorded: str, asked: str) -> bool:
    """Whether the recorded call stands for the call that the code makes now. Both are JSON texts of arguments.

    Raises what a function of the author raises.
    """
    if callable(same):
        return bool(same(_values(codec, recorded), codec.decode(asked)))
    return codec.same(_without(recorded, same), _without(asked, same))


def _values(codec: Codec, recorded: str) -> ArgumentValues:
    """The recorded arguments; as plain JSON values where they no longer fit the types of the step."""
    try:
        values: ArgumentValues = codec.decode(recorded)
    except InvalidRequest:
        values = json.loads(recorded)
    return values


def _without(text: str, names: Collection[str]) -> str:
    return json.dumps({name: value for name, value in json.loads(text).items() if name not in names})
