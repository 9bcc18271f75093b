"""Reads a project's folder and builds its bundle: what a deployment is made of."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from stepfast.deployment import schedules
from stepfast.deployment.own_functions import FOLDER, own_functions
from stepfast.deployment.plan import Plan
from stepfast.deployment.project import Project
from stepfast.errors import StartupError
from stepfast.infra import bundle, image
from stepfast.infra.bundle import Bundle
from stepfast.infra.options import Options, check
from stepfast.language.registry import Registry, discover

CACHE = ".stepfast/bundles"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A deployment of a project, and the code of its functions."""

    plan: Plan
    bundle: Bundle


def prepare(
    folder: Path,
    options: Options,
    *,
    extras: Sequence[str] = (),
    include: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    cache: Path | None = None,
) -> Prepared:
    """Plans the deployment of a project and builds its bundle, without leaving the project's modules imported.

    settings: settings in place of those in pyproject.toml. cache: the folder for bundles; None takes one in `folder`.
    """
    # uv and the CDK's Node process have current folders of their own, where a relative path leads elsewhere.
    folder, cache = folder.resolve(), (cache or folder / CACHE).resolve()
    project = Project.read(folder / "pyproject.toml", settings)
    own = own_functions(folder)
    with modules_of(folder, Path(project.workflows).name):
        plan = _plan(folder, project, options, own)
    check(plan, options)
    include = [*include, FOLDER] if own else include
    source = bundle.Source(
        folder,
        project.workflows,
        extras,
        include,
        project.tracing,
        project.opentelemetry,
        (*plan.starts, *options.starts),
        project.kms_key is not None,
        project.jwt is not None,
    )
    if project.packaging == "image":
        return Prepared(plan, image.build(source, options.target, cache, project.image_base))
    return Prepared(plan, bundle.build(source, options.target, cache))


def _plan(folder: Path, project: Project, options: Options, own: frozenset[str]) -> Plan:
    registry = workflows_of(folder, project)
    plan = Plan.of(registry, project, own)
    for start in options.starts:
        schedules.check(start, registry)
    for start in (*plan.starts, *options.starts):
        if passed := schedules.check_to_come(start, time.time()):
            print(f"stepfast: {passed}", file=sys.stderr)
    return plan


def workflows_of(folder: Path, project: Project) -> Registry:
    """The project's workflows. Raises StartupError if there are none: the stack could do nothing."""
    registry = discover(folder / project.workflows)
    if not registry.workflows:
        raise StartupError(
            f"{folder / project.workflows} holds no workflow, so there is nothing to deploy: "
            "write one with @workflow, or name another folder as `workflows` in [tool.stepfast]"
        )
    return registry


@contextmanager
def modules_of(folder: Path, package: str) -> Iterator[None]:
    """Imports of a project's modules: those of another project stay away, and those of this one are forgotten.

    package: the name of the folder of workflows. It is the same in most projects. Without this, the second project of
    an app would get the modules of the first.
    """
    folder, path = folder.resolve(), list(sys.path)
    hidden = {name: module for name, module in _modules_in(package) if not _is_of(module, folder)}
    for name in hidden:
        del sys.modules[name]
    before = set(sys.modules)
    try:
        yield
    finally:
        for name, module in list(sys.modules.items()):
            if name not in before and _is_of(module, folder):
                del sys.modules[name]
        sys.modules.update(hidden)
        sys.path[:] = path


def _modules_in(package: str) -> Iterator[tuple[str, ModuleType]]:
    """The imported modules of a package, unless it is Python's own or installed: its name is not free."""
    if package in sys.stdlib_module_names:
        return
    for name, module in list(sys.modules.items()):
        installed = any("site-packages" in place.parts for place in _places(module))
        if name.partition(".")[0] == package and not installed:
            yield name, module


def _is_of(module: ModuleType, folder: Path) -> bool:
    inside = [
        place.resolve().relative_to(folder) for place in _places(module) if place.resolve().is_relative_to(folder)
    ]
    return any("site-packages" not in place.parts for place in inside)


def _places(module: ModuleType) -> list[Path]:
    """Where a module comes from. A package without __init__.py has paths and no file."""
    try:
        places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    except Exception:  # a module may be any object, and its attributes may raise
        return []
    return [Path(place) for place in places if isinstance(place, str)]
