"""Curves of the bench as PNG pictures, on logarithmic axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, ZOOM = 760, 460, 2
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 52, 58
INK, FAINT = "#1f2933", "#dde3ea"
COLOURS = ("#1565c0", "#d2691e", "#8895a7", "#b8c1cc", "#5b8c5a")


@dataclass(frozen=True, slots=True)
class Line:
    """A curve. A thin curve is drawn for comparison."""

    label: str
    points: Sequence[tuple[float, float]]
    thin: bool = False


def plot(path: Path, title: str, across: str, up: str, lines: Sequence[Line]) -> None:
    """Draws the lines with both axes logarithmic."""
    image = Image.new("RGB", (WIDTH * ZOOM, HEIGHT * ZOOM), "white")
    draw = ImageDraw.Draw(image)
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    low, high = 10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys)))
    x_of = _scale(min(xs), max(xs), LEFT, WIDTH - RIGHT)
    y_of = _scale(low, high, HEIGHT - BOTTOM, TOP)
    for value in _ticks(low, high):
        y = y_of(value)
        draw.line([(LEFT * ZOOM, y), ((WIDTH - RIGHT) * ZOOM, y)], fill=FAINT, width=ZOOM)
        draw.text((LEFT * ZOOM - 8 * ZOOM, y), f"{value:g}", fill=INK, font=_font(12), anchor="rm")
    for value in sorted({x for x, _ in lines[0].points}):
        x = x_of(value)
        draw.line([(x, TOP * ZOOM), (x, (HEIGHT - BOTTOM) * ZOOM)], fill=FAINT, width=ZOOM)
        draw.text((x, (HEIGHT - BOTTOM + 8) * ZOOM), f"{value:,.0f}", fill=INK, font=_font(12), anchor="mt")
    draw.text((LEFT * ZOOM, 12 * ZOOM), title, fill=INK, font=_font(16))
    draw.text((LEFT * ZOOM, 33 * ZOOM), up, fill=INK, font=_font(12))
    draw.text(((WIDTH - RIGHT) * ZOOM, (HEIGHT - 24) * ZOOM), across, fill=INK, font=_font(12), anchor="rt")
    left = LEFT
    for line, colour in zip(lines, COLOURS, strict=False):
        points = [(x_of(x), y_of(y)) for x, y in line.points]
        draw.line(points, fill=colour, width=(1 if line.thin else 3) * ZOOM, joint="curve")
        for x, y in [] if line.thin else points:
            draw.ellipse([x - 4 * ZOOM, y - 4 * ZOOM, x + 4 * ZOOM, y + 4 * ZOOM], fill=colour)
        y = (HEIGHT - 18) * ZOOM
        draw.line([(left * ZOOM, y), ((left + 20) * ZOOM, y)], fill=colour, width=3 * ZOOM)
        draw.text(((left + 26) * ZOOM, y), line.label, fill=INK, font=_font(12), anchor="lm")
        left += 44 + round(draw.textlength(line.label, font=_font(12)) / ZOOM)
    image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS).quantize(64).save(path, optimize=True)


def _scale(low: float, high: float, at: float, to: float) -> Callable[[float], float]:
    start, span = math.log10(low), math.log10(high) - math.log10(low)
    return lambda value: ZOOM * (at + (to - at) * (math.log10(value) - start) / span)


def _ticks(low: float, high: float) -> list[float]:
    decades = range(round(math.log10(low)), round(math.log10(high)) + 1)
    ticks = [factor * 10.0**decade for decade in decades for factor in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size * ZOOM)
