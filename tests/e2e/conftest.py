"""One emulator and one deployment for all tests: the examples and the probes, in a project of their own."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import httpx
import pytest

from stepfast.backends.dynamodb.api_keys import SCOPES, ApiKeys
from tests.e2e.emulator import PATIENCE, PYTHON, ROOT, Emulator, running, trusting
from tests.e2e.new_projects import new_project
from tests.examples.processes import MailSink, PdfService
from tests.http.issuing import TestIssuer, issuing, table
from tests.waiting import until
from workflows.quarterly_financial_report.make_ledger import ledger_csv

HERE = Path(__file__).parent
NAME = "probes"
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
PROJECT = """
[project]
name = "probes"
dependencies = ["stepfast", "reportlab", "aiosmtpd"]

[tool.stepfast]
event_bus = "default"

[tool.stepfast.rules.paid]
workflow = "echoed-event"

[tool.stepfast.rules.paid.pattern]
source = ["shop.payments"]
detail-type = ["order.paid"]

[tool.stepfast.inbound.shop]
workflow = "echoed-event"
aws_secret = "probes/shop"

[tool.stepfast.pools.default]
environment = {default}

[tool.stepfast.pools.pdf]
memory = 512
environment = {pdf}

[tool.stepfast.pools.side]
max_concurrency = 4

[tool.stepfast.schedules.probed]
workflow = "held"
expression = "cron(0 * * * ? *)"
timezone = "Europe/Berlin"
enabled = false
overlap = "wait"
"""
APP = """
from pathlib import Path
from stepfast.infra import synth

synth(Path(__file__).parents[1], name="probes")
"""


@dataclass(frozen=True)
class Deployed:
    """The stack, and what its steps work with: `folder` is the project's, `world` their outside world."""

    emulator: Emulator
    outputs: Mapping[str, str]
    folder: Path
    world: Path
    pdf: PdfService
    mail: MailSink
    http: httpx.Client

    def key(self, *scopes: str, until: float | None = None) -> str:
        keys = ApiKeys(self.emulator.client("dynamodb"), self.outputs["TableName"])
        return keys.create("test", scopes or SCOPES, time.time(), until)[1]

    def start(self, workflow: str, input: Any, id: str) -> httpx.Response:
        body = {"input": input, "execution_id": id}
        return self.http.post(f"/v1/workflows/{workflow}/executions", json=body)

    def wait(self, id: str, *statuses: str) -> dict[str, Any]:
        """The execution once it has one of the statuses (by default: has ended); AssertionError after PATIENCE."""
        wanted = statuses or ("SUCCEEDED", "FAILED", "CANCELLED")

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.http.get(f"/v1/executions/{id}").raise_for_status().json()
            return found if found["status"] in wanted else None

        done: dict[str, Any] = eventually(ended, f"execution {id} to be {' or '.join(wanted)}")
        return done

    def run(self, workflow: str, input: Any, id: str) -> dict[str, Any]:
        started = self.start(workflow, input, id)
        assert started.status_code == 201, started.text
        return self.wait(id)

    def attempts(self, step: str, id: str) -> int:
        log = self.world / f"{step}.log"
        return log.read_text().split().count(id) if log.exists() else 0


def eventually(look: Callable[[], Any], what: str, seconds: float = PATIENCE, pause: float = 0.25) -> Any:
    """What `look` returns once that is something; the emulator's event sources need their time."""
    return until(look, seconds, pause=pause, what=what)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and not PYTHON.exists():
            item.add_marker(pytest.mark.lacks("there is no emulator: make .cache/ministack/ready"))


