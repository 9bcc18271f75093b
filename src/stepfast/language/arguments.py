"""The arguments of a call as a value: bound to parameter names, validated, stored as JSON, and called again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, get_type_hints

import pydantic
from typing_extensions import TypedDict

from stepfast.errors import DefinitionError
from stepfast.frames import calls
from stepfast.values.codec import Codec


class Arguments:
    """The arguments of a call as a JSON object by parameter name. A default that the call leaves out is not stored."""

    def __init__(self, function: Callable[..., Any], where: str) -> None:
        self.signature = inspect.signature(function)
        self._function = function
        self._where = where
        parameters = self.signature.parameters.values()
        self._positional = [
            parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ]
        if len(self._positional) < len(parameters):
            self._positional = []
        self._required_count = sum(parameter.default is parameter.empty for parameter in parameters)
        self._variadic = [parameter.name for parameter in parameters if parameter.kind is parameter.VAR_POSITIONAL]

    @cached_property
    def codec(self) -> Codec:
        make: Any = TypedDict
        return Codec(make("Arguments", self._fields, total=False), self._where)

    @cached_property
    def _fields(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        hints = hints_of(self._function, self._where)
        for name, parameter in self.signature.parameters.items():
            kind = hints.get(name, pydantic.JsonValue)
            if parameter.kind is parameter.VAR_POSITIONAL:
                kind = list[kind]  # type: ignore[valid-type]
            elif parameter.kind is parameter.VAR_KEYWORD:
                kind = dict[str, kind]  # type: ignore[valid-type]
            fields[name] = kind
        return fields

    def check(self) -> None:
        """Builds the codec now. Raises DefinitionError, which names the parameter whose type has no JSON form."""
        for name, kind in self._fields.items():
            _ = Codec(kind, f"{self._where} {name!r}").adapter
        _ = self.codec.adapter

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, in the order of the parameters. Raises TypeError for wrong arguments."""
        if not kwargs and self._required_count <= len(args) <= len(self._positional):
            return dict(
                zip(self._positional, args, strict=False)
            )  # equal to the result of bind(), at a tenth of its cost
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def encode(self, values: Mapping[str, Any]) -> str:
        """JSON text of bound arguments. Raises NotStorable as Codec.text does."""
        return self.codec.text(values)

    def decode(self, text: str) -> inspect.BoundArguments:
        """Arguments for a call, decoded anew each time so that attempts share no objects. Raises InvalidRequest."""
        values = self.codec.decode(text)
        for name in self._variadic:
            if name in values:
                values[name] = tuple(values[name])
        return inspect.BoundArguments(self.signature, values)

    @calls("through")
    def call(self, function: Callable[..., Any], bound: inspect.BoundArguments) -> Any:
        """Calls a function of this signature with decoded arguments."""
        if self._positional:
            return function(**bound.arguments)
        return function(*bound.args, **bound.kwargs)


def hints_of(function: Callable[..., Any], where: str) -> dict[str, Any]:
    """Resolved annotations of a function. Raises DefinitionError for an annotation that cannot be resolved."""
    while isinstance(function, functools.partial):
        function = function.func
    try:
        return get_type_hints(function, include_extras=True) if hasattr(function, "__annotations__") else {}
    except (NameError, SyntaxError, AttributeError, TypeError) as error:
        raise DefinitionError(f"{where}: an annotation cannot be resolved: {error}") from error
