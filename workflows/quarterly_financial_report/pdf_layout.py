"""The report as pages: headline numbers and the chart first, the tables they come from behind them."""

import io
from calendar import month_name
from functools import partial

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from .models import Figures
from .pdf_chart import month_chart
from .pdf_tables import (
    BAND,
    FAINT,
    HEADING,
    INK,
    KEY_LABEL,
    KEY_VALUE,
    RULE,
    SUBTITLE,
    TITLE,
    amount,
    costs_table,
    result_table,
    sales_table,
    share,
)

MARGIN = 20 * mm
WIDTH = A4[0] - 2 * MARGIN
FRAME_PADDING = 6  # reportlab's own; taken off the margin, so that text and tables share their edges


def render(figures: Figures) -> tuple[bytes, int]:
    """PDF bytes and page count; the same figures give the same bytes."""
    target = io.BytesIO()
    document = SimpleDocTemplate(
        target,
        pagesize=A4,
        leftMargin=MARGIN - FRAME_PADDING,
        rightMargin=MARGIN - FRAME_PADDING,
        topMargin=20 * mm,
        bottomMargin=22 * mm,
        title=figures.title,
        subject=f"{_period(figures)}, amounts in {figures.currency}",
        author="stepfast example",
        invariant=1,  # no creation time and no random id in the file
    )
    decorate = partial(_decorate, figures=figures)
    document.build(_story(figures), onFirstPage=decorate, onLaterPages=decorate)
    return target.getvalue(), document.page


def _story(figures: Figures) -> list[Flowable]:
    return [
        Paragraph(figures.title, TITLE),
        Paragraph(f"{_period(figures)} &nbsp;·&nbsp; amounts in {figures.currency}", SUBTITLE),
        Spacer(0, 6 * mm),
        _key_numbers(figures),
        Paragraph("Sales and costs by month", HEADING),
        month_chart(figures, WIDTH, 84 * mm),
        Paragraph("Result", HEADING),
        result_table(figures, WIDTH),
        PageBreak(),
        Paragraph("Sales by product and region", HEADING),
        sales_table(figures, WIDTH),
        Paragraph("Costs by category", HEADING),
        costs_table(figures, WIDTH),
    ]


def _key_numbers(figures: Figures) -> Table:
    numbers = [
        ("Sales", figures.total_sales, ""),
        ("Gross margin", figures.gross_margin, share(figures.gross_margin, figures.total_sales)),
        ("Operating costs", figures.operating_costs, share(figures.operating_costs, figures.total_sales)),
        ("Operating result", figures.operating_result, share(figures.operating_result, figures.total_sales)),
    ]
    cells = [
        [
            Paragraph(label, KEY_LABEL),
            Paragraph(amount(value), KEY_VALUE),
            Paragraph(f"{part} of sales" if part else "net of credit notes", KEY_LABEL),
        ]
        for label, value, part in numbers
    ]
    return Table(
        [cells],
        colWidths=[WIDTH / 4] * 4,
        style=TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, -1), BAND),
                ("LINEAFTER", (0, 0), (-2, -1), 0.5, RULE),
                ("LEFTPADDING", (0, 0), (-1, -1), 9),
                ("RIGHTPADDING", (0, 0), (-1, -1), 4),
                ("TOPPADDING", (0, 0), (-1, -1), 8),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 9),
            ]
        ),
    )


def _period(figures: Figures) -> str:
    first, last = figures.months[0].month, figures.months[-1].month
    return f"{month_name[first]} to {month_name[last]} {figures.year}"


def _decorate(canvas: Canvas, document: SimpleDocTemplate, figures: Figures) -> None:
    canvas.saveState()
    canvas.setFillColor(INK)
    canvas.rect(0, A4[1] - 6 * mm, A4[0], 6 * mm, stroke=0, fill=1)
    canvas.setStrokeColor(RULE)
    canvas.line(MARGIN, 16 * mm, A4[0] - MARGIN, 16 * mm)
    canvas.setFillColor(FAINT)
    canvas.setFont("Helvetica", 8)
    canvas.drawString(MARGIN, 11.5 * mm, figures.notice[:110])
    canvas.drawRightString(A4[0] - MARGIN, 11.5 * mm, f"Page {document.page}")
    canvas.restoreState()