# For the folder, not the session: the emulator ends before the tests that follow in its process.
@pytest.fixture(scope="package")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    world = tmp_path_factory.mktemp("world")
    (world / "mail").mkdir()
    (world / "ledger.csv").write_bytes(ledger_csv(2026, 2000, 7))
    pdf, mail = PdfService(), MailSink(world / "mail")
    pdf.start()
    mail.start()
    folder = _project(tmp_path_factory.mktemp("project"), world, pdf, mail)
    try:
        with running(home := tmp_path_factory.mktemp("emulator"), functions=trusting(home)) as emulator:
            emulator.bootstrap()
            emulator.client("secretsmanager").create_secret(Name="probes/shop", SecretString=WEBHOOK_SECRET)
            outputs = emulator.deploy(NAME, folder)
            key = ApiKeys(emulator.client("dynamodb"), outputs["TableName"]).create("tests", SCOPES, time.time())[1]
            with emulator.http(outputs, key) as http:
                yield Deployed(emulator, outputs, folder, world, pdf, mail, http)
    finally:
        pdf.stop()
        mail.stop()


@dataclass(frozen=True)
class Guarded(Deployed):
    """A second stack: values are encrypted, people sign on at an issuer on this machine, and an agent works in it."""

    issuer: TestIssuer


@pytest.fixture(scope="package")
def guarded(deployed: Deployed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    emulator, folder = deployed.emulator, new_project(tmp_path_factory.mktemp("guarded") / "guarded")
    key = emulator.client("kms").create_key(Description="values of executions")["KeyMetadata"]["Arn"]
    with issuing(emulator.tls) as issuer:
        said = table(issuer.address)
        scopes = "\n".join(f"{name} = {json.dumps(held)}" for name, held in said.pop("scopes").items())
        jwt = "\n".join(f"{name} = {json.dumps(held)}" for name, held in said.items())
        tables = f"[tool.stepfast.jwt]\n{jwt}\n\n[tool.stepfast.jwt.scopes]\n{scopes}\n"
        settings = folder / "pyproject.toml"
        text = settings.read_text().replace("[tool.stepfast]", f'[tool.stepfast]\nkms_key = "{key}"\nauth = "jwt"')
        text = text.replace('dependencies = ["stepfast"]', 'dependencies = ["stepfast[agents]"]')
        settings.write_text(f"{text}\n{tables}\n[tool.stepfast.pools.fragile]\ntimeout = 13\n")
        shutil.copyfile(HERE / "clerk.py", folder / "workflows/clerk.py")
        outputs = emulator.deploy("guarded", folder)
        api_key = ApiKeys(emulator.client("dynamodb"), outputs["TableName"]).create("guarded", SCOPES, time.time())[1]
        with emulator.http(outputs, api_key) as http:
            held = {each.name: getattr(deployed, each.name) for each in fields(Deployed)}
            yield Guarded(**{**held, "outputs": outputs, "folder": folder, "http": http}, issuer=issuer)


def _project(folder: Path, world: Path, pdf: PdfService, mail: MailSink) -> Path:
    """A user's project, as `stepfast init` lays one out, with these workflows."""
    left_out = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "workflows", folder / "workflows", ignore=left_out)
    shutil.copytree(ROOT / "tests/e2e/probes", folder / "workflows/probes", ignore=left_out)
    (folder / "workflows/probes/__init__.py").write_text("from . import probing as probing\n")
    shared = {
        "PROBES": str(world),
        "ORDER_SHOP": str(world / "shop"),
        "REPORT_LEDGER": str(world / "ledger.csv"),
        "REPORT_PDF_URL": pdf.url,
        "REPORT_SMTP_PORT": str(mail.port),
        "REPORT_OUTPUT": str(world / "reports"),
    }
    table = "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in shared.items()) + " }"
    (folder / "pyproject.toml").write_text(PROJECT.format(default=table, pdf=table))
    shutil.copyfile(ROOT / "constraints.txt", folder / "constraints.txt")
    (folder / "infra").mkdir()
    (folder / "infra/app.py").write_text(APP)
    # Packages that were fetched once, for whichever project.
    (ROOT / ".stepfast").mkdir(exist_ok=True)
    (folder / ".stepfast").symlink_to(ROOT / ".stepfast")
    shutil.copyfile(ROOT / "cdk.json", folder / "cdk.json")
    return folder
