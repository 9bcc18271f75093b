"""Tells the story and fails if any of it was not so: `python -m demo [FOLDER]`."""

from __future__ import annotations

import json
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from demo.approving import approve
from demo.front import by_period
from demo.parts import ensure, until
from demo.stage import FIRST_STEPS, INPUT, Stage, chapter, main
from stepfast import Client
from stepfast.client import Start
from workflows.quarterly_financial_report import PDF_AT_ONCE, PDF_GATE

REPORTS, OUTAGE, PATIENCE = 200, 30.0, 120.0
"""Reports that are under way in the long outage, its seconds, and the longest wait for what comes before and after."""


class Story(Stage):
    """On the embedded runtime, through the command line. Of the gate, minutes are told as seconds."""

    probe = 0.5

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "--db", str(folder / "demo.db"))

    def tell(self) -> None:
        chapter("A ledger of synthetic data, and the services around the workflow")
        self.start_services()
        self.start_runtime()
        self.report()
        self.outage()
        self.crash()
        self.long_outage()
        self.approval()
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

    def long_outage(self) -> None:
        chapter(
            f"An outage of {OUTAGE:g} s with {REPORTS} reports under way: nothing fails, and nobody resumes anything"
        )
        self.pdf.end()
        print("pdf service: ended")
        ids = [f"night-{number:03}" for number in range(REPORTS)]
        with Client(self.cli.url) as client:
            began = time.monotonic()
            started = client.run_many(Start("quarterly-financial-report", INPUT, id) for id in ids)
            ensure(not any(isinstance(start, Exception) for start in started), "a report did not start")
            until(
                "the gate closes",
                lambda: [gate for gate in client.gates()["gates"] if gate["status"] == "CLOSED"],
                PATIENCE,
            )
            time.sleep(max(0.0, began + OUTAGE / 2 - time.monotonic()))
            self.cli.show("gates", "list")
            waiting = next(id for id in reversed(ids) if self.waits(id))
            ensure("waits for gate" in self.cli.show("show", waiting), "show does not say what the step waits for")
            time.sleep(max(0.0, began + OUTAGE - time.monotonic()))
            back = time.monotonic()
            print(self.pdf.start())
            until("all reports have ended", lambda: not listed(client, "RUNNING"), PATIENCE)
            ended = time.monotonic()
            done = listed(client, "SUCCEEDED")
        ensure({execution["generation"] for execution in done} == {0}, "an execution was resumed")
        ensure(len(done) == REPORTS, f"{len(done)} reports have succeeded, not {REPORTS}")
        print(f"\n{REPORTS} reports have succeeded, {ended - back:.1f} s after the service was back")
        self.count_requests(began)

    def approval(self) -> None:
        chapter("A person approves by a link in an e-mail; opening the link answers nothing")
        approve(self.folder, self.mail, self.smtp_port)

    def count_requests(self, began: float) -> None:
        """Prints the requests that have come to the PDF service, and looks whether they were a herd."""
        requests = [request for request in self.front.requests if request.at >= began]
        refused = [request for request in requests if not request.served]
        # The last of these failures closes it; what was under way may still come.
        closed = refused[PDF_GATE.failures - 1].at + self.probe
        probes = [request for request in refused if request.at > closed]
        ramp = by_period(requests, next(request.at for request in requests if request.served), self.probe)
        print(f"Requests while it was down: {len(refused)}, of which {len(probes)} were probes. By the second:")
        print("  " + " ".join(map(str, by_period(refused, began, 1.0))))
        print(f"Requests when it was back, in each {self.probe:g} s:")
        print("  " + " ".join(map(str, ramp)))
        ensure(len(refused) - len(probes) <= PDF_GATE.failures + PDF_AT_ONCE, "the gate closed too late")
        ensure(len(probes) >= OUTAGE / self.probe / 6, "it was not probed")
        gaps = [after.at - before.at for before, after in pairwise(probes)]
        ensure(min(gaps) >= self.probe * 0.9, f"two probes came within {min(gaps):.2f} s")
        for period, count in enumerate(ramp):
            # What the rate has let through may come late, in a later period.
            ensure(sum(ramp[: period + 1]) <= 2 ** (period + 2), f"{count} requests in period {period} are a herd")

    def waits(self, id: str) -> bool:
        return _status_of(self.execution(id), "render_pdf") in (None, "OPEN", "RETRYING")

    def end(self) -> None:
        chapter("What is left")
        ids = ("report-q3", "report-outage", "report-crash")
        for id in ids:
            self.look_at_pdf(id)
        self.look_at_letters(len(ids) + REPORTS + 1, *ids)
        ensure(self.runtime.end(signal.SIGINT) == 0, "stepfast dev did not end cleanly on Ctrl-C")
        print("\nEverything above was checked.")


def listed(client: Client, status: str) -> list[Any]:
    """The executions of the long outage that have a status."""
    page = client.list(status=status, prefix="night-", limit=1000)
    return list(page["executions"])


def _status_of(execution: Any, step: str) -> str | None:
    return next((command["status"] for command in execution["commands"] if command["name"] == step), None)


if __name__ == "__main__":
    sys.exit(main(Story, "demo", __doc__))
