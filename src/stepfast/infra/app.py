"""Makes the stack of a project's folder; a project's infra/app.py calls it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from aws_cdk import App, Environment

from stepfast.deployment.project import Project
from stepfast.errors import StartupError, StepfastError
from stepfast.http.page import HOW_TO_BUILD, DashboardPage
from stepfast.infra.assets import Assets, add_parameter, synthesizer_of
from stepfast.infra.options import Options
from stepfast.infra.preparing import prepare
from stepfast.infra.stack import StepfastStack
from stepfast.infra.target import Architecture, Target
from stepfast.infra.versions import check_cli

__all__ = ["stack", "synth"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")


def synth(
    folder: Path | str,
    *,
    name: str = "stepfast",
    extras: Sequence[str] = (),
    include: Sequence[str] = (),
    options: Options | None = None,
) -> None:
    """Writes the cloud assembly of a project: call it in infra/app.py. A StepfastError is printed in one line.

    folder: the folder of the project, which holds pyproject.toml.
    name: the name of the stack.
    extras: the optional dependencies of pyproject.toml that the workflows need.
    include: further files and folders of the project that the workflows import or read, relative to `folder`.
    options: what is set in Python and not in pyproject.toml.

    The CDK's own context overrides some: `-c stepfast:name=...`, `-c stepfast:architecture=x86_64`, `-c
    stepfast:python=3.12`, and `-c stepfast:keep=false` (the table and the bucket are deleted with the stack: for
    tests). With `-c stepfast:assets=parameter` the bucket of the code is a parameter of the template, for a deployment
    by another program than the CDK's. Raises SystemExit with status 2 when the project is not in order.
    """
    try:
        check_cli(os.environ)
        app = App()
        options = _with_context(options or Options(), app)
        stack(
            app,
            Path(folder),
            name=_context(app, "name") or name,
            extras=extras,
            include=include,
            options=options,
            assets=cast(Assets, _context(app, "assets") or "bootstrap"),
        )
    except StepfastError as error:
        print(f"stepfast: {error}", file=sys.stderr)
        raise SystemExit(2) from error
    say_what_is_left_out(DashboardPage())
    app.synth()


def say_what_is_left_out(page: DashboardPage) -> None:
    """Prints a line if the dashboard is not built.

    The stack deploys without it, and the lack would be noticed too late.
    """
    if not page.is_built:
        print(f"stepfast: this deploys the API alone: {HOW_TO_BUILD}", file=sys.stderr)


def stack(
    app: App,
    folder: Path,
    *,
    name: str = "stepfast",
    extras: Sequence[str] = (),
    include: Sequence[str] = (),
    options: Options | None = None,
    cache: Path | None = None,
    assets: Assets = "bootstrap",
) -> StepfastStack:
    """Adds the stack of a project to an app, for an infra/app.py that adds resources or permissions of its own.

    app: the CDK's app.
    folder, name, extras, include, options: as for `synth`.
    cache: the folder for bundles that were built before; by default `.stepfast/bundles` in `folder`.
    assets: where the code lies: in the bucket of `cdk bootstrap`, or in a bucket that is a parameter of the template.

    The CDK's context is not read. Raises StartupError for a `name` that no stack can have, and other classes of
    StepfastError for a project that is not in order.
    """
    options = options or Options()
    if not _NAME.fullmatch(name):
        raise StartupError(f"a stack's name is a letter and then up to 127 letters, digits and -, not {name!r}")
    synthesizer = synthesizer_of(assets)
    project = Project.read(folder / "pyproject.toml")
    environment = _environment(project)
    if synthesizer and project.packaging == "image":
        raise StartupError('stepfast:assets=parameter is for zips: set packaging = "zip", or deploy with the CDK')
    prepared = prepare(folder, options, extras=extras, include=include, cache=cache)
    made = StepfastStack(
        app,
        name,
        plan=prepared.plan,
        bundle=prepared.bundle,
        options=options,
        env=environment,
        synthesizer=synthesizer,
    )
    if synthesizer:
        add_parameter(made)
    return made


def _environment(project: Project) -> Environment | None:
    """No fixed account and region, so that one template fits any, unless a VPC has to be looked up."""
    if not project.vpc:
        return None
    account, region = os.environ.get("CDK_DEFAULT_ACCOUNT"), os.environ.get("CDK_DEFAULT_REGION")
    if not account or not region:
        raise StartupError(
            f"[tool.stepfast] vpc: {project.vpc} is looked up in your account: "
            "run this by the CDK's command line, with credentials and a region"
        )
    return Environment(account=account, region=region)


def _with_context(options: Options, app: App) -> Options:
    architecture, python, keep = (_context(app, name) for name in ("architecture", "python", "keep"))
    if keep not in ("", "true", "false"):
        raise StartupError(f"stepfast:keep is true or false, not {keep!r}")
    target = Target(cast(Architecture, architecture or options.target.architecture), python or options.target.python)
    return replace(options, target=target, keep=options.keep if not keep else keep == "true")


def _context(app: App, name: str) -> str:
    return str(app.node.try_get_context(f"stepfast:{name}") or "")
