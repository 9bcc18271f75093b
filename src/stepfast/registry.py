"""Finds the workflows of a folder, and their steps and pools."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from stepfast.errors import DefinitionError, StartupError, UnknownWorkflow
from stepfast.workflow import Step, Workflow


class Registry:
    """Workflows by name. DefinitionError when two share one, or when a type has no JSON form."""

    def __init__(self, workflows: Iterable[Workflow[..., Any]], steps: Iterable[Step[..., Any]] = ()) -> None:
        self.workflows: dict[str, Workflow[..., Any]] = {}
        self.steps = tuple(dict.fromkeys(steps))
        for workflow in workflows:
            held = self.workflows.setdefault(workflow.name, workflow)
            if held is not workflow:
                raise DefinitionError(
                    f"two workflows are named {workflow.name!r}: in {held.__module__} and {workflow.__module__}"
                )
        for one in self.workflows.values():
            one.check()
        for step in self.steps:
            step.check()

    def get(self, name: str) -> Workflow[..., Any] | None:
        return self.workflows.get(name)

    def find(self, name: str) -> Workflow[..., Any]:
        """The workflow of this name; UnknownWorkflow lists those there are."""
        if name not in self.workflows:
            known = ", ".join(sorted(self.workflows)) or "none"
            raise UnknownWorkflow(f"no workflow is named {name!r}; there are: {known}")
        return self.workflows[name]

    def steps_of(self, workflow: Workflow[..., Any]) -> list[Step[..., Any]]:
        """The steps defined in the workflow's own package, or module if it stands alone."""
        home = workflow.__module__
        package = home if _is_package(home) else home.rpartition(".")[0] or home
        own = [one for one in self.steps if one.__module__ == home]
        return own or [one for one in self.steps if (one.__module__ + ".").startswith(package + ".")]

    @property
    def pools(self) -> list[str]:
        return sorted({step.pool for step in self.steps} | {"default"})


def discover(folder: Path) -> Registry:
    """Imports every module and package of a folder; StartupError says which one fails, and where.

    The folder is imported as a package of its parent where its name allows, so that a workflow's own
    tests, run beside the folder, see the same modules.
    """
    if not folder.is_dir():
        raise StartupError(f"no workflows folder at {folder}: make one, or name another with --workflows")
    folder = folder.resolve()
    as_package = folder.name.isidentifier()
    root = str(folder.parent if as_package else folder)
    if root not in sys.path:
        sys.path.insert(0, root)
    names = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "_")) or "." in path.stem:
            continue
        if path.suffix == ".py" or (path / "__init__.py").is_file():
            names.append(f"{folder.name}.{path.stem}" if as_package else path.stem)
    modules = [_import(name, folder) for name in names]
    loaded = [sys.modules[name] for name in sorted(sys.modules)]
    everything = list(_definitions([*modules, *(one for one in loaded if _inside(one, folder))]))
    try:
        return Registry(
            (one for one in everything if isinstance(one, Workflow)),
            (one for one in everything if isinstance(one, Step)),
        )
    except DefinitionError as error:
        raise StartupError(str(error)) from error


def _import(name: str, folder: Path) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}" if error.filename else f"importing {name} failed"
        raise StartupError(f"{where}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        frames = [one for one in traceback.extract_tb(error.__traceback__) if _is_in(one.filename, folder)]
        where = f" at {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
        raise StartupError(f"importing {name} failed{where}: {type(error).__name__}: {error}") from error
    if not _inside(module, folder):
        taken = getattr(module, "__file__", None) or "a module built into Python"
        raise StartupError(f"{name} in {folder} cannot be imported: its name is taken by {taken}; rename it")
    return module


def _definitions(modules: Iterable[ModuleType]) -> Iterator[object]:
    seen: set[int] = set()
    for module in modules:
        for value in list(vars(module).values()):
            if isinstance(value, Workflow | Step) and id(value) not in seen:
                seen.add(id(value))
                yield value


def _inside(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    # The name is looked for first: to resolve the paths of a thousand modules takes a while.
    return file is not None and folder.name in file and _is_in(file, folder)


def _is_in(file: str, folder: Path) -> bool:
    return Path(file).resolve().is_relative_to(folder)


def _is_package(name: str) -> bool:
    return hasattr(sys.modules.get(name), "__path__")
