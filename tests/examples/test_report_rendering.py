"""The PDF service as a real process, and what its client makes of every kind of answer."""

import hashlib
import io
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from pypdf import PdfReader

from stepfast import GiveUp, RetryAfter
from stepfast.testing import step_context
from tests.examples.processes import PdfService
from workflows.quarterly_financial_report import render_pdf
from workflows.quarterly_financial_report.models import Figures
from workflows.quarterly_financial_report.pdf_chart import COSTS_COLOUR, SALES_COLOUR, compact, scale
from workflows.quarterly_financial_report.pdf_layout import render
from workflows.quarterly_financial_report.pdf_service import LIMIT
from workflows.quarterly_financial_report.pdf_tables import amount
from workflows.quarterly_financial_report.rendering import RenderingFailed, fetch_pdf
from workflows.quarterly_financial_report.settings import Settings


def text_of(data: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)


@contextmanager
def answering(status: int, headers: dict[str, str], body: bytes = b"") -> Iterator[str]:
    """A service in trouble: gives the same answer to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_pdf_shows_every_figure_on_numbered_pages(pdf_service: PdfService, figures: Figures) -> None:
    data, pages = fetch_pdf(figures, pdf_service.url, 20)
    reader = PdfReader(io.BytesIO(data))
    text = text_of(data)
    assert len(reader.pages) == pages == 2
    assert reader.metadata is not None
    assert reader.metadata.title == "Quarterly financial report Q3 2026"
    for value in (
        figures.total_sales,
        figures.gross_margin,
        figures.operating_costs,
        figures.operating_result,
        *(line.amount for line in figures.sales),
        *(line.amount for line in figures.costs),
    ):
        assert amount(value) in text
    for name in ("UK & Ireland", "Subscriptions", "Salaries", "Page 2", "SYNTHETIC DATA", "amounts in EUR"):
        assert name in text


def test_the_chart_is_drawn_with_one_bar_per_month_and_side(figures: Figures) -> None:
    data, _ = render(figures)
    page = PdfReader(io.BytesIO(data)).pages[0]
    contents = page.get_contents()
    assert contents is not None
    drawing = contents.get_data().decode("latin-1")
    for colour in (SALES_COLOUR, COSTS_COLOUR):
        red, green, blue = (f"{part:.6f}".lstrip("0").rstrip("0") for part in colour.rgb())
        assert drawing.count(f"{red} {green} {blue} rg") >= 1
    assert drawing.count(" re") >= 6 + 2  # bars and the legend's swatches
    text = page.extract_text()
    for month in figures.months:
        assert compact(float(month.sales)) in text
        assert compact(float(month.costs)) in text


def test_the_same_figures_give_the_same_bytes_also_when_asked_at_once(
    pdf_service: PdfService, figures: Figures
) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: fetch_pdf(figures, pdf_service.url, 20), range(16)))
    assert len({hashlib.sha256(data).hexdigest() for data, _ in answers}) == 1


@pytest.mark.parametrize(
    ("values", "lines"),
    [
        ([545e3, 1.0], (0, 600e3, 200e3)),
        ([-3.0, 5.0], (-4, 6, 2)),
        ([0.0, 0.0], (0, 1, 1)),
    ],
)
def test_grid_lines_enclose_every_bar_and_zero(values: list[float], lines: tuple[float, float, float]) -> None:
    assert scale(values) == lines


def test_names_from_the_ledger_are_text_and_never_markup(figures: Figures) -> None:
    changed = figures.model_copy(deep=True)
    changed.costs[0].category = "<b>R&D</b> <img src='x'/>"
    changed.sales = [
        line.model_copy(update={"region": f"Region {number}"}) for number, line in enumerate(figures.sales)
    ]
    data, _ = render(changed)
    text = text_of(data)
    assert "<b>R&D</b>" in text
    assert "Other regions" in text  # more regions than columns: the smallest are added up


def test_a_bad_request_is_answered_with_a_problem_that_names_the_field(
    pdf_service: PdfService, figures: Figures
) -> None:
    body = figures.model_dump(mode="json") | {"total_sales": "1.00"}
    for content, said in (
        ({}, "quarter: Field required"),
        (body, "total_sales is 1.00, but the lines add up to"),
        (body | {"months": []}, "months: List should have at least 3 items"),
    ):
        response = httpx.post(f"{pdf_service.url}/render", json=content)
        assert response.status_code == 400
        assert response.headers["Content-Type"] == "application/problem+json"
        assert said in response.json()["detail"]
    assert httpx.post(f"{pdf_service.url}/render", content=b"{no json").status_code == 400


def test_the_service_has_a_size_limit_a_health_page_and_nothing_else(pdf_service: PdfService) -> None:
    assert httpx.post(f"{pdf_service.url}/render", content=b" " * (LIMIT + 1)).status_code == 413
    assert httpx.post(f"{pdf_service.url}/other", content=b"{}").status_code == 404
    assert httpx.get(f"{pdf_service.url}/health").json() == {"status": "ok"}
    assert httpx.get(f"{pdf_service.url}/render").status_code == 404


def test_the_service_ends_cleanly_on_sigterm_and_starts_again_on_its_port() -> None:
    service = PdfService()
    service.start()
    first = service.url
    assert service.stop() == 0
    service.start()
    try:
        assert service.url == first
        assert httpx.get(f"{first}/health").status_code == 200
    finally:
        service.stop()


def test_a_refused_request_gives_up_with_the_services_reason(pdf_service: PdfService, figures: Figures) -> None:
    wrong = figures.model_copy(update={"total_sales": figures.total_sales + 1})
    with pytest.raises(GiveUp, match=r"answered 400 Bad Request: .*total_sales is"):
        fetch_pdf(wrong, pdf_service.url, 20)


@pytest.mark.parametrize("status", [401, 404, 413, 422])
def test_other_client_errors_give_up(figures: Figures, status: int) -> None:
    with answering(status, {}) as url, pytest.raises(GiveUp, match=f"answered {status}"):
        fetch_pdf(figures, url, 20)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_sets_the_delay(figures: Figures, status: int) -> None:
    with answering(status, {"Retry-After": "17"}) as url, pytest.raises(RetryAfter) as caught:
        fetch_pdf(figures, url, 20)
    assert caught.value.seconds == 17
    assert f"answered {status}" in str(caught.value)


def test_retry_after_as_a_date_is_counted_from_now(figures: Figures) -> None:
    due = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    with answering(503, {"Retry-After": due}) as url, pytest.raises(RetryAfter) as caught:
        fetch_pdf(figures, url, 20)
    assert 80 < caught.value.seconds <= 90


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (500, {}, b""),
        (503, {}, b""),
        (503, {"Retry-After": "soon"}, b""),
        (429, {}, b""),
        (408, {}, b""),
        (302, {"Location": "/login"}, b""),
        (200, {"Content-Type": "text/html"}, b"<h1>Welcome to our proxy</h1>"),
    ],
)
def test_trouble_of_the_moment_is_an_ordinary_failure(
    figures: Figures, status: int, headers: dict[str, str], body: bytes
) -> None:
    with answering(status, headers, body) as url, pytest.raises(RenderingFailed, match=f"answered {status}"):
        fetch_pdf(figures, url, 20)


def test_a_service_that_is_away_is_an_ordinary_failure_without_its_password(figures: Figures) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(RenderingFailed) as caught:
        fetch_pdf(figures, f"http://me:secret@127.0.0.1:{port}", 20)
    assert str(caught.value).startswith(f"PDF service http://127.0.0.1:{port}/render is not reachable: ")
    assert "secret" not in str(caught.value)


def test_a_silent_service_is_given_up_in_time(figures: Figures) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RenderingFailed, match=r"took too long \(ReadTimeout\)"):
            fetch_pdf(figures, url, 0.2)


def test_the_step_keeps_one_file_per_execution(report_settings: Settings, figures: Figures) -> None:
    with step_context(render_pdf, execution_id="exec/1"):
        first, second = render_pdf.function(figures), render_pdf.function(figures)
    assert first == second
    assert first.path.read_bytes().startswith(b"%PDF-")
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert first.size == first.path.stat().st_size
    assert [path.name for path in report_settings.output.iterdir()] == ["report-2026-Q3-exec%2F1.pdf"]
