"""`stepfast doctor`: each check when all is in order and when it is not, and no more claimed than measured."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from moto import mock_aws
from typer.testing import CliRunner, Result

from stepfast.backends.sqlite.schema import SCHEMA_VERSION
from stepfast.cli import doctor_disk, doctor_packages
from stepfast.cli.app import app
from stepfast.functions.clients import Clients
from stepfast.http.auth import Authenticator
from tests.http.serving import Api, served

UNREACHED = "http://127.0.0.1:9"
"""The discard port (RFC 863), at which no stepfast answers."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*args: str, url: str, code: int, key: str | None = None) -> Result:
    result = CliRunner().invoke(app, ["doctor", *args], env={"STEPFAST_URL": url, "STEPFAST_API_KEY": key})
    assert result.exit_code == code, (result.stdout, result.stderr, result.exception)
    return result


def outcomes(result: Result) -> dict[str, str]:
    return {check["check"]: check["outcome"] for check in json.loads(result.stdout)["checks"]}


def test_a_line_for_each_check_and_all_is_well(project: Path, api: Api, url: str) -> None:
    result = run("--db", str(api.path), url=url, code=0)
    lines = result.stdout.splitlines()
    checks = [line[6:17].strip() for line in lines]
    assert checks == [
        *("python", "stepfast", "packages", "page", "extras", "settings", "file", "space", "file system", "durability"),
        *("server", "access"),
    ]
    assert {line[:4].strip() for line in lines} <= {"OK", "WARN"}
    shown = run("--json", "--db", str(api.path), url=url, code=0)
    assert list(outcomes(shown)) == checks
    assert json.loads(shown.stdout)["ok"] is True
    assert outcomes(shown)["file"] == outcomes(shown)["access"] == "OK"
    assert list(project.iterdir()) == []
    assert not list(api.path.parent.glob(".stepfast-doctor*"))


def test_a_server_that_was_named_and_does_not_answer_is_a_failure(project: Path) -> None:
    result = run("--json", url=UNREACHED, code=1)
    assert outcomes(result)["server"] == "FAIL"
    assert json.loads(result.stdout)["ok"] is False
    assert "access" not in outcomes(result)
    assert run(url=UNREACHED, code=1).stdout.splitlines()[-1].startswith("FAIL  server      no stepfast at ")


def test_a_wrong_key_is_a_failure_and_is_not_shown(project: Path, tmp_path: Path) -> None:
    api = Api(tmp_path / "locked.db", (), keys=Authenticator(["right-key"]))
    try:
        with served(api.handler) as url:
            wrong = run("--json", url=url, key="wrong-key", code=1)
            assert (outcomes(wrong)["server"], outcomes(wrong)["access"]) == ("OK", "FAIL")
            assert "wrong-key" not in wrong.stdout
            hidden = run("--json", url=url.replace("//", "//ann:secret@"), code=1)
            assert "secret" not in hidden.stdout
            assert outcomes(run("--json", url=url, key="right-key", code=0))["access"] == "OK"
    finally:
        api.close()


def test_a_server_of_another_version_is_a_warning(project: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_packages, "installed", lambda name: "9.9" if name == "stepfast" else "2.12")
    (server,) = (
        check for check in json.loads(run("--json", url=url, code=1).stdout)["checks"] if check["check"] == "server"
    )
    assert server["outcome"] == "WARN"
    assert "this command is 9.9" in server["text"]


def test_settings_that_cannot_be_read_are_a_failure(project: Path, url: str) -> None:
    (project / "pyproject.toml").write_text('[tool.stepfast]\nretention_days = "long"\n')
    result = run(url=url, code=1)
    (line,) = (line for line in result.stdout.splitlines() if "settings" in line[:17])
    assert line.startswith("FAIL")
    assert "retention_days" in line


