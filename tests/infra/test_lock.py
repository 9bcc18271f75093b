"""Packages by hash: what constraints.txt says is what a bundle takes, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stepfast.errors import StartupError
from stepfast.infra import lock, requirements
from stepfast.infra.bundle import Source, build
from stepfast.infra.target import Target

ROOT = Path(__file__).parents[2]
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
TEXT = f"""\
# a comment
one==1.0 \\
    --hash={A} \\
    --hash={B}
Two.Words==2.0 ; sys_platform == 'win32' \\
    --hash={B}
three==3
"""


def test_hashes_are_found_by_name_and_version() -> None:
    assert lock.hashes_of(TEXT) == {("one", "1.0"): (A, B), ("two-words", "2.0"): (B,)}
    assert lock.hashes_of("one==1.0\n") == {}


def test_what_is_pinned_gets_its_hashes() -> None:
    assert lock.with_hashes("two_words==2.0 ; python_version < '4'\n", TEXT) == (
        f"two_words==2.0 ; python_version < '4' --hash={B}\n"
    )


@pytest.mark.parametrize("line", ["one==1.1", "three==3", "four==4"])
def test_what_has_no_hash_is_refused_with_what_to_do(line: str) -> None:
    with pytest.raises(StartupError, match=r"python -m stepfast\.infra\.lock"):
        lock.with_hashes(line, TEXT)


def test_what_is_shipped_is_what_was_tested_and_all_that_lambda_needs() -> None:
    shipped = dict(lock.hashes_of(lock.shipped()).keys())
    tested = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    known = {requirements.name_of(name): version for name, version in tested.items()}
    assert shipped == {name: known[name] for name in shipped}, "make src/stepfast/infra/constraints.txt anew"
    for line in requirements.of_stepfast(tracing=True, opentelemetry=True, encryption=True):
        assert requirements.name_of(line) in shipped


def test_without_an_index_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    assert lock.main([str(tmp_path)]) == 2
    assert "resolving the packages of the bundle failed" in capsys.readouterr().err
    assert not (tmp_path / "constraints.txt").exists()


def project(folder: Path, constraints: str) -> Path:
    (folder / "workflows").mkdir()
    (folder / "workflows" / "one.py").write_text("")
    (folder / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "0"\ndependencies = ["stepfast"]\n')
    (folder / "constraints.txt").write_text(constraints)
    return folder


@pytest.mark.slow
def test_a_bundle_holds_what_has_the_hashes_of_the_file(tmp_path: Path) -> None:
    made = build(Source(project(tmp_path, lock.shipped())), Target(), tmp_path / "cache")
    pinned = dict(lock.hashes_of(lock.shipped()).keys())
    for name, version in made.packages.items():
        assert name == "stepfast" or pinned[requirements.name_of(name)] == version


@pytest.mark.slow
def test_a_package_of_another_hash_is_not_taken(tmp_path: Path) -> None:
    wrong = re.sub(r"sha256:[0-9a-f]{64}", A, lock.shipped())
    with pytest.raises(StartupError, match=r"(?is)hash"):
        build(Source(project(tmp_path, wrong)), Target(), tmp_path / "cache")


@pytest.mark.slow
def test_the_file_is_made_anew_from_an_index(tmp_path: Path) -> None:
    folder = project(tmp_path, "")
    assert lock.main([str(folder)]) == 0
    text = (folder / "constraints.txt").read_text()
    assert ("pydantic" in text, "stepfast==" in text, "--index-url" in text) == (True, False, False)
    assert build(Source(folder), Target(), tmp_path / "cache").packages
