"""Modules of a bundle come out of one file, and are what they would be without it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from stepfast.infra import bytecode, packing
from stepfast.infra.bundle import Source as BundleSource
from stepfast.infra.bundle import add_code, digest_of
from stepfast.packed_modules import INDEX_BYTES, PLACE

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PROGRAM = """
import json, sys, stepfast.model, stepfast.engine
module = sys.modules["stepfast.model"]
import inspect
kinds = [type(sys.modules[name].__loader__).__name__ for name in ("stepfast.model", "stepfast.engine")]
print(json.dumps([kinds, module.__file__, module.Execution.__init__.__module__, list(stepfast.engine.__path__),
                  inspect.getsource(module).startswith('"'), module.run_of.__code__.co_filename]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    bundle = tmp_path / "task"
    add_code(BundleSource(tmp_path, "flows"), bundle)
    bytecode.add(bundle, PYTHON)
    return bundle


def loaded(folder: Path, *before: Path) -> list[object]:
    path = ":".join(map(str, (*before, folder)))
    environment = {"PYTHONPATH": path, "LAMBDA_TASK_ROOT": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[object] = json.loads(done.stdout)
    return found


def test_modules_come_out_of_the_file_and_know_where_their_source_is(folder: Path) -> None:
    digest = digest_of(folder)
    kinds, *plain = loaded(folder)
    assert kinds == ["SourceFileLoader"] * 2
    assert packing.pack(folder)
    assert digest_of(folder) == digest
    kinds, *packed = loaded(folder)
    assert kinds == ["_PackedLoader"] * 2
    assert packed == plain
    assert str(folder / "stepfast/model.py") in packed


def test_the_same_bundle_has_the_same_file(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    add_code(BundleSource(tmp_path, "flows"), other)
    bytecode.add(other, PYTHON)
    assert packing.pack(folder)
    assert packing.pack(other)
    assert (folder / PLACE).read_bytes() == (other / PLACE).read_bytes()
    assert not list((folder / "stepfast/engine").rglob("*.pyc"))


def test_bytecode_of_another_python_is_not_used(folder: Path) -> None:
    packing.pack(folder)
    content = (folder / PLACE).read_bytes()
    assert importlib.util.MAGIC_NUMBER in content
    (folder / PLACE).write_bytes(content.replace(importlib.util.MAGIC_NUMBER, b"\1\2\r\n"))
    kinds, place, *_ = loaded(folder)
    assert (kinds, place) == (["_PackedLoader"] * 2, str(folder / "stepfast/model.py"))


def test_a_module_that_is_searched_before_the_bundle_wins(folder: Path, tmp_path: Path) -> None:
    (folder / "typing_extensions.py").write_text("PLACE = 'bundle'\n")
    bytecode.add(folder, PYTHON)
    packing.pack(folder)
    index = (folder / PLACE).read_bytes()[INDEX_BYTES:]
    assert b'"typing_extensions"' in index
    (tmp_path / "first").mkdir()
    (tmp_path / "first/typing_extensions.py").write_text("PLACE = 'first'\n")
    for path, expected in (((tmp_path / "first", folder), "first"), ((folder,), "bundle")):
        environment = {"PYTHONPATH": ":".join(map(str, path)), "LAMBDA_TASK_ROOT": str(folder)}
        command = [sys.executable, "-S", "-c", "import stepfast, typing_extensions as t; print(t.PLACE)"]
        done = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=True)
        assert done.stdout.split() == [expected]


def test_a_bundle_without_bytecode_has_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    add_code(BundleSource(tmp_path, "flows"), tmp_path / "task")
    assert not packing.pack(tmp_path / "task")
    assert not (tmp_path / "task" / PLACE).exists()
