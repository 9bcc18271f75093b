"""Makes the registry of a cloud: the workflows of a test, with the steps that they may call."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from stepfast.language.registry import Registry
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow
from stepfast.testing.values import checked_workflows


def registry_of(arguments: tuple[Workflow[..., Any] | Registry, ...]) -> Registry:
    """The registry itself, or one of these workflows; TypeError for what is neither."""
    workflows = checked_workflows(arguments, "MotoCloud")
    if isinstance(workflows, Registry):
        return workflows
    modules = (module for name in {workflow.__module__ for workflow in workflows} for module in _modules(name))
    steps = (value for module in modules for value in list(vars(module).values()) if isinstance(value, Step))
    return Registry(workflows, steps)


def _modules(name: str) -> Iterator[ModuleType]:
    """A workflow's module, the modules below it, and the modules that these have imported."""
    for other, module in list(sys.modules.items()):
        if other == name or other.startswith(f"{name}."):
            yield module
            yield from (value for value in list(vars(module).values()) if isinstance(value, ModuleType))
