"""A call's arguments as a value of their own: by parameter name, checked, and the same call made of them again."""

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
    """A call's arguments as one JSON object, by parameter name; defaults left out stay out."""

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
        """Builds the codec now; DefinitionError names the parameter whose type has no JSON form."""
        for name, kind in self._fields.items():
            _ = Codec(kind, f"{self._where} {name!r}").adapter
        _ = self.codec.adapter

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by parameter name, in the order of the parameters; TypeError for a wrong call."""
        if not kwargs and self._required_count <= len(args) <= len(self._positional):
            return dict(zip(self._positional, args, strict=False))  # what bind() makes of it, at a tenth of its cost
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def encode(self, values: Mapping[str, Any]) -> str:
        """JSON text of bound arguments; NotStorable as in Codec.text."""
        return self.codec.text(values)

    def decode(self, text: str) -> inspect.BoundArguments:
        """Arguments ready for the call, decoded anew each time so that attempts share nothing."""
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
    """Resolved annotations of a function; DefinitionError when one names something unknown."""
    while isinstance(function, functools.partial):
        function = function.func
    try:
        return get_type_hints(function, include_extras=True) if hasattr(function, "__annotations__") else {}
    except (NameError, SyntaxError, AttributeError, TypeError) as error:
        raise DefinitionError(f"{where}: an annotation cannot be resolved: {error}") from error
