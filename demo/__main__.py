"""Tells the story and fails if any of it was not so: `python -m demo [FOLDER]`."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Any

from demo.parts import ensure, until
from demo.stage import FIRST_STEPS, INPUT, Stage, chapter, main


class Story(Stage):
    """On the embedded runtime, through the command line."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "--db", str(folder / "demo.db"))

    def tell(self) -> None:
        chapter("A ledger of synthetic data, and the services around the workflow")
        self.start_services()
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
        for step in FIRST_STEPS:
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
        for step in FIRST_STEPS:
            ensure(counts[step] == 1, f"{step} ran {counts[step]} times")

    def end(self) -> None:
        chapter("What is left")
        for id in ("report-q3", "report-outage", "report-crash"):
            self.look_at_pdf(id)
        self.look_at_letters(3)
        ensure(self.runtime.end(signal.SIGINT) == 0, "stepfast dev did not end cleanly on Ctrl-C")
        print("\nAll of it was so.")


def _status_of(execution: Any, step: str) -> str | None:
    return next((command["status"] for command in execution["commands"] if command["name"] == step), None)


if __name__ == "__main__":
    sys.exit(main(Story, "demo", __doc__))
