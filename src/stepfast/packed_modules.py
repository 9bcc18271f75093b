"""Imports the modules of a Lambda bundle out of one file, which saves a search, three system calls and more for each.

`stepfast.infra.packing` writes the file when a bundle is built: the bytecode of many modules, one after the other, with
an index before it. The modules still have their files, so tracebacks, `inspect` and resources of packages are as usual.
A module that is not in the file, or whose bytecode is of another Python, is imported as usual.
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

PLACE = "stepfast/__pycache__/modules.packed"
"""The file's path in a bundle. It is beside other bytecode, which a bundle's digest leaves out, too."""
INDEX_BYTES = 4
"""The file begins with the length of its index, in so many bytes, the lowest first."""


class PackedModules:
    """A finder of modules, for `sys.meta_path`.

    root: the bundle's folder. index: of each module whether it is a package, and where its bytecode begins and ends.
    code: all bytecode, with the header that files of bytecode have.
    """

    def __init__(self, root: str, index: Mapping[str, tuple[bool, int, int]], code: memoryview) -> None:
        self._root, self._index, self._code = root, index, code

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for a module that is not in the file, or that would not be found in the bundle's folder."""
        entry = self._index.get(name)
        if entry is None:
            return None
        is_package, begin, end = entry
        place = f"{self._root}/{name.replace('.', '/')}"
        if path is None:
            if self._is_shadowed(name):
                return None
        elif len(path) != 1 or path[0] != place.rpartition("/")[0]:
            return None
        file = f"{place}/__init__.py" if is_package else f"{place}.py"
        loader = _PackedLoader(name, file, self._code[begin:end])
        return spec_from_file_location(
            name, file, loader=loader, submodule_search_locations=[place] if is_package else None
        )

    def _is_shadowed(self, name: str) -> bool:
        """Whether a folder that is searched before the bundle has a top-level module of this name."""
        before: list[str] = []
        for place in sys.path:
            if place == self._root or (not place and os.getcwd() == self._root):
                return bool(before) and PathFinder.find_spec(name, before) is not None
            before.append(place)
        return True


class _PackedLoader(SourceFileLoader):
    """Loads a module as the standard library does, with bytecode that is at hand."""

    def __init__(self, name: str, file: str, code: memoryview) -> None:
        super().__init__(name, file)
        self._code = code

    def path_stats(self, path: str) -> Mapping[str, float]:
        return {"mtime": 0, "size": 0}  # bytecode of a bundle is used without a look at its source

    def get_data(self, path: str) -> bytes:
        if path.endswith(".pyc"):
            return bytes(self._code)
        return super().get_data(path)


def install(root: str) -> None:
    """Puts a finder for the packed modules of a bundle before all others, where the bundle has some."""
    try:
        with Path(root, PLACE).open("rb") as file:
            held = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):
        return
    begin = INDEX_BYTES + int.from_bytes(held[:INDEX_BYTES], "little")
    index = json.loads(bytes(held[INDEX_BYTES:begin]))
    sys.meta_path.insert(0, PackedModules(root, index, held[begin:]))
