"""The folder of a container image, with the Dockerfile in it: for workflows whose packages exceed a zip's 250 MB.

The packages are installed here, as those of a zip are, and the Dockerfile only copies. So the build runs no program in
the image: it needs no network except for the base image, and no emulation for another processor.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from stepfast.infra import bundle
from stepfast.infra.bundle import MB, Bundle, Source
from stepfast.infra.target import Target

MAX_BYTES = 9 * 1024 * MB
"""The most bytes of packages and code: of Lambda's 10 GB for an image, the base image takes a part.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
# Two layers: a change of a workflow does not upload the packages again.
_DOCKERFILE = """\
# Written by stepfast. Packages and code are ready beside this file: nothing runs while the image is built.
FROM {base}
COPY requirements.txt ${{LAMBDA_TASK_ROOT}}/
COPY packages/ ${{LAMBDA_TASK_ROOT}}/
COPY code/ ${{LAMBDA_TASK_ROOT}}/
# Each function names its own handler, in place of this one.
CMD {command}
"""


def base_of(target: Target) -> str:
    """AWS's base image, which has Lambda's runtime client, the Python of the target and pip."""
    return f"public.ecr.aws/lambda/python:{target.python}"


def dockerfile(base: str) -> str:
    """The text of the Dockerfile of an image that begins with `base`."""
    return _DOCKERFILE.format(base=base, command=json.dumps(["stepfast.functions.api.handler"]))


def build(source: Source, target: Target, cache: Path, base: str | None = None) -> Bundle:
    """The folder of the project's image for a target, from `cache` or built into it.

    It holds `Dockerfile`, `requirements.txt` with every package by version and hash, `packages` and `code`. The same
    input gives the same files anywhere.

    base: the image to begin with. None takes `base_of(target)`. Raises StartupError as `bundle.build` does.
    """
    bundle.check(source)
    pinned = bundle.resolved(source, target, cache, hashes=True)
    packages = bundle.installed(pinned, target, cache)
    bundle.weigh(packages, MAX_BYTES, "leave out what no step needs")
    with tempfile.TemporaryDirectory(dir=cache) as work:
        folder = Path(work) / "image"
        shutil.copytree(packages, folder / "packages")
        bundle.add_code(source, folder / "code")
        (folder / "requirements.txt").write_text(pinned, encoding="utf-8")
        (folder / "Dockerfile").write_text(dockerfile(base or base_of(target)), encoding="utf-8")
        bundle.normalise(folder)
        return bundle.keep(folder, cache / f"image-{target.architecture}")
