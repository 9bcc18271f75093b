"""Checks what a test passes to a kit: inputs, payloads, fakes, workflows."""

from __future__ import annotations

import copy
import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, JsonValue

from stepfast.errors import InvalidRequest, NotStorable
from stepfast.language.external_steps import ExternalStep
from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.values.codec import Codec
from stepfast.values.compare import is_plain_json


def as_input(workflow: Workflow[..., Any], value: Any) -> Any:
    """The input as plain JSON values. An input of the wrong type is passed on, since the engine refuses it."""
    if is_plain_json(value):
        return copy.deepcopy(value)  # the engine validates it and fills in defaults, as for a client
    try:
        return workflow.input.sendable(value)
    except NotStorable:
        return as_json(value, "input")


def as_json(value: Any, where: str) -> Any:
    """Plain JSON values of a model, a dataclass or plain values; InvalidRequest for any other value."""
    typed = isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type))
    try:
        return Codec(type(value) if typed else JsonValue, where).sendable(value)
    except NotStorable as error:
        raise InvalidRequest(str(error), ((where + error.path, str(error)),)) from error


def checked_fake(step: Step[..., Any] | ExternalStep[..., Any], fake: Any) -> Callable[..., Any]:
    """The function that a fake runs; TypeError or NotStorable for a fake that does not fit the step."""
    if isinstance(fake, BaseException) or (isinstance(fake, type) and issubclass(fake, BaseException)):
        if isinstance(step, ExternalStep):
            raise TypeError(f"to have external step {step.name!r} fail, give a function that raises {fake!r}")
        raise TypeError(f"to have step {step.name!r} raise, use env.fail(step, error=…)")
    if isinstance(fake, Step):
        fake = fake.function
    if not callable(fake):
        step.result.encode(fake)
        return lambda *args, **kwargs: fake
    try:
        signature = inspect.signature(fake)
    except ValueError:  # a builtin without one
        return _function(fake)
    positional, named = list[str](), dict[str, None]()
    for name, parameter in step.arguments.signature.parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = None
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            positional.append(name)
    try:
        signature.bind(*positional, **named)
    except TypeError as error:
        asked = step.arguments.signature
        raise TypeError(f"the fake of step {step.name!r} takes {signature}, the step {asked}: {error}") from None
    return _function(fake)


def _function(fake: Any) -> Callable[..., Any]:
    function: Callable[..., Any] = fake
    return function


def checked_step(step: Any) -> Step[..., Any]:
    """The step itself; TypeError for anything but a function with @step."""
    if isinstance(step, ExternalStep):
        raise TypeError(
            f"the work of {step.name!r} is done elsewhere: env.fake({step.name}, …) takes a function that raises, and "
            f"{step.name}.start is the step that starts the work"
        )
    if not isinstance(step, Step):
        raise TypeError(f"{step!r} is not a step: give a function that has @step")
    return step


def checked_workflows(
    arguments: tuple[Workflow[..., Any] | Registry, ...], kit: str
) -> Registry | list[Workflow[..., Any]]:
    """The registry or the workflows that a kit is made with; TypeError, which names the kit, for anything else."""
    if len(arguments) == 1 and isinstance(arguments[0], Registry):
        return arguments[0]
    workflows = [argument for argument in arguments if isinstance(argument, Workflow)]
    if not arguments or len(workflows) < len(arguments):
        raise TypeError(f"{kit} takes functions that have @workflow, or one Registry")
    return workflows
