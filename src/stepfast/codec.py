"""Typed values to JSON text and back, by pydantic, and only when nothing is lost on the way.

What workflow code sees is always the decoded text, in the first run as in every replay.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator, to_jsonable_python
from typing_extensions import TypedDict

from stepfast.errors import DefinitionError, InvalidRequest, NotStorable

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
        self._annotation: Any = JsonValue if annotation is inspect.Parameter.empty else annotation
        self.where = where

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """Pydantic's own adapter; DefinitionError for a type that pydantic cannot describe."""
        try:
            return TypeAdapter(self._annotation)
        except (PydanticUserError, NameError, TypeError) as error:
            reason = str(error).splitlines()[0]
            raise DefinitionError(f"{self.where}: {self._annotation!r} has no JSON form: {reason}") from error

    @cached_property
    def _schema(self) -> Any:
        return _with_config(self.adapter.core_schema)

    @cached_property
    def _validator(self) -> SchemaValidator:
        return SchemaValidator(self._schema, _CONFIG, _use_prebuilt=False)  # type: ignore[arg-type]

    @cached_property
    def _serializer(self) -> SchemaSerializer:
        # Without _use_prebuilt pydantic-core takes a model's own serializer and leaves out our settings.
        return SchemaSerializer(self._schema, _CONFIG, _use_prebuilt=False)  # type: ignore[arg-type]

    @cached_property
    def _ambiguous(self) -> bool:
        return _mentions(self._schema, {"any", "union"})

    @cached_property
    def unordered(self) -> bool:
        """True when equal values may have different texts, as sets have from process to process."""
        return _mentions(self._schema, {"set", "frozenset"})

    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of what `decode` accepts."""
        return self.adapter.json_schema()

    def encode(self, value: Any) -> tuple[str, Any]:
        """JSON text of a value, and the value as the text gives it back.

        Raises NotStorable, with the path of the offending field, for a value of the wrong type and
        for one that JSON cannot hold (NaN, open files) or cannot tell from another (a date in `date | str`).
        """
        try:
            valid = self._validator.validate_python(value)
        except ValidationError as error:
            raise self._refused(error) from error
        try:
            raw = self._serializer.to_json(valid, exclude_computed_fields=True, by_alias=False, warnings="error")
        except (PydanticSerializationError, ValueError) as error:
            where = _unserializable(valid)
            raise NotStorable(f"{self.where}{where} cannot be stored as JSON: {_first_line(error)}", where) from error
        if (b"NaN" in raw or b"Infinity" in raw) and (path := _not_finite(json.loads(raw))) is not None:
            raise NotStorable(
                f"{self.where}{path} cannot be stored as JSON: not a finite number; use None or a Decimal",
                path,
            )
        text = raw.decode()
        try:
            back = self._validator.validate_json(raw, by_alias=True, by_name=True)
        except ValidationError as error:
            raise self._refused(error) from error
        if self._ambiguous and (path := _difference(valid, back)) is not None:
            raise NotStorable(
                f"{self.where}{path} would come back from JSON as another value or type; "
                "give it an exact type (a model, or a union with a discriminator)",
                path,
            )
        return text, back

    def decode(self, text: str) -> Any:
        """The value of a JSON text; InvalidRequest names every field that does not fit."""
        try:
            return self._validator.validate_json(text, by_alias=True, by_name=True)
        except ValidationError as error:
            fields = tuple((_path(one["loc"]).lstrip("."), one["msg"]) for one in error.errors(include_url=False))
            told = "; ".join(f"{path or 'the value'}: {message}" for path, message in fields[:5])
            raise InvalidRequest(f"{self.where}: {told}", fields) from error

    def same(self, left: str, right: str) -> bool:
        """True when two texts mean the same value; a field added with a default makes no difference."""
        if left == right:
            return True
        try:
            one, other = self.decode(left), self.decode(right)
            return bool(one == other) or self.encode(one)[0] == self.encode(other)[0]
        except (InvalidRequest, NotStorable):
            return False

    def _refused(self, error: ValidationError) -> NotStorable:
        first = error.errors(include_url=False, include_input=False)[0]
        path = _path(first["loc"])
        return NotStorable(f"{self.where}{path}: {first['msg']}", path)


class Arguments:
    """A call's arguments as one JSON object, by parameter name; defaults left out stay out."""

    def __init__(self, function: Callable[..., Any], where: str) -> None:
        self.signature = inspect.signature(function)
        self._function = function
        self._where = where

    @cached_property
    def codec(self) -> Codec:
        fields: dict[str, Any] = {}
        make: Any = TypedDict
        hints = hints_of(self._function, self._where)
        for name, parameter in self.signature.parameters.items():
            kind = hints.get(name, JsonValue)
            if parameter.kind is parameter.VAR_POSITIONAL:
                kind = list[kind]  # type: ignore[valid-type]
            elif parameter.kind is parameter.VAR_KEYWORD:
                kind = dict[str, kind]  # type: ignore[valid-type]
            fields[name] = kind
        return Codec(make("Arguments", fields, total=False), self._where)

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """JSON text of the arguments; TypeError as for any wrong call, NotStorable as in Codec.encode."""
        return self.codec.encode(dict(self.signature.bind(*args, **kwargs).arguments))[0]

    def decode(self, text: str) -> inspect.BoundArguments:
        """Arguments ready for the call, decoded anew each time so that attempts share nothing."""
        values = self.codec.decode(text)
        bound = inspect.BoundArguments(self.signature, values)
        for name, parameter in self.signature.parameters.items():
            if parameter.kind is parameter.VAR_POSITIONAL and name in values:
                values[name] = tuple(values[name])
        return bound


