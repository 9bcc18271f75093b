"""The report's tables; they grow with the ledger: rows go over pages, surplus regions are added up."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, Table, TableStyle

from .models import Figures

INK, FAINT, RULE, BAND = HexColor("#1f2933"), HexColor("#66727f"), HexColor("#d5dbe1"), HexColor("#f3f6f8")
MOST_REGIONS = 4

TEXT = ParagraphStyle("text", fontName="Helvetica", fontSize=9, leading=11.5, textColor=INK)
BOLD = ParagraphStyle("bold", TEXT, fontName="Helvetica-Bold")
TITLE = ParagraphStyle("title", BOLD, fontSize=20, leading=26)
SUBTITLE = ParagraphStyle("subtitle", TEXT, fontSize=10, leading=14, textColor=FAINT)
HEADING = ParagraphStyle("heading", BOLD, fontSize=11.5, leading=15, spaceBefore=7 * mm, spaceAfter=2 * mm)
KEY_LABEL = ParagraphStyle("key label", TEXT, fontSize=8, leading=11, textColor=FAINT)
KEY_VALUE = ParagraphStyle("key value", BOLD, fontSize=13, leading=18)
RIGHT = ParagraphStyle("right", TEXT, alignment=TA_RIGHT)
RIGHT_BOLD = ParagraphStyle("right bold", BOLD, alignment=TA_RIGHT)

Row = tuple[str, ...]


def amount(value: Decimal) -> str:
    """1,234,567.89; the minus is the ASCII one, which every PDF font has and every search finds."""
    return f"{value:,.2f}"


def share(part: Decimal, whole: Decimal) -> str:
    """Per cent with one decimal; "" where there is nothing to be a part of."""
    return f"{part / whole * 100:.1f} %" if whole > 0 else ""


def sales_table(figures: Figures, width: float) -> Table:
    """Products down, regions across, both by size."""
    cells: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    products: dict[str, Decimal] = defaultdict(Decimal)
    regions: dict[str, Decimal] = defaultdict(Decimal)
    for line in figures.sales:
        regions[line.region] += line.amount
    shown = sorted(regions, key=lambda region: -regions[region])
    if len(shown) > MOST_REGIONS:
        shown = [*shown[: MOST_REGIONS - 1], "Other regions"]
    for line in figures.sales:
        region = line.region if line.region in shown else "Other regions"
        cells[line.product, region] += line.amount
        products[line.product] += line.amount
    rows = [
        (product, *(amount(cells[product, region]) for region in shown), amount(products[product]))
        for product in sorted(products, key=lambda product: -products[product])
    ]
    sums = [sum((cells[product, region] for product in products), Decimal(0)) for region in shown]
    total = ("Total", *(amount(value) for value in sums), amount(figures.total_sales))
    number = (width - 32 * mm) / (len(shown) + 1)
    return _table(("Product", *shown, "Total"), [*rows, total], [32 * mm] + [number] * (len(shown) + 1), [-1])


def costs_table(figures: Figures, width: float) -> Table:
    """Cost of sales first, each kind by size, with its share of sales."""
    ordered = sorted(figures.costs, key=lambda line: (line.kind != "cost of sales", -line.amount))
    rows = [
        (line.category, line.kind.capitalize(), amount(line.amount), share(line.amount, figures.total_sales))
        for line in ordered
    ]
    total = figures.cost_of_sales + figures.operating_costs
    rows.append(("Total", "", amount(total), share(total, figures.total_sales)))
    widths = [width - 110 * mm, 42 * mm, 40 * mm, 28 * mm]
    return _table(("Category", "Kind", figures.currency, "% of sales"), rows, widths, [-1], texts=2)


def result_table(figures: Figures, width: float) -> Table:
    """From sales down to the operating result, each with its share of sales."""
    steps = [
        ("Sales", figures.total_sales),
        ("Cost of sales", -figures.cost_of_sales),
        ("Gross margin", figures.gross_margin),
        ("Operating costs", -figures.operating_costs),
        ("Operating result", figures.operating_result),
    ]
    rows = [(label, amount(value), share(value, figures.total_sales)) for label, value in steps]
    widths = [width - 68 * mm, 40 * mm, 28 * mm]
    return _table(("", figures.currency, "% of sales"), rows, widths, [2, 4])


def _table(head: Row, rows: Sequence[Row], widths: list[float], strong: list[int], texts: int = 1) -> Table:
    """`strong` names the rows (from 0, -1 the last) that are sums; the first `texts` columns are words."""
    sums = {index % len(rows) for index in strong}
    cells = [[Paragraph(escape(text), BOLD if column < texts else RIGHT_BOLD) for column, text in enumerate(head)]]
    for number, row in enumerate(rows):
        left, right = (BOLD, RIGHT_BOLD) if number in sums else (TEXT, RIGHT)
        cells.append([Paragraph(escape(text), left if column < texts else right) for column, text in enumerate(row)])
    style = [
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("BACKGROUND", (0, 0), (-1, 0), BAND),
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE),
        ("LEFTPADDING", (texts, 0), (-1, -1), 2),  # room for thousands of millions
        ("TOPPADDING", (0, 0), (-1, -1), 3.2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3.2),
        *(("LINEABOVE", (0, number + 1), (-1, number + 1), 0.9, INK) for number in sums),
    ]
    return Table(cells, colWidths=widths, repeatRows=1, style=TableStyle(style))
