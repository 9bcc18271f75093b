"""The report in simulated time, with its real servers: a good day, an outage, a missing ledger."""

from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from stepfast.testing import Environment, MakeEnvironment
from tests.examples.processes import MailSink, PdfService
from workflows.quarterly_financial_report import (
    RENDER_RETRY,
    collect_costs,
    collect_sales,
    distribute,
    quarterly_financial_report,
    render_pdf,
)
from workflows.quarterly_financial_report.models import ReportInput
from workflows.quarterly_financial_report.settings import Settings

REQUEST = ReportInput(quarter="Q3", year=2026, distribution_list=["cfo@example.com", "board@example.com"])


@pytest.fixture
def env(stepfast_env: MakeEnvironment) -> Environment:
    return stepfast_env(quarterly_financial_report)


def attached(sink: MailSink) -> bytes:
    (message,) = sink.messages()
    (attachment,) = message.iter_attachments()
    content: Any = attachment.get_content()
    assert isinstance(content, bytes)
    return content


def test_the_report_is_rendered_stored_and_mailed(
    env: Environment, report_settings: Settings, mail_sink: MailSink
) -> None:
    run = env.run(quarterly_financial_report, REQUEST, "one")
    (stored,) = report_settings.output.iterdir()
    assert stored.name == "report-2026-Q3-one.pdf"
    assert attached(mail_sink) == stored.read_bytes()
    assert len(PdfReader(stored).pages) == 2
    assert run.result.accepted == REQUEST.distribution_list
    assert run.result.message_id == mail_sink.messages()[0]["Message-ID"]
    names = ["collect_sales", "collect_costs", "summarise", "render_pdf", "distribute"]
    assert [(call.step, call.attempt) for call in run.steps] == [(name, 1) for name in names]


def test_an_outage_of_the_pdf_service_pauses_the_report_and_a_resume_finishes_it(
    env: Environment,
    tmp_path: Path,
    report_settings: Settings,
    pdf_service: PdfService,
    mail_sink: MailSink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pdf_service.stop()
    run = env.run(quarterly_financial_report, REQUEST)
    assert run.status == "FAILED"
    assert run.error is not None
    assert run.error.step == "render_pdf"
    assert f"{pdf_service.url}/render is not reachable" in run.error.message
    assert len(run.calls(render_pdf)) == RENDER_RETRY.max_attempts
    assert mail_sink.messages() == []
    # Without a ledger, collecting again would fail: the resume must go on from its records.
    monkeypatch.setenv("REPORT_LEDGER", str(tmp_path / "gone.csv"))
    pdf_service.start()
    env.resume(run)
    assert env.run_until(run).result.accepted == REQUEST.distribution_list
    assert attached(mail_sink).startswith(b"%PDF-")
    assert len(run.calls(collect_sales)) == len(run.calls(collect_costs)) == len(run.calls(distribute)) == 1


def test_a_missing_ledger_fails_at_once_and_the_report_can_be_resumed_with_one(
    env: Environment, tmp_path: Path, report_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_LEDGER", str(tmp_path / "none.csv"))
    run = env.run(quarterly_financial_report, REQUEST)
    assert run.status == "FAILED"
    assert run.error is not None
    assert "make_ledger" in run.error.message
    assert [call.attempt for call in run.calls(collect_sales)] == [1]
    monkeypatch.setenv("REPORT_LEDGER", str(report_settings.ledger))
    env.resume(run)
    assert env.run_until(run).result.refused == {}
