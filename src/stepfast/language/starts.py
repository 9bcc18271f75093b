"""What a workflow says of its starts: one execution at a time for each key, and at most so many in a time.

Declared with `@workflow(singleton=…, throttle=…)`; engine/turns.py keeps to it (rules *turn*, *throttle*).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

from stepfast.errors import DefinitionError
from stepfast.language.limits import LabelKey, Rate, is_priority
from stepfast.language.options import seconds_of
from stepfast.records import dataclass

OnConflict = Literal["wait", "skip", "replace"]
Key = Callable[..., str] | LabelKey
_NO_KEY = 'takes a function of the workflow\'s input or label("name")'


@dataclass(frozen=True, slots=True)
class StartOptions:
    """The options of `@workflow` about starts; None stands for an option that is not set. debounce: in seconds."""

    singleton: Key | None = None
    on_conflict: OnConflict = "wait"
    throttle: Rate | None = None
    throttle_key: Key | None = None
    priority: Callable[..., int] | int = 0
    debounce: float | None = None
    debounce_key: Key | None = None


def refusal_of_child(workflow: str) -> str:
    """Why a workflow with start options cannot be a child, and what to do."""
    return (
        f"workflow {workflow!r} has a singleton, a throttle or a debounce, which starts of children do not keep to: "
        "start it in a step, with stepfast.Client"
    )


def start_options(
    where: str,
    singleton: object,
    on_conflict: object,
    throttle: object,
    throttle_key: object,
    priority: object,
    debounce: Any,
    debounce_key: object,
) -> StartOptions | None:
    """The options, checked; None where there are none. Raises DefinitionError. where: how the error calls the workflow.

    on_conflict: None for "wait".
    """
    for name, key in (("singleton", singleton), ("throttle_key", throttle_key), ("debounce_key", debounce_key)):
        if not (key is None or callable(key) or isinstance(key, LabelKey)):
            raise DefinitionError(f"{where}: {name} {_NO_KEY}, not {key!r}")
    if on_conflict is not None and on_conflict not in get_args(OnConflict):
        raise DefinitionError(f'{where}: on_conflict is "wait", "skip" or "replace", not {on_conflict!r}')
    if on_conflict is not None and singleton is None:
        raise DefinitionError(f"{where}: on_conflict is for a workflow with singleton")
    if throttle is not None and not isinstance(throttle, Rate):
        raise DefinitionError(f"{where}: throttle takes a Rate, such as Rate(10, per=60), not {throttle!r}")
    if throttle_key is not None and throttle is None:
        raise DefinitionError(f"{where}: throttle_key is for a workflow with throttle")
    if not (callable(priority) or is_priority(priority)):
        raise DefinitionError(f"{where}: priority is a whole number from 0 to 999 or a function, not {priority!r}")
    if priority != 0 and (singleton is None or on_conflict not in (None, "wait")):
        raise DefinitionError(f"{where}: priority is for executions that wait in line: singleton, on_conflict='wait'")
    if debounce_key is not None and debounce is None:
        raise DefinitionError(f"{where}: debounce_key is for a workflow with debounce")
    if debounce is not None and (singleton is not None or throttle is not None):
        raise DefinitionError(
            f"{where}: debounce goes together with neither singleton nor throttle: leave one out, or let "
            "the debounced workflow start the other one in a step, with stepfast.Client"
        )
    if singleton is None and throttle is None and debounce is None:
        return None
    seconds = None if debounce is None else seconds_of(debounce, f"{where}: debounce")
    options: Any = (singleton, on_conflict or "wait", throttle, throttle_key, priority, seconds, debounce_key)
    return StartOptions(*options)
