"""Checks query strings against the parameters that a route declares: a misspelt filter must not list everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from aws_lambda_powertools.event_handler.openapi.params import Query

from stepfast.errors import InvalidRequest

NAMES_SHOWN = 5
"""How many wrong names a refusal lists, each cut at 64 characters."""


def check(function: Callable[..., Any], asked: Mapping[str, Sequence[str]]) -> None:
    """Raises InvalidRequest for an unknown parameter, and for one given twice that takes a single value."""
    if not asked:
        return
    known = _parameters(function)
    takes = ", ".join(sorted(known)) or "no parameters"
    fields = [
        (name[:64], f"there is no such query parameter; this address takes {takes}")
        for name in asked
        if name not in known
    ]
    fields += [
        (name, f"is given {len(values)} times; send it once")
        for name, values in asked.items()
        if len(values) > 1 and known.get(name) is False
    ]
    if fields:
        raise InvalidRequest(
            "; ".join(f"{name!r}: {message}" for name, message in fields[:NAMES_SHOWN]), tuple(fields[:NAMES_SHOWN])
        )


@lru_cache(maxsize=256)
def _parameters(function: Callable[..., Any]) -> Mapping[str, bool]:
    """The query parameters of a route's function; True for each that may be given more than once."""
    parameters: dict[str, bool] = {}
    for name, hint in get_type_hints(function, include_extras=True).items():
        for declared in _declarations(hint):
            parameters[declared.alias or name] = _is_list(get_args(hint)[0])
    return parameters


def _declarations(hint: Any) -> list[Any]:
    return (
        [annotation for annotation in get_args(hint)[1:] if isinstance(annotation, Query)]
        if get_origin(hint) is Annotated
        else []
    )


def _is_list(kind: Any) -> bool:
    return get_origin(kind) is list or any(get_origin(argument) is list for argument in get_args(kind))
