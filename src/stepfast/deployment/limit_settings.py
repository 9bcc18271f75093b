"""Puts the numbers of `[tool.stepfast.limits]` in the place of those of the code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from stepfast.errors import DefinitionError, StartupError
from stepfast.language.limits import numbers_with
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


def configure(registry: Registry, settings: Mapping[str, LimitSettings]) -> None:
    """Gives the limits of a registry the numbers of the settings, and all others those of the code.

    Raises StartupError for a limit that no step has, and for numbers that do not fit it.
    """
    limits = [limit for step in registry.steps for limit in step.limits]
    names = {limit.name for limit in limits}
    for name in settings:
        if name not in names:
            there = ", ".join(sorted(names)) or "none"
            raise StartupError(f"[tool.stepfast.limits.{name}] is for a limit that no step has; there are: {there}")
    for limit in limits:
        name, chosen = limit.name, settings.get(limit.name)
        if chosen is None:
            limit.numbers = limit.coded
            continue
        if chosen.concurrency is not None and limit.coded.concurrency is None:
            raise StartupError(f"[tool.stepfast.limits.{name}] concurrency: the limit has none in code, which decides")
        if chosen.rate is not None and limit.coded.rate is None:
            raise StartupError(f"[tool.stepfast.limits.{name}] rate: the limit has none in code, which decides")
        try:
            limit.numbers = numbers_with(limit.coded, **asdict(chosen))
        except DefinitionError as error:
            raise StartupError(f"[tool.stepfast.limits.{name}] {error}") from error


def limits_text(settings: Mapping[str, LimitSettings]) -> str:
    """The settings as a variable of the functions."""
    return json.dumps({name: asdict(chosen) for name, chosen in sorted(settings.items())})


def limits_in(text: str) -> dict[str, LimitSettings]:
    """The settings of such a variable. Raises StartupError for any other text."""
    try:
        return {name: LimitSettings(**chosen) for name, chosen in json.loads(text or "{}").items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise StartupError("STEPFAST_LIMITS is not what a deployment writes: deploy again") from error
