"""Tells the story and fails if any of it was not so: `python -m demo [FOLDER]`."""

from __future__ import annotations

import argparse
import email
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from demo.parts import ROOT, STEPFAST, Broken, Cli, Process, ensure, until
from stepfast import Client

REPORT = "workflows.quarterly_financial_report"
INPUT = {"quarter": "Q3", "year": 2026, "distribution_list": ["board@example.com", "audit@example.com"]}


class Story:
    """The parts, started in one folder that holds everything they leave."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mail = folder / "mail"
        pdf_port, smtp_port = _free_port(), _free_port()
        settings = {
            "REPORT_LEDGER": str(folder / "ledger.csv"),
            "REPORT_PDF_URL": f"http://127.0.0.1:{pdf_port}",
            "REPORT_SMTP_PORT": str(smtp_port),
            "REPORT_OUTPUT": str(folder / "reports"),
        }
        python = [sys.executable, "-m"]
        self.pdf = Process("pdf-service", [*python, f"{REPORT}.pdf_service", "--port", str(pdf_port)], folder, {})
        self.sink = Process(
            "mail-sink",
            [*python, f"{REPORT}.mail_sink", "--port", str(smtp_port), "--folder", str(self.mail)],
            folder,
            {},
        )
        self.runtime = Process(
            "stepfast-dev",
            [*STEPFAST, "dev", "--db", str(folder / "demo.db"), "--port", "0"],
            folder,
            settings,
        )
        self.cli = Cli("")

    def start_runtime(self) -> None:
        line = self.runtime.start()
        print(line)
        address = re.search(r"http://\S+", line)
        ensure(address, f"no address in {line!r}")
        self.cli.url = address.group() if address else ""

    def execution(self, id: str) -> Any:
        with Client(self.cli.url) as client:
            return client.execution(id).describe()

    def attempts(self, id: str) -> dict[str, int]:
        """How often each step was begun, counted from the history."""
        with Client(self.cli.url) as client:
            events = client.execution(id).history()
        begun = [one["command"] for one in events if one["type"] == "attempt-started"]
        return {command: begun.count(command) for command in begun}

    def tell(self) -> None:
        chapter("A ledger of synthetic data, and the services around the workflow")
        ledger = self.folder / "ledger.csv"
        subprocess.run([sys.executable, "-m", f"{REPORT}.make_ledger", "--out", str(ledger)], cwd=ROOT, check=True)
        print(self.pdf.start())
        print(self.sink.start())
        self.start_runtime()
        self.report()
        self.outage()
        self.crash()
        self.end()

    def report(self) -> None:
        chapter("Run the report; the same command again returns the same execution")
        run = ("run", "quarterly-financial-report", json.dumps(INPUT), "--id", "report-q3")
        self.cli.show(*run, "--wait")
        first = self.execution("report-q3")
        ensure(first["status"] == "SUCCEEDED", "the report did not succeed")
        self.cli.show(*run)
        second = self.execution("report-q3")
        ensure(first["created_at"] == second["created_at"], "the same command started another execution")
        ensure(set(self.attempts("report-q3").values()) == {1}, "a step of the report ran more than once")

    def outage(self) -> None:
        chapter("The PDF service goes down: the third step retries, then the execution is FAILED there")
        self.pdf.end()
        print("pdf service: ended")
        self.cli.show(
            "run",
            "quarterly-financial-report",
            json.dumps(INPUT),
            "--id",
            "report-outage",
            "--wait",
            status=1,
        )
        failed = self.execution("report-outage")
        ensure(failed["status"] == "FAILED", "the execution did not fail")
        ensure(failed["error"]["step"] == "render_pdf", "it failed in another step")
        ensure(self.attempts("report-outage")["render_pdf"] > 1, "the failing step was not retried")
        self.cli.show("show", "report-outage")
        listed = self.cli.show("dead-letters", "list")
        ensure("report-outage" in listed, "the dead letter is not listed")

        chapter("The service comes back: resume finishes it, and the first steps do not run again")
        print(self.pdf.start())
        self.cli.show("resume", "report-outage")
        self.cli.show("watch", "report-outage")
        done = self.execution("report-outage")
        ensure(done["status"] == "SUCCEEDED", "the resumed execution did not succeed")
        counts = self.attempts("report-outage")
        print("\nattempts: " + ", ".join(f"{step} {count}" for step, count in counts.items()))
        for step in ("collect_sales", "collect_costs", "summarise"):
            ensure(counts[step] == 1, f"{step} ran {counts[step]} times")

    def crash(self) -> None:
        chapter("kill -9 of the runtime in the middle of an execution; restarted, it goes on")
        self.pdf.send(signal.SIGSTOP)  # the step below hangs in its request, so the kill is in its middle
        self.cli.show("run", "quarterly-financial-report", json.dumps(INPUT), "--id", "report-crash")
        until(
            "render_pdf is running",
            lambda: _status_of(self.execution("report-crash"), "render_pdf") == "RUNNING",
        )
        self.runtime.end(signal.SIGKILL)
        print("stepfast dev: killed while render_pdf was running")
        self.pdf.send(signal.SIGCONT)
        began = time.monotonic()
        self.start_runtime()
        self.cli.show("watch", "report-crash")
        ensure(self.execution("report-crash")["status"] == "SUCCEEDED", "the execution did not finish")
        print(f"finished {time.monotonic() - began:.1f} s after the restart")
        counts = self.attempts("report-crash")
        for step in ("collect_sales", "collect_costs", "summarise"):
            ensure(counts[step] == 1, f"{step} ran {counts[step]} times")

    def end(self) -> None:
        chapter("What is left")
        for id in ("report-q3", "report-outage", "report-crash"):
            pdf = next(one for one in self.execution(id)["commands"] if one["name"] == "render_pdf")["output"]
            path = Path(pdf["path"])
            ensure(path.read_bytes().startswith(b"%PDF"), f"{path} is no PDF")
            print(f"PDF     {path}  ({path.stat().st_size:,} bytes)")
        letters = sorted(self.mail.glob("*.eml"))
        ensure(len(letters) == 3, f"{len(letters)} e-mails were sent, not 3")
        for letter in letters:
            message = email.message_from_bytes(letter.read_bytes())
            attached = [part for part in message.walk() if part.get_content_type() == "application/pdf"]
            ensure(attached, f"{letter} has no PDF attached")
            print(f"e-mail  {letter}  ({message['To']})")
        ensure(self.runtime.end(signal.SIGINT) == 0, "stepfast dev did not end cleanly on Ctrl-C")
        print("\nAll of it was so.")

    def close(self) -> None:
        for process in (self.runtime, self.sink, self.pdf):
            process.end()


def chapter(title: str) -> None:
    print(f"\n── {title} ".ljust(100, "─"), flush=True)


def _status_of(execution: Any, step: str) -> str | None:
    return next((one["status"] for one in execution["commands"] if one["name"] == step), None)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(".stepfast/demo"))
    folder = parser.parse_args().folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    story = Story(folder)
    try:
        story.tell()
    except Broken as error:
        print(f"\nNot so: {error}\nLogs are in {folder}", file=sys.stderr)
        return 1
    finally:
        story.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