@pytest.mark.parametrize(
    ("make", "outcome", "text"),
    [
        (lambda path: None, "OK", "no "),
        (
            lambda path: path.write_text("not a database, and longer than a header of SQLite" * 10),
            "FAIL",
            "cannot read",
        ),
        (lambda path: version_of(path, 0), "FAIL", "is no stepfast database"),
        (lambda path: version_of(path, SCHEMA_VERSION + 1), "FAIL", "newer stepfast"),
        (lambda path: version_of(path, SCHEMA_VERSION - 1), "WARN", "of an earlier stepfast"),
        (lambda path: version_of(path, SCHEMA_VERSION), "OK", f"schema {SCHEMA_VERSION}"),
        (lambda path: version_of(path, SCHEMA_VERSION, mode=0o644), "WARN", "others may read it"),
    ],
)
def test_the_file_is_looked_at_without_changing_it(tmp_path: Path, make: Any, outcome: str, text: str) -> None:
    path = tmp_path / "dev.db"
    make(path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    finding = doctor_disk.file(path)
    assert (finding.outcome, text in finding.text) == (outcome, True), finding
    assert bool(finding.advice) is (outcome != "OK")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def version_of(path: Path, version: int, mode: int = 0o600) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE something (value)")
        connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    path.chmod(mode)


def test_a_damaged_file_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "dev.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE something (value)")
        connection.executemany("INSERT INTO something VALUES (?)", [("x" * 3000,)] * 20)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.close()
    damaged = bytearray(path.read_bytes())
    damaged[4096:8192] = b"\x07" * 4096
    path.write_bytes(damaged)
    path.chmod(0o600)
    assert doctor_disk.file(path).outcome == "FAIL"


MOUNTS = """\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
23 22 0:44 / {top} rw,relatime shared:1 - nfs4 files:/export rw
24 23 0:45 / {top}/with\\040space rw - tmpfs tmpfs rw
25 24 0:46 / {top}/with\\040space rw - overlay overlay rw
"""


def test_the_kind_of_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    list_of_mounts = tmp_path / "mountinfo"
    folder = tmp_path / "share"
    (folder / "with space" / "below").mkdir(parents=True)
    (folder / "with spaces").mkdir()
    list_of_mounts.write_text(MOUNTS.format(top=folder))
    kinds = [
        doctor_disk.kind_of(place, list_of_mounts)
        for place in (tmp_path, folder, folder / "with spaces", folder / "with space" / "below")
    ]
    assert kinds == ["ext4", "nfs4", "nfs4", "overlay"]
    assert doctor_disk.kind_of(tmp_path, tmp_path / "no list") is None


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("ext4", "OK"), ("apfs", "OK"), ("nfs4", "WARN"), ("cifs", "WARN"), ("tmpfs", "WARN"), ("overlay", "WARN")],
)
def test_what_is_known_of_a_kind_of_file_system_is_said(kind: str, outcome: str) -> None:
    finding = doctor_disk.file_system(kind)
    assert finding.outcome == outcome
    assert kind in finding.text
    assert doctor_disk.file_system(None).outcome == "WARN"


def test_the_time_of_a_commit_is_measured_where_the_file_will_be(tmp_path: Path) -> None:
    *_, durability = doctor_disk.disk(tmp_path / "not" / "there" / "yet")
    assert durability.outcome in ("OK", "WARN")
    assert "a commit takes" in durability.text
    assert "cannot be measured" in durability.text
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_disk.tempfile, "TemporaryDirectory", _refused)  # root may write everywhere
    finding = doctor_disk.commit_time(tmp_path)
    assert (finding.outcome, "Permission denied" in finding.text) == ("FAIL", True)


def _refused(**_: Any) -> Any:
    raise PermissionError(13, os.strerror(13))


