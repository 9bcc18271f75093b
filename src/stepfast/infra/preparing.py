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
    project = Project.read(folder / "pyproject.toml", settings)
    own = own_functions(folder)
    with modules_of(folder):
        plan = _plan(folder, project, options, own)
    check(plan, options)
    include = [*include, FOLDER] if own else include
    source = bundle.Source(folder, project.workflows, extras, include, project.tracing)
    cache = cache or folder / CACHE
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
def modules_of(folder: Path) -> Iterator[None]:
    """Forgets, at its end, the modules of a project's folder that were imported within.

    The folder of the workflows has the same name in most projects. Without this, the second project of an app would
    get the modules of the first.
    """
    before, path = set(sys.modules), list(sys.path)
    try:
        yield
    finally:
        new = [name for name in sys.modules if name not in before]
        for name in [name for name in new if _is_of(sys.modules[name], folder.resolve())]:
            del sys.modules[name]
        sys.path[:] = path


def _is_of(module: ModuleType, folder: Path) -> bool:
    # A package without __init__.py has a path and no file.
    places = [getattr(module, "__file__", None) or "", *getattr(module, "__path__", ())]
    inside = [Path(place).resolve().relative_to(folder) for place in places if place and _is_in(place, folder)]
    return any("site-packages" not in place.parts for place in inside)


def _is_in(place: str, folder: Path) -> bool:
    return Path(place).resolve().is_relative_to(folder)
