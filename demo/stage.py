"""What the stories share: the parts in one folder that holds everything they leave, and how they are told."""

from __future__ import annotations

import argparse
import email
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo.front import Front
from demo.parts import ROOT, STEPFAST, Broken, Cli, Process, ensure
from stepfast import Client
from stepfast.errors import StepfastError

REPORT = "workflows.quarterly_financial_report"
INPUT = {"quarter": "Q3", "year": 2026, "distribution_list": ["board@example.com", "audit@example.com"]}
FIRST_STEPS = ("collect_sales", "collect_costs", "summarise")
"""Those whose results are recorded before the PDF service is asked."""
LEDGER_LINES = 3_000


class Stage:
    """The services around the workflow, and a runtime: the rest of its command is the story's own.

    probe: seconds between two attempts that the gate of the PDF service lets through while it is closed.
    """

    probe = 30.0

    def __init__(self, folder: Path, *runtime: str) -> None:
        self.folder = folder
        self.mail = folder / "mail"
        pdf_port, smtp_port = _free_port(), _free_port()
        self.front = Front(pdf_port)
        self.smtp_port = smtp_port
        settings = {
            "REPORT_LEDGER": str(folder / "ledger.csv"),
            "REPORT_PDF_URL": self.front.url,
            "REPORT_PDF_PROBE": str(self.probe),
            "REPORT_SMTP_PORT": str(smtp_port),
            "REPORT_OUTPUT": str(folder / "reports"),
            "ORDER_SHOP": str(folder / "shop"),
        }
        python = [sys.executable, "-m"]
        self.pdf = Process("pdf-service", [*python, f"{REPORT}.pdf_service", "--port", str(pdf_port)], folder, {})
        self.sink = Process(
            "mail-sink",
            [*python, f"{REPORT}.mail_sink", "--port", str(smtp_port), "--folder", str(self.mail)],
            folder,
            {},
        )
        self.runtime = Process("stepfast-dev", [*STEPFAST, "dev", "--port", "0", *runtime], folder, settings)
        self.cli = Cli("")

    def start_services(self) -> None:
        ledger = self.folder / "ledger.csv"
        make = [sys.executable, "-m", f"{REPORT}.make_ledger", "--lines", str(LEDGER_LINES), "--out", str(ledger)]
        subprocess.run(make, cwd=ROOT, check=True)
        print(self.pdf.start())
        print(self.sink.start())

    def start_runtime(self) -> None:
        line = self.runtime.start()
        print(line)
        address = re.search(r"http://\S+", line)
        ensure(address, f"no address in {line!r}")
        self.cli.url = address.group() if address else ""

    def tell(self) -> None:
        """Tells the story; Broken when something in it is not so."""
        raise NotImplementedError

    def execution(self, id: str) -> Any:
        with Client(self.cli.url) as client:
            return client.execution(id).describe()

    def attempts(self, id: str) -> dict[str, int]:
        """How often each step was begun, counted from the history."""
        with Client(self.cli.url) as client:
            events = client.execution(id).history()
        begun = [event["command"] for event in events if event["type"] == "attempt-started"]
        return {command: begun.count(command) for command in begun}

    def look_at_pdf(self, id: str) -> None:
        pdf = next(command for command in self.execution(id)["commands"] if command["name"] == "render_pdf")["output"]
        path = Path(pdf["path"])
        ensure(path.read_bytes().startswith(b"%PDF"), f"{path} is no PDF")
        print(f"PDF     {path}  ({path.stat().st_size:,} bytes)")

    def look_at_letters(self, count: int, *ids: str) -> None:
        """Counts the e-mails, and looks at those of some executions."""
        letters = sorted(self.mail.glob("*.eml"))
        ensure(len(letters) == count, f"{len(letters)} e-mails were sent, not {count}")
        for letter in (letter for letter in letters if letter.name.startswith(ids)):
            message = email.message_from_bytes(letter.read_bytes())
            attached = [part for part in message.walk() if part.get_content_type() == "application/pdf"]
            ensure(attached, f"{letter} has no PDF attached")
            print(f"e-mail  {letter}  ({message['To']})")

    def close(self) -> None:
        for process in (self.runtime, self.sink, self.pdf):
            process.end()
        self.front.close()


def chapter(title: str) -> None:
    print(f"\n── {title} ".ljust(100, "─"), flush=True)


def main(story: type[Stage], program: str, about: str | None) -> int:
    """The exit code of a story told in a folder that is emptied first."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(f".stepfast/{program.replace('.', '-')}"))
    folder = parser.parse_args().folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    stage = story(folder)
    try:
        stage.tell()
    except (Broken, StepfastError, TimeoutError) as error:
        print(f"\nNot so: {error}\nLogs are in {folder}", file=sys.stderr)
        return 1
    finally:
        stage.close()
    return 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
