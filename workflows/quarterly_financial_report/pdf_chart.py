"""The bar chart of sales against costs per month, as vectors: sharp at any size and small."""

import math
from calendar import month_name
from collections.abc import Sequence

from reportlab.graphics.charts.barcharts import VerticalBarChart
from reportlab.graphics.charts.legends import Legend
from reportlab.graphics.shapes import Drawing
from reportlab.lib.colors import HexColor

from .models import Figures

SALES_COLOUR, COSTS_COLOUR = HexColor("#1f6feb"), HexColor("#e8833a")
TEXT_COLOUR, GRID_COLOUR = HexColor("#66727f"), HexColor("#e3e8ed")


def month_chart(figures: Figures, width: float, height: float) -> Drawing:
    """Floats appear here only, where amounts become lengths on paper."""
    drawing = Drawing(width, height)
    drawing.add(_bars(figures, width, height))
    drawing.add(_legend(width, height))
    return drawing


def _bars(figures: Figures, width: float, height: float) -> VerticalBarChart:
    chart = VerticalBarChart()
    chart.x, chart.y, chart.width, chart.height = 46, 18, width - 50, height - 44
    chart.data = [
        tuple(float(month.sales) for month in figures.months),
        tuple(float(month.costs) for month in figures.months),
    ]
    chart.groupSpacing, chart.barSpacing, chart.barWidth = 34, 3, 20
    chart.bars.strokeColor = None
    chart.bars[0].fillColor, chart.bars[1].fillColor = SALES_COLOUR, COSTS_COLOUR
    chart.barLabelFormat = compact
    chart.barLabels.fontName, chart.barLabels.fontSize = "Helvetica", 7.5
    chart.barLabels.fillColor = TEXT_COLOUR
    chart.barLabels.nudge = 7
    months = chart.categoryAxis
    months.categoryNames = [month_name[month.month] for month in figures.months]
    months.labels.fontName, months.labels.fontSize, months.labels.dy = "Helvetica", 8.5, -5
    months.labels.fillColor = TEXT_COLOUR
    months.strokeColor, months.visibleTicks = GRID_COLOUR, False
    amounts = chart.valueAxis
    amounts.valueMin, amounts.valueMax, amounts.valueStep = scale([*chart.data[0], *chart.data[1]])
    amounts.labelTextFormat = compact
    amounts.labels.fontName, amounts.labels.fontSize = "Helvetica", 8
    amounts.labels.fillColor = TEXT_COLOUR
    amounts.visibleAxis, amounts.visibleTicks, amounts.visibleGrid = False, False, True
    amounts.gridStrokeColor, amounts.gridStrokeWidth = GRID_COLOUR, 0.5
    return chart


def scale(values: Sequence[float]) -> tuple[float, float, float]:
    """Lowest and highest grid line and the step between them; always with zero.

    Bars that do not start at zero would exaggerate every difference, and reportlab's own choice
    leaves the highest bar above the last line.
    """
    high, low = max(0.0, *values), min(0.0, *values)
    rough = (high - low) / 4 or 1.0
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if size * factor >= rough)
    return math.floor(low / step) * step, math.ceil(high / step) * step or step, step


def _legend(width: float, height: float) -> Legend:
    legend = Legend()
    legend.x, legend.y, legend.boxAnchor = width, height, "ne"
    legend.columnMaximum, legend.alignment, legend.deltax = 1, "right", 62
    legend.fontName, legend.fontSize, legend.fillColor = "Helvetica", 8.5, TEXT_COLOUR
    legend.dx, legend.dy, legend.strokeWidth, legend.strokeColor = 8, 8, 0, None
    legend.colorNamePairs = [(SALES_COLOUR, "Sales"), (COSTS_COLOUR, "Costs")]
    return legend


def compact(value: float) -> str:
    """1.25 M, 840 k, 12: short enough to stand on a bar."""
    size = abs(value)
    if size >= 999_500:
        return f"{value / 1e6:.2f} M"
    if size >= 1_000:
        return f"{value / 1e3:.0f} k"
    return f"{value:.0f}"
