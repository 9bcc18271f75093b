"""The report's steps as plain functions, its settings and its input."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from stepfast import GiveUp
from workflows.quarterly_financial_report import collect_costs, collect_sales, quarterly_financial_report, summarise
from workflows.quarterly_financial_report.files import write_atomically
from workflows.quarterly_financial_report.models import Figures, ReportInput
from workflows.quarterly_financial_report.settings import Settings


def test_collecting_and_summarising_give_the_figures(
    monkeypatch: pytest.MonkeyPatch, ledger: Path, figures: Figures
) -> None:
    monkeypatch.setenv("REPORT_LEDGER", str(ledger))
    sales, costs = collect_sales.function("Q3", 2026), collect_costs.function("Q3", 2026)
    assert summarise.function(sales, costs) == figures
    assert Figures.model_validate_json(figures.model_dump_json()) == figures


def test_figures_of_two_periods_are_not_mixed(monkeypatch: pytest.MonkeyPatch, ledger: Path) -> None:
    monkeypatch.setenv("REPORT_LEDGER", str(ledger))
    with pytest.raises(ValueError, match="do not go with costs of"):
        summarise.function(collect_sales.function("Q3", 2026), collect_costs.function("Q4", 2026))


@pytest.mark.parametrize("step", [collect_sales, collect_costs])
def test_a_missing_ledger_gives_up_and_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: object
) -> None:
    monkeypatch.setenv("REPORT_LEDGER", str(tmp_path / "none.csv"))
    collect = collect_sales if step is collect_sales else collect_costs
    with pytest.raises(GiveUp, match=r"python -m workflows\.quarterly_financial_report\.make_ledger"):
        collect.function("Q3", 2026)


@pytest.mark.parametrize(
    "wrong",
    [{"quarter": "Q5"}, {"year": 26}, {"distribution_list": []}, {"distribution_list": ["nobody"]}],
)
def test_a_wrong_request_is_refused(wrong: dict[str, object]) -> None:
    right: dict[str, object] = {"quarter": "Q3", "year": 2026, "distribution_list": ["cfo@example.com"]}
    assert ReportInput.model_validate(right)
    with pytest.raises(ValidationError):
        ReportInput.model_validate(right | wrong)


def test_settings_have_local_defaults_and_are_read_at_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LEDGER", "PDF_URL", "SMTP_HOST", "SMTP_PORT", "OUTPUT", "SENDER"):
        monkeypatch.delenv(f"REPORT_{name}", raising=False)
    assert Settings.from_environment().pdf_url == "http://127.0.0.1:8791"
    assert Settings.from_environment().smtp_port == 8725
    monkeypatch.setenv("REPORT_PDF_URL", "https://pdf.example.com/")
    assert Settings.from_environment().pdf_url == "https://pdf.example.com"
    monkeypatch.setenv("REPORT_SMTP_PORT", "smtp")
    with pytest.raises(ValueError, match="REPORT_SMTP_PORT must be a port number, not 'smtp'"):
        Settings.from_environment()


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_workflow_and_its_pdf_pool_have_the_names_that_deployments_use() -> None:
    from workflows.quarterly_financial_report import render_pdf

    assert quarterly_financial_report.name == "quarterly-financial-report"
    assert render_pdf.pool == "pdf"
