"""Typed values to JSON text and back, by pydantic, and only when nothing is lost on the way.

What workflow code sees is always the decoded text, in the first run as in every replay.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Never, NoReturn, get_type_hints

import pydantic
from pydantic.errors import PydanticUserError
from pydantic_core import (
    PydanticSerializationError,
    SchemaSerializer,
    SchemaValidator,
    ValidationError,
    core_schema,
)
from typing_extensions import TypedDict

from stepfast.errors import DefinitionError, InvalidRequest, NotStorable, StepfastError
from stepfast.parts import difference, equal, not_finite, path_of, unserializable

UNTYPED = inspect.Parameter.empty
"""Stands for a missing annotation, which takes plain JSON values."""

# Bytes that are not UTF-8 and NaN would fail or turn to null under pydantic's own settings.
_CONFIG = {"ser_json_bytes": "base64", "val_json_bytes": "base64", "ser_json_inf_nan": "constants"}


def digest(text: str) -> str:
    """64 bits of SHA-256, enough to tell two inputs of one command apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Codec:
    """One type's way to JSON text and back; built on first use, since annotations may point forward.

    `where` begins every error, so that it names the step or workflow and the value: "step 'charge': result".
    """

    def __init__(self, annotation: Any, where: str) -> None:
        self._annotation: Any = annotation
        if annotation is Never or annotation is NoReturn:  # a step that only ever raises
            self._annotation = None
        self.where = where

    @cached_property
    def adapter(self) -> pydantic.TypeAdapter[Any]:
        """Pydantic's own adapter; DefinitionError for a type that pydantic cannot describe."""
        try:
            # By the module's name: pydantic loads its types when they are first asked for, which takes a while.
            adapter = pydantic.TypeAdapter(pydantic.JsonValue if self._annotation is UNTYPED else self._annotation)
            adapter.rebuild(raise_errors=True)  # else a name that nobody defines is only missed on use
            return adapter
        except (PydanticUserError, NameError, TypeError) as error:
            reason = str(error).splitlines()[0].partition(". Set `arbitrary_types_allowed")[0]
            raise DefinitionError(f"{self.where}: {self._annotation!r} has no JSON form: {reason}") from error

    @cached_property
    def _schema(self) -> Any:
        return _with_config(self.adapter.core_schema)

    @cached_property
    def _validator(self) -> SchemaValidator:
        return SchemaValidator(self._schema, _CONFIG, _use_prebuilt=False)  # type: ignore[arg-type]

    @cached_property
    def _taker(self) -> SchemaValidator:
        # A TypedDict may hold keys that its type does not name; reading ignores them, storing must not.
        if not _mentions(self._schema, {"typed-dict"}):
            return self._validator
        return SchemaValidator(_with_config(self._schema, closed=True), _CONFIG, _use_prebuilt=False)  # type: ignore[arg-type]

    @cached_property
    def _serializer(self) -> SchemaSerializer:
        # Without _use_prebuilt pydantic-core takes a model's own serializer and leaves out our settings.
        return SchemaSerializer(self._schema, _CONFIG, _use_prebuilt=False)  # type: ignore[arg-type]

    @cached_property
    def _ambiguous(self) -> bool:
        return _mentions(self._schema, {"any", "union"})

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what `decode` accepts."""
        return self.adapter.json_schema()

    def encode(self, value: Any) -> tuple[str, Any]:
        """JSON text of a value, and the value as the text gives it back.

        Raises NotStorable, with the path of the offending field, for a value of the wrong type and
        for one that JSON cannot hold (NaN, open files) or cannot tell from another (a date in `date | str`).
        """
        try:
            return self._encode(value)
        except StepfastError:
            raise
        except RecursionError as error:
            raise NotStorable(f"{self.where} cannot be stored as JSON: it is nested too deeply or in itself") from error
        except Exception as error:  # a validator or serializer of the type's own
            raise NotStorable(f"{self.where} cannot be stored as JSON: {_told(error)}") from error

    def _encode(self, value: Any) -> tuple[str, Any]:
        try:
            valid = self._taker.validate_python(value)
        except ValidationError as error:
            raise self._refused(error, value) from error
        try:
            raw = self._serializer.to_json(valid, round_trip=True, by_alias=False, warnings="error")
        except (PydanticSerializationError, ValueError) as error:
            where = unserializable(valid)
            raise NotStorable(f"{self.where}{where} cannot be stored as JSON: {_first_line(error)}", where) from error
        if (b"NaN" in raw or b"Infinity" in raw) and (path := not_finite(json.loads(raw))) is not None:
            raise NotStorable(
                f"{self.where}{path} cannot be stored as JSON: not a finite number; use None or a Decimal",
                path,
            )
        text = raw.decode()
        try:
            back = self._validator.validate_json(raw, by_alias=True, by_name=True)
        except ValidationError as error:
            raise self._refused(error, valid) from error
        if (self._ambiguous or not equal(valid, back)) and (
            path := difference(valid, back, exact=self._ambiguous)
        ) is not None:
            raise NotStorable(
                f"{self.where}{path} would come back from JSON as another value or type; "
                "give it an exact type (a model, or a union with a discriminator)",
                path,
            )
        return text, back

    def decode(self, text: str) -> Any:
        """The value of a JSON text; InvalidRequest names every field that does not fit."""
        validator = self._validator
        try:
            return validator.validate_json(text, by_alias=True, by_name=True)
        except ValidationError as error:
            given = _parsed(text)
            fields = tuple((path_of(one, given).lstrip("."), one["msg"]) for one in error.errors(include_url=False))
            told = "; ".join(f"{path or 'the value'}: {message}" for path, message in fields[:5])
            raise InvalidRequest(f"{self.where}: {told}", fields) from error
        except Exception as error:  # a validator of the type's own
            raise InvalidRequest(f"{self.where}: {_told(error)}", (("", _told(error)),)) from error

    def same(self, left: str, right: str) -> bool:
        """True when two texts mean the same value; a field added with a default makes no difference."""
        if left == right:
            return True
        try:
            one, other = self.decode(left), self.decode(right)
            return equal(one, other) or self.encode(one)[0] == self.encode(other)[0]
        except (InvalidRequest, NotStorable):
            return False

    def _refused(self, error: ValidationError, value: Any) -> NotStorable:
        first = error.errors(include_url=False, include_input=False)[0]
        path = path_of(first, value)
        return NotStorable(f"{self.where}{path}: {first['msg']}", path)


class Arguments:
    """A call's arguments as one JSON object, by parameter name; defaults left out stay out."""

    def __init__(self, function: Callable[..., Any], where: str) -> None:
        self.signature = inspect.signature(function)
        self._function = function
        self._where = where
        parameters = self.signature.parameters.values()
        self._plain = [one.name for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
        if len(self._plain) < len(parameters):
            self._plain = []
        self._needed = sum(one.default is one.empty for one in parameters)
        self._variadic = [one.name for one in parameters if one.kind is one.VAR_POSITIONAL]

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
        if not kwargs and self._needed <= len(args) <= len(self._plain):
            return dict(zip(self._plain, args, strict=False))  # what bind() makes of it, at a tenth of its cost
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def encode(self, values: Mapping[str, Any]) -> str:
        """JSON text of bound arguments; NotStorable as in Codec.encode."""
        return self.codec.encode(values)[0]

    def decode(self, text: str) -> inspect.BoundArguments:
        """Arguments ready for the call, decoded anew each time so that attempts share nothing."""
        values = self.codec.decode(text)
        for name in self._variadic:
            if name in values:
                values[name] = tuple(values[name])
        return inspect.BoundArguments(self.signature, values)

    def call(self, function: Callable[..., Any], bound: inspect.BoundArguments) -> Any:
        """Calls a function of this signature with decoded arguments."""
        if self._plain:
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


# What a schema quotes from the program rather than says itself.
_QUOTED = frozenset({"default", "metadata", "expected", "members", "cls"})


def _with_config(node: Any, closed: bool = False) -> Any:
    if isinstance(node, dict):
        copy = {key: _with_config(value, closed) for key, value in node.items() if not _quoted(node, key)}
        copy |= {key: value for key, value in node.items() if _quoted(node, key)}
        if not _is_schema(node):
            return copy
        if copy["type"] in {"model", "dataclass", "typed-dict"}:
            copy["config"] = {**(node.get("config") or {}), **_CONFIG}
            if closed and copy.get("extra_behavior") == "ignore" and copy["type"] == "typed-dict":
                copy["extra_behavior"] = "forbid"
        if copy["type"] in {"set", "frozenset"}:
            copy.setdefault("serialization", core_schema.wrap_serializer_function_ser_schema(_in_order))
        return copy
    if type(node) in (list, tuple):
        return type(node)(_with_config(one, closed) for one in node)
    return node


def _is_schema(node: dict[Any, Any]) -> bool:
    """False for a mapping of fields or choices by name, where a field may be called `type` or `default`."""
    return isinstance(node.get("type"), str)


def _quoted(node: dict[Any, Any], key: Any) -> bool:
    return key in _QUOTED and _is_schema(node)


def _in_order(value: Any, handler: Any) -> list[Any]:
    """Equal sets have one text; their own order differs from process to process."""
    return sorted(handler(value), key=lambda one: json.dumps(one, sort_keys=True))


def _mentions(node: Any, types: set[str]) -> bool:
    if isinstance(node, dict):
        return (_is_schema(node) and node["type"] in types) or any(
            _mentions(value, types) for key, value in node.items() if not _quoted(node, key)
        )
    if isinstance(node, (list, tuple)):
        return any(_mentions(value, types) for value in node)
    return False


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _first_line(error: BaseException) -> str:
    said = str(error).removeprefix("Error serializing to JSON: ").removeprefix("Pydantic serializer warnings:\n")
    return said.splitlines()[0].strip()
