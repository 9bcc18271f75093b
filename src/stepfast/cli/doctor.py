"""`stepfast doctor`: whether this installation, its file, its disk and its server are in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from stepfast.cli import doctor_encryption, doctor_packages, doctor_sign_on, printing
from stepfast.cli.doctor_packages import FAIL, OK, WARN, Finding
from stepfast.cli.session import DEFAULT_URL, AsJson, Session, session, without_credentials
from stepfast.client import NotAllowed, Unreachable
from stepfast.errors import StartupError, StepfastError

STYLES = {OK: "green", WARN: "yellow", FAIL: "bold red"}


def doctor(
    context: typer.Context,
    db: Annotated[Path, typer.Option(help="The file that `stepfast dev` runs on.")] = Path(".stepfast/dev.db"),
    as_json: AsJson = False,
) -> None:
    """Check Python, packages, settings, the file, the disk below it and the server; exits 1 when a check fails.

    It changes nothing: it writes a database of a few KB beside the file to time the disk, and removes it again.
    """
    findings: list[Finding] = []
    for finding in _findings(session(context), db):
        findings.append(finding)
        if not as_json:
            _print(finding)
    failed = sum(finding.outcome == FAIL for finding in findings)
    if as_json:
        printing.print_json({"ok": not failed, "checks": [asdict(finding) for finding in findings]})
    if failed:
        raise typer.Exit(1)


def _findings(settings: Session, db: Path) -> Iterator[Finding]:
    from stepfast.cli import doctor_disk  # imported here, so that other commands do not pay for importing SQLite

    yield doctor_packages.python()
    yield from doctor_packages.stepfast()
    yield doctor_packages.extras()
    yield project_settings()
    yield doctor_disk.file(db)
    yield from doctor_encryption.encryption(db)
    yield from doctor_sign_on.sign_on()
    yield from doctor_disk.disk(db.absolute().parent)
    yield from server(settings)


def _print(finding: Finding) -> None:
    text = f"{finding.text}: {finding.advice}" if finding.advice else finding.text
    line = printing.styled(f"{finding.outcome:<4}  ", STYLES[finding.outcome])
    line.append(printing.styled(f"{finding.check:<11} {text}"))
    line.stylize("none", len(finding.outcome))
    printing.console().print(line, soft_wrap=True)


def project_settings() -> Finding:
    """`[tool.stepfast]` of the current folder."""
    from stepfast.deployment.project import Project  # imported here: other commands do not need it

    if not Path("pyproject.toml").is_file():
        return Finding("settings", OK, "no pyproject.toml here: every setting has its default")
    try:
        Project.read("pyproject.toml")
    except StartupError as error:
        return Finding("settings", FAIL, str(error), "correct it in pyproject.toml")
    return Finding("settings", OK, "[tool.stepfast] of pyproject.toml can be read")


def server(settings: Session) -> Iterator[Finding]:
    """The server or deployment that --url names: whether it answers, its version, and whether it takes the key."""
    try:
        with settings.client() as client:
            health = client.health()
            ours = doctor_packages.installed("stepfast")
            if health["version"] == ours:
                yield Finding("server", OK, f"{settings.shown_url} answers, version {ours}")
            else:
                text = f"{settings.shown_url} answers, version {health['version']}, and this command is {ours}"
                yield Finding("server", WARN, text, "install the version of the server")
            client.list(limit=1, largest=0)
    except Unreachable as error:
        yield _no_server(settings, error.reason)
    except NotAllowed as error:
        advice = 'set STEPFAST_API_KEY or --api-key, or --iam for a deployment with auth = "iam"'
        yield Finding("access", FAIL, without_credentials(str(error)), advice)
    except StepfastError as error:
        yield Finding("access", FAIL, without_credentials(str(error)), "correct --url and the credentials")
    else:
        yield Finding("access", OK, "executions can be listed")


def _no_server(settings: Session, reason: str) -> Finding:
    text = f"no stepfast at {settings.shown_url} ({reason})"
    if settings.url == DEFAULT_URL:  # nobody has named a server, and a check before the first start is no failure
        return Finding("server", WARN, text, "start one with `stepfast dev`, or name another by --url")
    return Finding("server", FAIL, text, "check the address, the network and whether it runs")
