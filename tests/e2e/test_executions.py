"""Executions on the deployed stack, over HTTP, with nobody helping the event sources."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from stepfast.engine.attempt import SKEW
from tests.e2e.conftest import NAME, Deployed, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ORDER = {
    "order_id": "o-1",
    "customer_email": "ann@example.com",
    "lines": [{"sku": "tea", "quantity": 2, "unit_price": "5.00"}],
}
REPORT = {"quarter": "Q1", "year": 2026, "distribution_list": ["board@example.com"]}


def test_an_order_is_shipped(deployed: Deployed) -> None:
    done = deployed.run("order-fulfilment", ORDER, "order-1")
    assert (done["status"], done["result"]["status"]) == ("SUCCEEDED", "shipped")


def test_a_large_order_waits_for_a_person(deployed: Deployed) -> None:
    order = {**ORDER, "order_id": "o-2", "lines": [{"sku": "tea", "quantity": 300, "unit_price": "5.00"}]}
    assert deployed.start("order-fulfilment", order, "order-2").status_code == 201
    signal = {"payload": {"approved": False, "by": "bob"}, "signal_id": "s-1"}
    assert deployed.http.post("/v1/executions/order-2/signals/approval", json=signal).is_success
    assert deployed.wait("order-2")["result"]["status"] == "declined"


def test_a_report_fails_with_the_pdf_service_and_a_redrive_in_the_console_resumes_it(deployed: Deployed) -> None:
    deployed.pdf.stop()
    try:
        failed = deployed.run("quarterly-financial-report", REPORT, "report-1")
        assert failed["status"] == "FAILED"
        assert failed["error"]["step"] == "render_pdf"
    finally:
        deployed.pdf.start()
    # Within the clocks' skew a redrive would pass for the failure's own message.
    ended = datetime.fromisoformat(failed["ended_at"])
    eventually(lambda: datetime.now(UTC) > ended + timedelta(seconds=SKEW + 1), "the clocks' skew to pass")
    redrive(deployed, "report-1")
    done = deployed.wait("report-1", "SUCCEEDED")
    assert done["generation"] == 1
    assert len(deployed.mail.messages()) == 1
    collected = [one["attempt"] for one in done["commands"] if one["name"].startswith("collect_")]
    assert collected == [1, 1]


def park_queue(deployed: Deployed) -> str:
    found = deployed.emulator.client("sqs").list_queues()["QueueUrls"]
    (park,) = (str(one) for one in found if "probes-QueuesPark" in one)
    return park


def redrive(deployed: Deployed, id: str) -> None:
    """What "Start DLQ redrive" does with one message; the emulator has no StartMessageMoveTask."""
    sqs = deployed.emulator.client("sqs")
    letters = deployed.outputs["DeadLetterQueueUrl"]

    def found() -> dict[str, str] | None:
        messages = sqs.receive_message(QueueUrl=letters, VisibilityTimeout=2).get("Messages", [])
        return next((one for one in messages if f'"{id}"' in one["Body"]), None)

    letter = eventually(found, f"the dead letter of {id}")
    sqs.send_message(QueueUrl=park_queue(deployed), MessageBody=letter["Body"])
    sqs.delete_message(QueueUrl=letters, ReceiptHandle=letter["ReceiptHandle"])


def test_an_outage_fails_the_execution_and_the_api_resumes_it_from_the_step_that_failed(deployed: Deployed) -> None:
    (deployed.world / "down").touch()
    failed = deployed.run("break", "a", "break-1")
    assert failed["status"] == "FAILED"
    assert failed["error"]["type"] == "ConnectionError"
    assert deployed.attempts("fragile", "break-1") == 3
    groups = deployed.http.get("/v1/dead-letters/groups", params={"workflow": "break"}).raise_for_status().json()
    found = [(one["step"], one["error"], one["count"]) for one in groups["groups"]]
    assert found == [("fragile", "ConnectionError", 1)]
    (deployed.world / "down").unlink()
    assert deployed.http.post("/v1/executions/break-1/resume").is_success
    assert deployed.wait("break-1", "SUCCEEDED")["result"] == "a"
    assert deployed.attempts("counted", "break-1") == 1


def test_a_storm_of_starts_with_one_id_runs_once(deployed: Deployed) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: deployed.start("count", "once", "storm-1"), range(20)))
    assert sorted({one.status_code for one in answers}) == [200, 201]
    assert [one.status_code for one in answers].count(201) == 1
    assert deployed.wait("storm-1")["result"] == "once"
    assert deployed.attempts("counted", "storm-1") == 1
    assert deployed.start("count", "another input", "storm-1").status_code == 409


def test_a_timer_comes_due(deployed: Deployed) -> None:
    assert deployed.run("nap", 2.0, "nap-1")["result"] == "awake"


def test_a_signal_is_waited_for_and_taken(deployed: Deployed) -> None:
    deployed.start("ask", "question", "ask-1")
    answer = {"payload": "yes", "signal_id": "s-1"}
    assert deployed.http.post("/v1/executions/ask-1/signals/answered", json=answer).is_success
    assert deployed.wait("ask-1")["result"] == "question yes"


def test_a_large_value_goes_by_the_bucket(deployed: Deployed) -> None:
    assert deployed.run("carry", 700, "carry-1")["result"] == 700 * 1024
    s3 = deployed.emulator.client("s3")
    (bucket,) = (one["Name"] for one in s3.list_buckets()["Buckets"] if f"{NAME}-statevalues" in one["Name"])
    assert s3.list_objects_v2(Bucket=bucket, Prefix="x/")["KeyCount"] >= 1


def test_steps_of_another_pool_run_beside_each_other(deployed: Deployed) -> None:
    assert deployed.run("spread", 8, "spread-1")["result"] == sum(number * number for number in range(8))


def test_steps_keep_to_their_limit_and_its_numbers_are_changed(deployed: Deployed) -> None:
    """Under IAM: the functions may touch the items of limits, lines and gates, and the numbers."""
    assert deployed.run("limit", 4, "limit-1")["result"] == [0, 1, 2, 3]
    changed = deployed.http.put("/v1/limits/probes", json={"concurrency": 3})
    assert changed.json()["numbers"]["concurrency"] == 3
    assert deployed.http.get("/v1/limits/probes").json()["set_by"]
    closed = deployed.http.post("/v1/gates/probes/close", json={"why": "a test"})
    assert closed.json()["status"] == "CLOSED"
    assert "probes" in [gate["name"] for gate in deployed.http.get("/v1/gates").json()["gates"]]
    assert deployed.http.post("/v1/gates/probes/open", json={}).json()["status"] == "RAMPING"
    assert deployed.http.delete("/v1/limits/probes").json()["numbers"]["concurrency"] == 1


def test_a_cancelled_execution_stays_cancelled(deployed: Deployed) -> None:
    deployed.start("ask", "question", "ask-2")
    assert deployed.http.post("/v1/executions/ask-2/cancel").is_success
    assert deployed.wait("ask-2")["status"] == "CANCELLED"


def test_executions_are_listed_by_status(deployed: Deployed) -> None:
    deployed.run("count", "listed", "list-1")
    page = deployed.http.get("/v1/executions", params={"status": "SUCCEEDED", "workflow": "count"}).json()
    assert "list-1" in [one["execution_id"] for one in page["executions"]]


def test_ends_are_counted_and_ids_are_found_by_their_beginning(deployed: Deployed) -> None:
    deployed.run("count", "counted", "counted-1")

    def counted() -> int:
        figures = deployed.http.get("/v1/workflows/count/figures").raise_for_status().json()
        return sum(one["succeeded"] for one in figures["buckets"])

    assert eventually(counted, "the end to be counted") >= 1
    found = deployed.http.get("/v1/executions", params={"prefix": "counted-", "largest": 0}).raise_for_status().json()
    assert [(one["execution_id"], one["input"]) for one in found["executions"]] == [("counted-1", None)]
