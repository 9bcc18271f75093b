"""Finds the workflows of a folder, and their steps and pools."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from stepfast.error_text import message_of
from stepfast.errors import DefinitionError, StartupError, UnknownWorkflow
from stepfast.language import map_batches, reachable
from stepfast.language.job_steps import JOB_STEPS
from stepfast.language.job_workflow import JOB_WORKFLOW, JOBS
from stepfast.language.limits import Limit
from stepfast.language.map_steps import BUILTIN_STEPS
from stepfast.language.reachable import Reached
from stepfast.language.steps import Step
from stepfast.language.workflows import Workflow

__all__ = ["Registry", "discover"]


class Registry:
    """Workflows by name, with the steps that they call. `discover` makes it of a folder.

    workflows: the workflows.
    steps: known steps, such as all steps of a folder, whether or not a workflow calls them. The steps that workflows
    call are found by following their code, on first access of `reached` or of the attribute `steps`.
    modules: the names of the modules that were imported to find them, in that order. Another process that imports them
    has the same workflows and steps.
    check: whether all codecs are built now. Otherwise each is built when a value is first read or written.

    Raises DefinitionError when two workflows share a name, or when a type has no JSON form.
    """

    def __init__(
        self,
        workflows: Iterable[Workflow[..., Any]],
        steps: Iterable[Step[..., Any]] = (),
        *,
        modules: Iterable[str] = (),
        check: bool = True,
    ) -> None:
        self.modules = tuple(modules)
        self.workflows: dict[str, Workflow[..., Any]] = {}
        self._named = tuple(dict.fromkeys(steps))
        for workflow in workflows:
            if workflow.name == map_batches.MAP_WORKFLOW:
                raise DefinitionError(f"a workflow cannot be named {workflow.name!r}: batches of map_items() are")
            if workflow.name == JOB_WORKFLOW:
                raise DefinitionError(f"a workflow cannot be named {workflow.name!r}: bulk jobs are")
            held = self.workflows.setdefault(workflow.name, workflow)
            if held is not workflow:
                raise DefinitionError(
                    f"two workflows are named {workflow.name!r}: in {held.__module__} and {workflow.__module__}"
                )
        self._by_name: dict[str, dict[str, Step[..., Any] | None]] = {}
        if check:
            for workflow in self.workflows.values():
                workflow.check()
            for step in self._named:
                step.check()

    @cached_property
    def reached(self) -> Mapping[str, Reached]:
        """The steps and workflows that the code of each workflow can call, by the name of the workflow."""
        reachable.follows_anew()
        return {name: reachable.reached_by(workflow) for name, workflow in self.workflows.items()}

    @cached_property
    def steps(self) -> tuple[Step[..., Any], ...]:
        """All known steps: first the steps passed to the constructor, then those that workflows call."""
        reached_steps = (step for reached in self.reached.values() for step in reached.steps)
        return tuple(dict.fromkeys((*self._named, *reached_steps)))

    def forget(self, name: str) -> None:
        """Forgets what was found out by following the code of a workflow, which has changed.

        name: the name of the workflow.
        """
        for attribute in ("reached", "steps"):
            self.__dict__.pop(attribute, None)
        self._by_name.pop(name, None)

    def check(self) -> None:
        """Raises DefinitionError for a type that has no JSON form, and for limits of one name that differ."""
        limits: dict[str, Limit[Any]] = {}
        for step in self.steps:
            step.check()
            for limit in step.limits:
                if limits.setdefault(limit.name, limit).declared != limit.declared:
                    raise DefinitionError(
                        f"step {step.name!r}: limit {limit.name!r} is declared twice, with other numbers or options; "
                        "declare it once, and import it where it is used"
                    )

    def get(self, name: str) -> Workflow[..., Any] | None:
        """The workflow of this name, which may be one of stepfast itself."""
        if name == JOB_WORKFLOW:
            return JOBS
        return self.workflows.get(name) or (self._batches if name == map_batches.MAP_WORKFLOW else None)

    def find(self, name: str) -> Workflow[..., Any]:
        """The workflow of this name. Raises UnknownWorkflow, whose text lists the known names."""
        if name not in self.workflows:
            known = ", ".join(sorted(self.workflows)) or "none"
            raise UnknownWorkflow(f"no workflow is named {name!r}; there are: {known}")
        return self.workflows[name]

    def steps_of(self, workflow: Workflow[..., Any]) -> list[Step[..., Any]]:
        """The steps that an execution of this workflow may ask for, in the order in which its code names them."""
        if workflow.name == map_batches.MAP_WORKFLOW:
            return self._mapping_steps()
        if workflow.name == JOB_WORKFLOW:
            return list(JOB_STEPS)
        reached = self.reached.get(workflow.name)
        return list(reached.steps if reached else reachable.reached_by(workflow).steps)

    def _mapping_steps(self) -> list[Step[..., Any]]:
        """The steps that batches of map_items() may run: those of the workflows that call it."""
        mapping = (reached.steps for reached in self.reached.values() if BUILTIN_STEPS[0] in reached.steps)
        return list(dict.fromkeys(step for steps in mapping for step in steps))

    @cached_property
    def _batches(self) -> Workflow[..., Any]:
        """The workflow of the batches of map_items(), which runs what the workflows here map."""
        return map_batches.workflow_with(self._mapped)

    def _mapped(self, workflow: str, kind: str, name: str) -> Step[..., Any] | Workflow[..., Any]:
        mapped = self.get(name) if kind == "workflow" else self.step(workflow, name)
        if mapped is None:
            raise DefinitionError(
                f"workflow {workflow!r} maps the {kind} {name!r}, which is not found in its code as it is deployed: "
                "define it at the top level of a module, under a name that no other step of the workflow has"
            )
        return mapped

    def step(self, workflow: str, name: str) -> Step[..., Any] | None:
        """The step of this name that an execution of a workflow may ask for; None where that is not certain.

        workflow, name: the names of the workflow and of the step.
        """
        held = self.get(workflow)
        if held is None:
            return None
        if workflow not in self._by_name:
            by_name: dict[str, Step[..., Any] | None] = {}
            reached = self.__dict__["reached"].get(workflow) if "reached" in self.__dict__ else None
            own = workflow in (map_batches.MAP_WORKFLOW, JOB_WORKFLOW)
            for step in self.steps_of(held) if own else (reached or reachable.reached_by(held)).steps:
                by_name[step.name] = None if step.name in by_name else step
            self._by_name[workflow] = by_name
        return self._by_name[workflow].get(name)

    @property
    def pools(self) -> list[str]:
        return sorted({step.pool for step in self.steps} | {"default"})


def discover(folder: Path, *, check: bool = True) -> Registry:
    """Imports the modules of a folder and of its subfolders, and returns the registry of their workflows and steps.

    folder: the folder. It is imported as a package of its parent where its name allows, so that tests beside the folder
    see the same modules.
    check: whether the types of workflows and steps are checked now. Lambda skips it: the deployment has checked them.

    Every module at its top is imported. A module in a subfolder is imported if it mentions stepfast or a workflow.
    Names that begin with _ or a dot, and tests, are left out. Modules are imported in the order of their names. Raises
    StartupError, which names the module that failed and the line.
    """
    if not folder.is_dir():
        raise StartupError(f"no workflows folder at {folder}: make one, or name another with --workflows")
    folder = folder.resolve()
    as_package = folder.name.isidentifier()
    root = str(folder.parent if as_package else folder)
    if root not in sys.path:
        sys.path.insert(0, root)
    names = [f"{folder.name}.{name}" if as_package else name for name in _module_names(folder)]
    modules = [_import(name, folder) for name in names]
    loaded = [sys.modules[name] for name in sorted(sys.modules)]
    defined = reachable.defined_in(dict.fromkeys([*modules, *(module for module in loaded if _inside(module, folder))]))
    try:
        return Registry(defined.workflows, defined.steps, modules=names, check=check)
    except DefinitionError as error:
        raise StartupError(str(error)) from error


def _module_names(folder: Path, nested: bool = False, above: tuple[Path, ...] = ()) -> Iterator[str]:
    """The modules below a folder, by their names within it, each package before what is in it."""
    for path in sorted(folder.iterdir()):
        name = path.stem
        if path.name.startswith((".", "_")) or "." in name:
            continue
        if path.suffix == ".py" and path.is_file():
            if not (nested and (_is_test(name) or not _mentions_workflows(path))):
                yield name
        elif path.is_dir() and path.resolve() not in above and name not in ("tests", "test", "node_modules"):
            if (path / "pyvenv.cfg").exists():
                continue  # a virtual environment
            if (path / "__init__.py").is_file() and not (nested and not _mentions_workflows(path / "__init__.py")):
                yield name
            inner = _module_names(path, nested=True, above=(*above, folder.resolve()))
            yield from (f"{name}.{module_name}" for module_name in inner)


def _is_test(name: str) -> bool:
    """Whether pytest imports this module, which may need packages that are not deployed."""
    return name == "conftest" or name.startswith("test_")


def _mentions_workflows(path: Path) -> bool:
    try:
        text = path.read_bytes()
    except OSError:
        return True  # the import will raise an error with the reason
    return b"stepfast" in text or b"workflow" in text


def _import(name: str, folder: Path) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except SyntaxError as error:
        where = f"{error.filename}, line {error.lineno}" if error.filename else f"importing {name} failed"
        raise StartupError(f"{where}: {error.msg}") from error
    except (Exception, SystemExit) as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_in(frame.filename, folder)]
        where = f" at {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
        raise StartupError(f"importing {name} failed{where}: {type(error).__name__}: {message_of(error)}") from error
    if not _inside(module, folder):
        taken = getattr(module, "__file__", None) or "a module built into Python"
        raise StartupError(f"{name} in {folder} cannot be imported: its name is taken by {taken}; rename it")
    return module


def _inside(module: ModuleType, folder: Path) -> bool:
    file = getattr(module, "__file__", None)
    # The cheap test of the name comes first: resolving the paths of a thousand modules is slow.
    return file is not None and folder.name in file and _is_in(file, folder)


def _is_in(file: str, folder: Path) -> bool:
    return Path(file).resolve().is_relative_to(folder)