def hints_of(function: Callable[..., Any], where: str) -> dict[str, Any]:
    """Resolved annotations of a function; DefinitionError when one names something unknown."""
    try:
        return inspect.get_annotations(function, eval_str=True)
    except (NameError, SyntaxError, AttributeError, TypeError) as error:
        raise DefinitionError(f"{where}: an annotation cannot be resolved: {error}") from error


def _with_config(node: Any) -> Any:
    if isinstance(node, dict):
        copy = {key: _with_config(value) for key, value in node.items()}
        if copy.get("type") in {"model", "dataclass", "typed-dict"}:
            copy["config"] = {**(node.get("config") or {}), **_CONFIG}
        return copy
    if isinstance(node, (list, tuple)):
        return type(node)(_with_config(one) for one in node) if type(node) in (list, tuple) else node
    return node


def _mentions(node: Any, types: set[str]) -> bool:
    if isinstance(node, dict):
        return node.get("type") in types or any(_mentions(value, types) for value in node.values())
    if isinstance(node, (list, tuple)):
        return any(_mentions(value, types) for value in node)
    return False


def _path(location: tuple[int | str, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0].removeprefix("Error serializing to JSON: ")


def _children(value: Any) -> dict[str, Any] | None:
    """The parts of a composite value by path; None for a leaf."""
    if isinstance(value, BaseModel):
        return {f".{name}": getattr(value, name) for name in type(value).model_fields}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f".{one.name}": getattr(value, one.name, None) for one in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {f".{key}": one for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return {f"[{index}]": one for index, one in enumerate(value)}
    return None


def _unserializable(value: Any) -> str:
    """Path of the first part that has no JSON form of its own."""
    for path, child in (_children(value) or {}).items():
        try:
            to_jsonable_python(child, bytes_mode="base64")
        except (PydanticSerializationError, ValueError):
            return path + _unserializable(child)
    return ""


def _not_finite(value: Any) -> str | None:
    """Path of the first NaN or infinity in parsed JSON; None where there is none."""
    if isinstance(value, float):
        return "" if value != value or value in (float("inf"), float("-inf")) else None
    for path, child in (_children(value) or {}).items():
        if (inner := _not_finite(child)) is not None:
            return path + inner
    return None


def _difference(left: Any, right: Any) -> str | None:
    """Path of the first part that differs in type or value; None when nothing does."""
    if type(left) is not type(right):
        return ""
    children = _children(left)
    if children is not None:
        others = _children(right) or {}
        if children.keys() != others.keys():
            return ""
        for path, child in children.items():
            if (inner := _difference(child, others[path])) is not None:
                return path + inner
        return None
    comparable = "__eq__" in {name for kind in type(left).__mro__[:-1] for name in vars(kind)}
    return "" if comparable and left != right else None
