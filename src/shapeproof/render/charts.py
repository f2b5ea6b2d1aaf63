"""Line charts and bars as SVG that stands in a page: no library, no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from shapeproof.records import dataclass
from shapeproof.render.strings import said

WIDTH, HEIGHT = 560, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 34
MOST = 400  # points of one line that are drawn

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: HTML for the legend.
        points: x and y, in order of x; points that are no finite numbers are left out.
        place: which of the style sheet's colours, from 0.
        dashed: whether to draw it so.
    """

    name: str
    points: Sequence[Point]
    place: int = 0
    dashed: bool = False


def chart(lines: Sequence[Line], title: str, across: str, log: bool = False, percent: bool = False) -> str:
    """A line chart with axes, and a legend where there is more than one line.

    Args:
        lines: what to draw; lines without points are passed over.
        title: key of the strings that says what is drawn.
        across: key of the strings for the x axis.
        log: whether the y axis is logarithmic; then y must be positive.
        percent: whether y is a share, to be written in per cent.
    """
    kept = [Line(line.name, _kept(line.points, log), line.place, line.dashed) for line in lines]
    kept = [line for line in kept if line.points]
    if not kept:
        return f'<p class="plain">{said("run.nothing")}</p>'
    xs = [x for line in kept for x, _ in line.points]
    ys = [y for line in kept for _, y in line.points]
    x_ticks, y_ticks = ticks(min(0.0, *xs), max(xs)), log_ticks(min(ys), max(ys)) if log else ticks(min(ys), max(ys))
    frame = _Frame(x_ticks, y_ticks, log)
    drawn = "".join(_path(line, frame) for line in kept)
    return (
        f'<figure class="chart"><figcaption>{said(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{said(title, "title")}'
        f"{frame.axes(percent)}{drawn}"
        f'<text class="axis" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end" data-t="{across}">'
        f"{_english(across)}</text></svg>{_legend(kept)}</figure>"
    )


def _english(key: str) -> str:
    return said(key).split(">", 1)[1].removesuffix("</span>")


def _kept(points: Sequence[Point], log: bool) -> list[Point]:
    """The points that can be drawn, thinned evenly to as many as the eye can tell apart; the last one stays."""
    fine = [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y) and (y > 0 or not log)]
    step = max(1, math.ceil(len(fine) / MOST))
    return [*fine[:-1:step], *fine[-1:]]


@dataclass(frozen=True)
class _Frame:
    x: Sequence[float]
    y: Sequence[float]
    log: bool

    def place(self, point: Point) -> Point:
        across = (point[0] - self.x[0]) / ((self.x[-1] - self.x[0]) or 1)
        up = (self._level(point[1]) - self._level(self.y[0])) / (
            (self._level(self.y[-1]) - self._level(self.y[0])) or 1
        )
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    def _level(self, y: float) -> float:
        return math.log10(y) if self.log else y

    def axes(self, percent: bool) -> str:
        """Grid lines with their numbers."""
        parts = []
        for y in self.y:
            _, at = self.place((self.x[0], y))
            text = f"{100 * y:g} %" if percent else f"{y:g}"
            parts.append(f'<path class="rule" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(f'<text class="tick" x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>')
        for x in self.x:
            at, _ = self.place((x, self.y[0]))
            parts.append(
                f'<text class="tick" x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:g}</text>'
            )
        return "".join(parts)


def _path(line: Line, frame: _Frame) -> str:
    spots = [frame.place(point) for point in line.points]
    way = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
    dash = ' stroke-dasharray="5 4"' if line.dashed else ""
    dots = ""
    if len(spots) <= 40:
        dots = "".join(
            f'<circle class="c{line.place % 6}" cx="{x:.1f}" cy="{y:.1f}" r="3">'
            f"<title>{px:g}: {py:.4g}</title></circle>"
            for (x, y), (px, py) in zip(spots, line.points, strict=True)
        )
    return f'<path class="line c{line.place % 6}"{dash} d="{way}"/>{dots}'


def _legend(lines: Sequence[Line]) -> str:
    if len(lines) < 2:
        return ""
    rows = (f'<li class="c{line.place % 6}{" dashed" if line.dashed else ""}">{line.name}</li>' for line in lines)
    return f'<ul class="legend">{"".join(rows)}</ul>'


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers that reach from at or below ``low`` to at or above ``high``."""
    span = (high - low) or abs(high) or 1.0
    raw = span / (most - 1)
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(unit * n for n in (1, 2, 2.5, 5, 10) if unit * n >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(step * n, 12) for n in range(first, max(last, first + 1) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Powers of ten, with their double and fivefold where few would stand."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    parts = (1, 2, 5) if last - first <= 3 else (1,)
    found = [part * 10.0**n for n in range(first, last + 1) for part in parts]
    below = max((n for n in found if n <= low), default=found[0])
    above = min((n for n in found if n >= high), default=found[-1])
    kept = [round(n, 12) for n in found if below <= n <= above]
    return kept if len(kept) > 1 else [kept[0], kept[0] * 10]


def bars(rows: Sequence[tuple[str, float | None, tuple[float, float] | None, str]]) -> str:
    """Shares as bars, one row each: a name, the share, its interval, and what is written beside it."""
    cells = []
    for name, share, interval, text in rows:
        mark = ""
        if share is not None:
            mark = f'<i class="bar" style="width:{100 * share:.2f}%"></i>'
        if interval:
            low, high = interval
            mark += f'<i class="whisker" style="left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"></i>'
        cells.append(
            f'<tr><th scope="row">{escape(name)}</th><td class="bars"><div>{mark}</div></td>'
            f"<td>{escape(text)}</td></tr>"
        )
    return "".join(cells)
