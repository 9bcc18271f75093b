"""Puts the bytecode of the modules that functions import into one file of a bundle: see stepfast.packed_modules."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from stepfast.infra import bytecode
from stepfast.packed_modules import INDEX_BYTES, PLACE

PACKAGES = (
    "annotated_types",
    "aws_lambda_powertools",
    "botocore",
    "certifi",
    "jmespath",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
)
"""What the functions import of other projects. Their bytecode stays in its files as well.

A project's own function file may import these before anything of stepfast.
"""
NOT_PACKED = (
    *("botocore/docs", "botocore/retries", "jmespath/__main__", "pydantic/deprecated", "pydantic/mypy", "pydantic/v1"),
    *(f"aws_lambda_powertools/utilities/{name}" for name in ("batch", "data_m", "feature", "idem", "kafka", "param")),
    *(f"aws_lambda_powertools/utilities/{name}" for name in ("parser", "serial", "stream", "typing", "valid")),
)
"""Parts of them that no start of a function needs, by the beginnings of their paths."""
NEEDED_FIRST = frozenset({"stepfast", "stepfast.packed_modules"})
"""What is imported before modules can come out of the file."""


def pack(folder: Path) -> bool:
    """Writes the file of a bundle that has bytecode; False for one that has none.

    stepfast's own bytecode is in that file alone: nothing imports a part of stepfast before `stepfast` itself.
    """
    index: dict[str, tuple[bool, int, int]] = {}
    codes: list[bytes] = []
    begin = 0
    for name, is_package, path in _compiled(folder):
        code = path.read_bytes()
        index[name] = (is_package, begin, begin + len(code))
        codes.append(code)
        begin += len(code)
        if name.partition(".")[0] == "stepfast" and name not in NEEDED_FIRST:
            path.unlink()
    if not codes:
        return False
    head = json.dumps(index, separators=(",", ":")).encode()
    (folder / PLACE).write_bytes(len(head).to_bytes(INDEX_BYTES, "little") + head + b"".join(codes))
    return True


def _compiled(folder: Path) -> Iterator[tuple[str, bool, Path]]:
    """The modules that are packed, in the order of their names: name, whether it is a package, file of bytecode."""
    modules = []
    for package in ("stepfast", *PACKAGES):
        pattern = f"{package}.*.pyc" if (folder / f"{package}.py").is_file() else "*.pyc"
        top = folder / bytecode.FOLDER if (folder / f"{package}.py").is_file() else folder / package
        for path in top.rglob(pattern):
            place = path.parent.parent / path.name.partition(".")[0]
            parts = place.relative_to(folder).as_posix()
            if not parts.startswith(NOT_PACKED):
                is_package = place.name == "__init__"
                module = parts.removesuffix("/__init__") if is_package else parts
                modules.append((module.replace("/", "."), is_package, path))
    return iter(sorted(modules))
