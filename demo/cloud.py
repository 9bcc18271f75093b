"""Tells the story on a played AWS and fails if any of it was not so: `python -m demo.cloud [FOLDER]`."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import httpx

from demo.parts import ensure, until
from demo.stage import FIRST_STEPS, INPUT, Stage, chapter, main
from stepfast import Client
from stepfast.client import ExecutionFailed, NotAllowed
from stepfast.engine.attempt import SKEW
from stepfast.errors import ExecutionConflict

REPORT, ORDER = "quarterly-financial-report", "order-fulfilment"
DEAD_LETTERS = "stepfast-dead-letters"
STARTS = 50
PATIENCE = 60.0


class CloudStory(Stage):
    """On `stepfast dev --cloud moto`, spoken to as a service speaks to it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "--cloud", "moto")

    def tell(self) -> None:
        began = time.monotonic()
        chapter("A ledger of synthetic data, the services around the workflow, and AWS played by moto")
        self.start_services()
        self.start_runtime()
        key = self.runtime.line(holding="sf_")
        print(key.replace(_key_in(key), "sf_…"))
        with Client(self.cli.url, _key_in(key)) as self.client:
            self.report()
            self.doors()
            self.signal()
            self.outage()
            chapter("What is left")
            for id in ("report-q3", "report-outage"):
                self.look_at_pdf(id)
            self.look_at_letters(2, "report-")
        ensure(self.runtime.end(signal.SIGINT) == 0, "stepfast dev did not end cleanly on Ctrl-C")
        print(f"\n{time.monotonic() - began:.0f} s. Everything above was checked.")

    def report(self) -> None:
        chapter(f"The report, started {STARTS} times at one moment with one id: one execution")
        with ThreadPoolExecutor(STARTS) as threads:
            started = list(threads.map(lambda _: self.client.run(REPORT, INPUT, "report-q3"), range(STARTS)))
        created = sum(execution.created for execution in started)
        print(f"{STARTS} requests: {created} started it, {STARTS - created} were given what there was")
        ensure(created == 1, f"{created} of the requests started an execution, not one")
        receipt = started[0].result(PATIENCE)
        print(f"SUCCEEDED: {json.dumps(receipt)[:80]}…")
        self.show("report-q3")
        listed = self.client.list(workflow=REPORT)["executions"]
        ensure(len(listed) == 1, f"{len(listed)} executions are listed, not one")
        ensure(set(self.attempts("report-q3").values()) == {1}, "a step of the report ran more than once")

    def doors(self) -> None:
        chapter("The id with other input is refused, and so is a wrong key")
        try:
            self.client.run(REPORT, {**INPUT, "quarter": "Q2"}, "report-q3")
        except ExecutionConflict as refusal:
            print(f"409: {refusal}")
        else:
            _wrong("another input under the id was taken")
        with Client(self.cli.url, "sf_0123456789abcdef_" + "x" * 43) as stranger:
            try:
                stranger.list()
            except NotAllowed as refusal:
                print(f"403: {refusal}")
            else:
                _wrong("a key that nobody made was let in")

    def signal(self) -> None:
        chapter("An order above the limit waits for a person; the signal lets it go on")
        line = {"sku": "desk", "quantity": 2, "unit_price": "750.00"}
        order = {"order_id": "o-1", "customer_email": "ann@example.com", "lines": [line]}
        execution = self.client.run(ORDER, order, "order-1")
        waiting = until("the order waits for its approval", lambda: self.waits_for("order-1", "approval"))
        ensure(execution.status() == "RUNNING", "it did not wait")
        print(f"order-1 is RUNNING and waits for: {waiting['name']}")
        execution.signal("approval", {"approved": True, "by": "cfo"})
        outcome = execution.result(PATIENCE)
        ensure(outcome["status"] == "shipped", f"the order was {outcome['status']}, not shipped")
        print(f"SUCCEEDED: {outcome['status']}, {outcome['total']}")

    def outage(self) -> None:
        chapter("The PDF service goes down: render_pdf is retried, then the execution is FAILED")
        self.pdf.end()
        print("pdf service: ended")
        execution = self.client.run(REPORT, INPUT, "report-outage")
        try:
            execution.result(PATIENCE)
        except ExecutionFailed as failure:
            print(f"FAILED in step {failure.step}: {failure.error_type}")
        failed = execution.describe()
        ensure(failed["status"] == "FAILED", "the execution did not fail")
        ensure(failed["error"]["step"] == "render_pdf", "it failed in another step")
        tried = self.attempts("report-outage")["render_pdf"]
        ensure(tried == 4, f"the failing step was tried {tried} times, and its policy says 4")
        self.show("report-outage")

        chapter("SQS has made a dead letter of it")
        until("there is one dead letter", lambda: self.dead_letters() == 1)
        print(f"{DEAD_LETTERS}: 1 message")
        listed = self.client.dead_letters()["dead_letters"]
        ensure([letter["execution_id"] for letter in listed] == ["report-outage"], "the API lists other dead letters")

        chapter("The service comes back, and the operator starts a redrive of the dead-letter queue")
        print(self.pdf.start())
        # No person is as quick as this story: within the clocks' skew it passes for the failure's own message.
        ended = datetime.fromisoformat(execution.describe()["ended_at"])
        until("the clocks' skew has passed", lambda: datetime.now(UTC) > ended + timedelta(seconds=SKEW + 0.5))
        print(f"redrive: {self.console('POST', '/_cloud/redrive')['messages']} message on its way")
        until("the redrive resumes the execution", lambda: execution.status() != "FAILED")
        execution.result(PATIENCE)
        self.show("report-outage")
        ensure(execution.describe()["generation"] == 1, "it was not resumed once")
        counts = self.attempts("report-outage")
        for step in FIRST_STEPS:
            ensure(counts[step] == 1, f"{step} ran {counts[step]} times")
        ensure(counts["render_pdf"] == tried + 1, "render_pdf did not run once more")
        ensure(self.dead_letters() == 0, "the dead letter is still there")
        ensure(self.client.dead_letters()["dead_letters"] == [], "the API still lists it")
        print("the finished steps did not run again, and no dead letter is left")

    # -- looking ---------------------------------------------------------------------------------------------

    def show(self, id: str) -> None:
        counts = self.attempts(id)
        print(
            f"{id}: {self.execution(id)['status']}; attempts: {', '.join(f'{step} {counts[step]}' for step in counts)}"
        )

    def waits_for(self, id: str, name: str) -> Mapping[str, Any] | None:
        waits: Iterator[Mapping[str, Any]] = (
            command
            for command in self.execution(id)["commands"]
            if command["kind"] == "signal" and command["name"] == name
        )
        return next(waits, None)

    def dead_letters(self) -> int:
        return int(self.console("GET", "/_cloud")["queues"][DEAD_LETTERS]["visible"])

    def console(self, method: str, path: str) -> Any:
        """What the operator does in AWS's console."""
        return httpx.request(method, f"{self.cli.url}{path}", trust_env=False).raise_for_status().json()


def _key_in(line: str) -> str:
    return next(word for word in line.split() if word.startswith("sf_"))


def _wrong(problem: str) -> NoReturn:
    ensure(False, problem)
    raise AssertionError


if __name__ == "__main__":
    sys.exit(main(CloudStory, "demo.cloud", __doc__))
