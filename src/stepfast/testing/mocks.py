"""A mock in the place of a step is refused where workflow code calls it; the error names env.fake."""

from __future__ import annotations

import sys
import types
from typing import Any
from unittest import mock

from stepfast.errors import ForbiddenInWorkflow
from stepfast.frames import frame_above, within_workflow
from stepfast.language.steps import STEP_FUNCTIONS
from stepfast.language.workflow_loop import in_workflow

_plain: Any = mock.CallableMixin.__call__


def _call(self: Any, /, *args: Any, **kwargs: Any) -> Any:
    commands = in_workflow()
    if commands is not None and (name := _stands_for(self)) is not None:
        raise commands.refuse(
            ForbiddenInWorkflow(
                f"workflow code called a mock in the place of step {name!r}: without the step nothing is recorded, "
                f"retried or replayed; use env.fake({name}, …) instead of the patch, or env.fail({name}, …)"
            )
        )
    return _plain(self, *args, **kwargs)


def _stands_for(called: Any) -> str | None:
    """The name of the step that the mock has replaced; None for a mock of something else."""
    names = {str(getattr(called, "_mock_name", None) or "").rpartition(".")[2]}
    for frame in within_workflow(frame_above(2)):
        if names & STEP_FUNCTIONS:
            break
        names |= _names_of(called, frame.f_globals)
    return next(iter(sorted(names & STEP_FUNCTIONS)), None)


def _names_of(called: Any, names: dict[str, Any]) -> set[str]:
    """The names under which the code can call it: its own globals, and those of modules that it has imported."""
    aliases = {name for name, value in list(names.items()) if value is called}
    modules = [value for value in names.values() if isinstance(value, types.ModuleType) and value is not sys]
    for module in modules:
        aliases |= {name for name in STEP_FUNCTIONS if vars(module).get(name) is called}
    return aliases


mock.CallableMixin.__call__ = _call  # type: ignore[method-assign, assignment]
