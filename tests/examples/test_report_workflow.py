"""The report on the embedded runtime with its real servers: a good day, an outage, a missing ledger."""

from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from tests.examples.embedded import embedded
from tests.examples.processes import MailSink, PdfService
from workflows.quarterly_financial_report import RENDER_RETRY, quarterly_financial_report
from workflows.quarterly_financial_report.settings import Settings

REQUEST = {"quarter": "Q3", "year": 2026, "distribution_list": ["cfo@example.com", "board@example.com"]}


def attached(sink: MailSink) -> bytes:
    (message,) = sink.messages()
    (attachment,) = message.iter_attachments()
    content: Any = attachment.get_content()
    assert isinstance(content, bytes)
    return content


def test_the_report_is_rendered_stored_and_mailed(
    tmp_path: Path, report_settings: Settings, mail_sink: MailSink
) -> None:
    with embedded(tmp_path, quarterly_financial_report) as app:
        app.start(quarterly_financial_report, REQUEST)
        receipt = app.result()
        attempts = app.attempts()
    (stored,) = report_settings.output.iterdir()
    assert stored.name == "report-2026-Q3-one.pdf"
    assert attached(mail_sink) == stored.read_bytes()
    assert len(PdfReader(stored).pages) == 2
    assert receipt["accepted"] == REQUEST["distribution_list"]
    assert receipt["message_id"] == mail_sink.messages()[0]["Message-ID"]
    names = ["collect_sales", "collect_costs", "summarise", "render_pdf", "distribute"]
    assert attempts == dict.fromkeys(names, 1)


def test_an_outage_of_the_pdf_service_pauses_the_report_and_a_resume_finishes_it(
    tmp_path: Path,
    report_settings: Settings,
    pdf_service: PdfService,
    mail_sink: MailSink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pdf_service.stop()
    with embedded(tmp_path, quarterly_financial_report) as app:
        app.start(quarterly_financial_report, REQUEST)
        paused = app.end()
        assert paused.status == "FAILED"
        assert paused.error is not None
        assert paused.error.step == "render_pdf"
        assert f"{pdf_service.url}/render is not reachable" in paused.error.message
        assert app.attempts()["render_pdf"] == RENDER_RETRY.max_attempts
        assert mail_sink.messages() == []
        # Without a ledger, collecting again would fail: the resume must go on from its records.
        monkeypatch.setenv("REPORT_LEDGER", str(tmp_path / "gone.csv"))
        pdf_service.start()
        app.resume()
        assert app.result()["accepted"] == REQUEST["distribution_list"]
    assert attached(mail_sink).startswith(b"%PDF-")


def test_a_missing_ledger_fails_at_once_and_the_report_can_be_resumed_with_one(
    tmp_path: Path, report_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_LEDGER", str(tmp_path / "none.csv"))
    with embedded(tmp_path, quarterly_financial_report) as app:
        app.start(quarterly_financial_report, REQUEST)
        paused = app.end()
        assert paused.status == "FAILED"
        assert paused.error is not None
        assert "make_ledger" in paused.error.message
        assert app.attempts()["collect_sales"] == 1
        monkeypatch.setenv("REPORT_LEDGER", str(report_settings.ledger))
        app.resume()
        assert app.result()["refused"] == {}