@pytest.mark.parametrize(
    ("version", "bounds", "fit"),
    [
        ("2.12", "<3,>=2.12", True),
        ("2.12.0", ">=2.12", True),
        ("2.9.5", "<3,>=2.12", False),
        ("3.0.0", "<3,>=2.12", False),
        ("0.54.1.post2", "<0.55,>=0.54", True),
        ("10.0", "<9", False),
        ("1", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version: str, bounds: str, fit: bool) -> None:
    assert doctor_packages.fits(version, bounds) is fit


def test_a_package_that_is_missing_or_too_old_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    there = {"stepfast": "0.1.0", "rich": "1.0", "boto3": None, "moto": "5.1.12", "uv": "3.0"}
    known = doctor_packages.installed
    monkeypatch.setattr(doctor_packages, "installed", lambda name: there[name] if name in there else known(name))
    findings = {finding.check: finding for finding in doctor_packages.stepfast()}
    assert findings["packages"].outcome == "FAIL"
    assert findings["packages"].text.startswith("rich 1.0 is not ")
    assert findings["packages"].advice.startswith("pip install 'rich")
    extras = doctor_packages.extras()
    assert extras.outcome == "WARN"
    assert "not installed: aws" in extras.text
    assert "boto3 is not installed" in extras.text
    assert "uv 3.0 is not" in extras.text
    assert "dev" not in extras.text.replace("deploy", "")


def test_the_bounds_of_pyproject_are_those_that_can_be_compared() -> None:
    needed = doctor_packages._requirements()
    assert len(needed) > 10
    assert [requirement for requirement in needed if requirement.extra is None and requirement.problem()] == []
    assert {name.strip("<>=.0123456789") for requirement in needed for name in requirement.bounds.split(",")} == {""}


def test_the_key_file_is_tried(project: Path, api: Api, url: str) -> None:
    (project / "pyproject.toml").write_text('[tool.stepfast]\nkey_file = "master.key"\n')
    missing = run("--json", "--db", str(api.path), url=url, code=1)
    assert outcomes(missing)["encryption"] == "FAIL"
    assert "there is no key file master.key: put it back" in missing.stdout
    made = CliRunner().invoke(app, ["key-file", "create", "master.key"])
    assert made.exit_code == 0
    assert CliRunner().invoke(app, ["key-file", "create", "master.key"]).exit_code == 2
    warned = run("--json", "--db", str(api.path), url=url, code=0)
    assert outcomes(warned)["encryption"] == "WARN"
    assert "master.key has 1 key and can be used, and there is no key store" in warned.stdout
    assert CliRunner().invoke(app, ["key-file", "rotate", "master.key"]).exit_code == 0
    shown = CliRunner().invoke(app, ["key-file", "list", "master.key", "--json"])
    assert len(json.loads(shown.stdout)["keys"]) == 2
    fresh = run("--json", "--db", str(project / "new.db"), url=url, code=0)
    assert outcomes(fresh)["encryption"] == "OK"


def test_data_keys_without_a_key_file_are_a_warning(project: Path, url: str) -> None:
    (project / "app.db.keys").write_bytes(b"")
    result = run("--json", "--db", str(project / "app.db"), url=url, code=0)
    assert outcomes(result)["encryption"] == "WARN"


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "eu-central-1"}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.client("kms", region_name="eu-central-1")


def test_the_kms_key_is_tried(project: Path, url: str, kms: Any) -> None:
    arn = kms.create_key()["KeyMetadata"]["Arn"]
    (project / "pyproject.toml").write_text(f'[tool.stepfast]\nkms_key = "{arn}"\n')
    made = run("--json", url=url, code=0)
    assert outcomes(made)["kms key"] == "OK"
    assert f"{arn} makes data keys and opens them" in made.stdout
    assert "encryption" not in outcomes(made)
    (project / "pyproject.toml").write_text('[tool.stepfast]\nkms_key = "alias/nothing"\n')
    missing = run("--json", url=url, code=1)
    assert outcomes(missing)["kms key"] == "FAIL"
    assert "see that the key is enabled, in this region" in missing.stdout


def test_credentials_that_may_not_use_the_kms_key_are_no_failure(
    project: Path, url: str, kms: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(model: Any, **about: Any) -> Any:
        body = {"Error": {"Code": "AccessDeniedException", "Message": "no"}, "ResponseMetadata": {}}
        return AWSResponse("https://kms", 400, {}, None), body

    (project / "pyproject.toml").write_text('[tool.stepfast]\nkms_key = "alias/theirs"\n')
    right = Clients._make

    def made(self: Clients, name: str) -> Any:
        client = right(self, name)
        client.meta.events.register_first("before-call.kms", denied)
        return client

    monkeypatch.setattr(Clients, "_make", made)
    result = run("--json", url=url, code=0)
    assert outcomes(result)["kms key"] == "WARN"
    assert "these credentials may not use it" in result.stdout
