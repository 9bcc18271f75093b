"""The examples' outside world: real server processes, a generated ledger, settings that point there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.processes import MailSink, PdfService
from workflows.quarterly_financial_report.figures import costs_of, figures_of, sales_of
from workflows.quarterly_financial_report.make_ledger import ledger_csv
from workflows.quarterly_financial_report.models import Figures
from workflows.quarterly_financial_report.settings import Settings


@pytest.fixture(scope="session")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger that make_ledger writes by default; read only."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.csv"
    path.write_bytes(ledger_csv(year=2026, lines=24_000, seed=7))
    return path


@pytest.fixture(scope="session")
def figures(ledger: Path) -> Figures:
    return figures_of(sales_of(ledger, "Q3", 2026), costs_of(ledger, "Q3", 2026))


@pytest.fixture
def pdf_service() -> Iterator[PdfService]:
    service = PdfService()
    service.start()
    yield service
    service.stop()


@pytest.fixture
def mail_sink(tmp_path: Path) -> Iterator[MailSink]:
    sink = MailSink(tmp_path / "mail")
    sink.start()
    yield sink
    sink.stop()


@pytest.fixture
def report_settings(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    ledger: Path,
    pdf_service: PdfService,
    mail_sink: MailSink,
) -> Settings:
    """The environment that the report's steps read, also inherited by processes started after it."""
    monkeypatch.setenv("REPORT_LEDGER", str(ledger))
    monkeypatch.setenv("REPORT_PDF_URL", pdf_service.url)
    monkeypatch.setenv("REPORT_SMTP_HOST", mail_sink.host)
    monkeypatch.setenv("REPORT_SMTP_PORT", str(mail_sink.port))
    monkeypatch.setenv("REPORT_OUTPUT", str(tmp_path / "reports"))
    monkeypatch.setenv("REPORT_SENDER", "controlling@example.com")
    return Settings.from_environment()


@pytest.fixture
def shop_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ORDER_SHOP", str(tmp_path / "shop"))
    return tmp_path / "shop"
