"""Changed copies of pydantic core schemas, for the validators and serializers of stored values. Pure.

`TypeAdapter` computes a type's own schema; the functions here copy it and never change it.
https://docs.pydantic.dev/latest/api/pydantic_core_schema/ describes the nodes.
"""

from __future__ import annotations

import json
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator
from datetime import UTC, timedelta, timezone
from functools import lru_cache
from typing import Any

from pydantic_core import PydanticOmit, TzInfo, ValidationError, core_schema

Schema = dict[str, Any]
# Bytes that are not UTF-8 and NaN would fail or turn to null under pydantic's own settings.
CONFIG = {"ser_json_bytes": "base64", "val_json_bytes": "base64", "ser_json_inf_nan": "constants"}
FACTORY_PLACEHOLDER = "\x00made by a factory\x00"
"""Stands for the value of a default factory that must not run."""
MAX_DESCRIBED_ERRORS = 100
"""An error text describes this many errors of a value."""
MAX_COUNTED_ERRORS = 200_000
"""Validation counts this many errors of a value, and skips the items after them."""

_CONSTANT_FACTORIES = (list, dict, set, frozenset, tuple, str, bytes, int, float, bool, deque, OrderedDict, Counter)
"""Factories that make an equal value at each call."""
# Keys whose values belong to the program and are no schemas.
_QUOTED_KEYS = frozenset({"default", "metadata", "expected", "members", "cls"})
_JSON_VALUE = "pydantic.types.JsonValue:"
# Left as it is unless a function below changes it. A new kind may hold values whose text differs from process to
# process (as sets do), that can be read only once (as iterators do), or that come back as something else.
KNOWN = frozenset(
    [
        # Changed: `stored`, `closed`, `without_factories`, `failing_fast` and `counting` say how.
        *("model", "dataclass", "typed-dict", "set", "frozenset", "generator", "json-or-python", "datetime", "time"),
        *("default", "list", "tuple", "dict"),
        # Left: values of one kind.
        *("any", "none", "bool", "int", "float", "complex", "decimal", "fraction", "str", "bytes", "uuid", "url"),
        *("multi-host-url", "date", "timedelta", "literal", "enum", "ellipsis", "missing-sentinel", "invalid"),
        *("is-instance", "is-subclass", "callable"),
        # Left: what holds other nodes. None is a set, so that equal values have one text.
        *("deque", "frozendict", "ordered-dict", "counter", "nullable", "union", "tagged-union", "chain"),
        *("lax-or-strict", "model-fields", "dataclass-args", "named-tuple", "arguments", "arguments-v3", "call"),
        *("custom-error", "json", "definitions", "definition-ref"),
        *("function-after", "function-before", "function-wrap", "function-plain"),
        *("model-field", "dataclass-field", "typed-dict-field", "named-tuple-field", "computed-field"),
        # Left: how a node is written, which is a node of its own beside the kinds above; and what holds a function.
        *("format", "to-string", "bytearray", "include-exclude-sequence", "include-exclude-dict"),
        *("no-info", "with-info"),
    ]
)
"""The kinds of nodes that pydantic-core 2.50 has. A kind that is missing here fails tests/values/test_schemas.py."""


def stored(schema: Any) -> Any:
    """A copy for stored values: bytes as base64, sets in sorted order, lists for iterators, offsets of Python."""

    def change(node: Schema) -> Schema:
        kind = node["type"]
        if kind in {"model", "dataclass", "typed-dict"}:
            node["config"] = {**(node.get("config") or {}), **CONFIG}
        elif kind in {"set", "frozenset"}:
            node.setdefault("serialization", core_schema.wrap_serializer_function_ser_schema(_serialize_set_sorted))
        elif kind == "generator":
            # An iterator is empty once it was read, so it cannot come back; a list can, and is an Iterable.
            return {**node, "type": "list", "strict": True}
        elif kind == "json-or-python" and str(node.get("ref", "")).startswith(_JSON_VALUE):
            return {"type": "any", "ref": node["ref"]}  # pydantic calls a Python function for each leaf of a JsonValue
        elif kind in {"datetime", "time"}:
            return core_schema.no_info_after_validator_function(_with_python_zone, node)  # type: ignore[return-value]
        return node

    return _rewrite(schema, change)


def _with_python_zone(value: Any) -> Any:
    """The same time with datetime.timezone in place of pydantic_core.TzInfo, whose tzname() differs."""
    if value.tzinfo.__class__ is not TzInfo:
        return value
    return value.replace(tzinfo=_offset(value.tzinfo.utcoffset(None)))


@lru_cache(maxsize=256)
def _offset(offset: timedelta) -> timezone:
    return timezone(offset) if offset else UTC


