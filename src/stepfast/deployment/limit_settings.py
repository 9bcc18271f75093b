"""Puts the numbers of `[tool.stepfast.limits]` in the place of those of the code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stepfast.errors import DefinitionError, StartupError
from stepfast.language.limits import Limit, Numbers, numbers_with
from stepfast.language.registry import Registry


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """`[tool.stepfast.limits.NAME]`: numbers in place of those of the code. None leaves a number as it is in code.

    rate: how many attempts may begin in `per` seconds.
    per: the seconds.
    burst: how many may begin at one moment.
    concurrency: how many attempts may run at once.
    """

    rate: float | None = None
    per: float | None = None
    burst: int | None = None
    concurrency: int | None = None


def numbers_of(registry: Registry, settings: Mapping[str, LimitSettings]) -> dict[str, Numbers]:
    """The numbers of the limits that have settings: those of the code, with the settings in their place.

    Raises StartupError for a limit that no step has, and for numbers that do not fit it.
    """
    limits = {limit.name: limit for step in registry.steps for limit in step.limits}
    return {name: _numbers_of(name, limits, chosen) for name, chosen in settings.items()}


def _numbers_of(name: str, limits: Mapping[str, Limit[Any]], chosen: LimitSettings) -> Numbers:
    where, limit = f"[tool.stepfast.limits.{name}]", limits.get(name)
    if limit is None:
        there = ", ".join(sorted(limits)) or "none"
        raise StartupError(f"{where} is for a limit that no step has; there are: {there}")
    for number in ("concurrency", "rate"):
        if getattr(chosen, number) is not None and getattr(limit.numbers, number) is None:
            raise StartupError(f"{where} {number}: the limit has none in code, which decides")
    try:
        return numbers_with(limit.numbers, **asdict(chosen))
    except DefinitionError as error:
        raise StartupError(f"{where} {error}") from error


def limits_text(settings: Mapping[str, LimitSettings]) -> str:
    """The settings as a variable of the functions."""
    return json.dumps({name: asdict(chosen) for name, chosen in sorted(settings.items())})


def limits_in(text: str) -> dict[str, LimitSettings]:
    """The settings of such a variable. Raises StartupError for any other text."""
    try:
        return {name: LimitSettings(**chosen) for name, chosen in json.loads(text or "{}").items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise StartupError("STEPFAST_LIMITS is not what a deployment writes: deploy again") from error