def closed(schema: Any) -> Any:
    """A copy in which a TypedDict refuses unknown keys: reading ignores them, but storing must not drop them."""

    def change(node: Schema) -> Schema:
        if node["type"] == "typed-dict" and node.get("extra_behavior") == "ignore":
            node["extra_behavior"] = "forbid"
        return node

    return _rewrite(schema, change)


def without_factories(schema: Any) -> Any:
    """A copy in which no default factory runs, except those that make empty collections.

    FACTORY_PLACEHOLDER stands in place of what a factory would make.
    """

    def change(node: Schema) -> Schema:
        if node["type"] != "default" or node.get("default_factory", list) in _CONSTANT_FACTORIES:
            return node
        kept = {key: value for key, value in node.items() if not key.startswith("default_factory")}
        return {**kept, "default": FACTORY_PLACEHOLDER, "validate_default": False}

    return _rewrite(schema, change)


def failing_fast(schema: Any) -> Any:
    """A copy in which the validation of a collection stops at the first wrong item."""

    def change(node: Schema) -> Schema:
        if node["type"] in {"list", "set", "frozenset", "tuple"}:
            node["fail_fast"] = True
        return node

    return _rewrite(schema, change)


class Budget(threading.local):
    """How many errors this thread's validation has met in collections."""

    count = 0


def counting(schema: Any, budget: Budget) -> Any:
    """A copy in which errors beyond MAX_DESCRIBED_ERRORS are counted and not kept, to save memory."""

    def guard(value: Any, handler: Callable[[Any], Any]) -> Any:
        if budget.count >= MAX_COUNTED_ERRORS:
            raise PydanticOmit
        before = budget.count
        try:
            return handler(value)
        except ValidationError as error:
            if budget.count == before:  # else its parts were counted already
                budget.count += error.error_count()
            if before >= MAX_DESCRIBED_ERRORS:
                raise PydanticOmit from None
            raise

    def change(node: Schema) -> Schema:
        part = {"list": "items_schema", "dict": "values_schema"}.get(node["type"])
        if part is not None and part in node:
            node[part] = core_schema.no_info_wrap_validator_function(guard, node[part])
        return node

    return _rewrite(schema, change)


def _rewrite(node: Any, change: Callable[[Schema], Schema]) -> Any:
    if isinstance(node, dict):
        copy = {key: value if is_quoted(node, key) else _rewrite(value, change) for key, value in node.items()}
        return change(copy) if is_schema(node) else copy
    if type(node) in (list, tuple):
        return type(node)(_rewrite(part, change) for part in node)
    return node


def is_schema(node: dict[Any, Any]) -> bool:
    """False for a mapping of fields or choices by name, where a field may be called `type` or `default`."""
    return isinstance(node.get("type"), str)


def is_quoted(node: dict[Any, Any], key: Any) -> bool:
    return key in _QUOTED_KEYS and is_schema(node)


def nodes_of(node: Any) -> Iterator[Schema]:
    """All schemas inside a schema, itself included."""
    if isinstance(node, dict):
        if is_schema(node):
            yield node
        for key, value in node.items():
            if not is_quoted(node, key):
                yield from nodes_of(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from nodes_of(value)


def mentions(node: Any, types: set[str]) -> bool:
    return any(node_within["type"] in types for node_within in nodes_of(node))


_ATOM_TYPES = frozenset({"any", "int", "float", "bool", "str", "none"})
_NEUTRAL_KEYS = frozenset({"type", "metadata", "ref"})


def is_json(schema: Any) -> bool:
    """True for a type whose values are plain JSON and mean the same in Python and in JSON.

    A plain value of such a type comes back unchanged, so it is not read back to check that.
    """
    return all(_is_json(node) for node in nodes_of(schema))


def _is_json(node: Schema) -> bool:
    kind, more = node["type"], node.keys() - _NEUTRAL_KEYS
    if kind in _ATOM_TYPES:
        return not more
    if kind == "list":
        return more <= {"items_schema", "min_length", "max_length"}
    if kind == "dict":
        return more <= {"keys_schema", "values_schema"} and node.get("keys_schema", {}).get("type") in {"any", "str"}
    if kind == "union":
        return more <= {"choices", "auto_collapse"} or (more <= {"choices", "mode"} and node["mode"] == "smart")
    if kind == "typed-dict-field":
        return more <= {"schema", "required"}
    if kind == "typed-dict":
        return set(node.get("config") or {}) <= {*CONFIG, "title"} and not node.get("computed_fields")
    return kind in {"nullable", "definitions", "definition-ref"} and "serialization" not in more


def _serialize_set_sorted(value: Any, handler: Any) -> list[Any]:
    """Sorted, so that equal sets have one text: the order of a set differs between processes."""
    return sorted(handler(value), key=lambda part: json.dumps(part, sort_keys=True))
