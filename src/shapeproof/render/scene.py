"""A derivation as one picture for slides: a list of plain shapes, which SVG writes out and matplotlib paints."""

from __future__ import annotations

import math
from collections.abc import Iterator

from shapeproof.derivation.model import Derivation
from shapeproof.records import dataclass
from shapeproof.render.drawing import DEPTH_X, DEPTH_Y, Extent, scales
from shapeproof.render.mathml import brackets
from shapeproof.render.outline import Shown, shown_rows
from shapeproof.render.steprow import kind_of
from shapeproof.render.words import MARKS, arithmetic_text, shape_text, summary, title

WIDTH, LEAST_ROW, HEAD = 1000, 46, 74
LANE, LONGEST = 12, 80  # pixels of a lane, and of the depth of a vector that is cut
INK, QUIET, RULE = "#1d2430", "#5c6675", "#8894a6"
GOOD, BAD, DOUBT, SKIP = "#14693d", "#b3261e", "#8a5a00", "#c2557a"
HUES = {"window": "#5b8def", "pool": "#21a39a", "linear": "#9a6ee0", "form": "#d9973a", "join": "#d4698c",
        "other": "#93a0b4", "input": "#5c6675"}  # fmt: skip
MARK_HUES = {"proved": GOOD, "unsupported": DOUBT, "failed": BAD, "mismatch": BAD}

Point = tuple[float, float]


@dataclass(frozen=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]
    fill: str


@dataclass(frozen=True)
class Stroke:
    """An open line through points."""

    points: tuple[Point, ...]
    colour: str
    width: float = 1.5


@dataclass(frozen=True)
class Words:
    """A line of text; ``at`` is the left or (``end``) right end of its baseline."""

    at: Point
    text: str
    size: float = 14
    colour: str = INK
    bold: bool = False
    end: bool = False


@dataclass(frozen=True)
class Scene:
    """A picture in pixels, from the top left corner.

    Attributes:
        width: of the picture.
        height: of the picture.
        shapes: what is drawn, in order.
        title: what a screen reader says.
    """

    width: float
    height: float
    shapes: tuple[Area | Stroke | Words, ...]
    title: str


def scene(derivation: Derivation) -> Scene:
    """The whole picture: a title, a row for each step with its feature map to scale, and the verdict."""
    rows = shown_rows(derivation)
    side, deep = scales([row.box for row in rows])
    lanes = max((row.lanes.width for row in rows), default=0)
    main = 24 + LANE * lanes
    shapes: list[Area | Stroke | Words] = [
        Words((24, 34), title(derivation), 22, bold=True),
        Words((24, 57), summary(derivation)[0], 14, MARK_HUES.get(derivation.verdict, DOUBT)),
    ]
    top: float = HEAD
    for row in rows:
        faces, box_height = _faces(row, side, deep, main + 96, top)
        told = _told(row, derivation)
        height = max(LEAST_ROW, box_height + 16, 30 + 18 * len(told)) + (20 if row.group else 0)
        shapes += _lanes(row, main, top, height)
        shapes += [*_shifted(faces, (height - box_height) / 2), *_words(row, told, main + 190, top, height)]
        top += height
    return Scene(WIDTH, math.ceil(top + 20), tuple(shapes), title(derivation))


def _faces(row: Shown, side: float, deep: float, middle: float, top: float) -> tuple[list[Area], float]:
    """The three faces that one sees of the box, its upper edge at ``top``, and its height on paper."""
    if row.box is None:
        return [], 0
    width, height, depth = _pixels(row.box, side, deep)
    across, up = depth * DEPTH_X, depth * DEPTH_Y
    x, y = middle - (width + across) / 2, top + up
    hue = HUES[kind_of(row.step.op) if row.step else "input"]
    front = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    lid = ((x, y), (x + across, y - up), (x + width + across, y - up), (x + width, y))
    flank = (
        (x + width, y),
        (x + width + across, y - up),
        (x + width + across, y + height - up),
        (x + width, y + height),
    )
    return [
        Area(flank, mixed(hue, "#000000", 0.28)),
        Area(lid, mixed(hue, "#ffffff", 0.38)),
        Area(front, hue),
    ], height + up


def _pixels(box: Extent, side: float, deep: float) -> tuple[float, float, float]:
    return (
        max(3.0, int(box.width) * side),
        max(3.0, int(box.height) * side),
        min(LONGEST, max(1.0, int(box.channels) * deep)),
    )


def mixed(colour: str, other: str, share: float) -> str:
    """A colour with a share of another, both ``#rrggbb``."""
    pairs = zip(bytes.fromhex(colour[1:]), bytes.fromhex(other[1:]), strict=True)
    return "#" + bytes(round(a * (1 - share) + b * share) for a, b in pairs).hex()


def _shifted(areas: list[Area], down: float) -> Iterator[Area]:
    for area in areas:
        yield Area(tuple((x, y + down) for x, y in area.points), area.fill)


def _lanes(row: Shown, main: float, top: float, height: float) -> Iterator[Area | Stroke]:
    """The line of the column, and the skips that pass, begin or end at this row."""
    middle, bottom = top + height / 2, top + height
    if row.lanes.straight:
        yield Stroke(((main, top), (main, middle)), RULE)
    if row.below:
        yield Stroke(((main, middle), (main, bottom)), RULE)
    for lane in (*row.lanes.through, *row.lanes.taps):
        yield Stroke(((_lane(main, lane), top), (_lane(main, lane), bottom)), SKIP)
    for lane in row.lanes.ends:
        yield Stroke(((_lane(main, lane), top), (_lane(main, lane), middle), (main, middle)), SKIP)
    for lane in row.lanes.taps:
        yield Stroke(((_lane(main, lane), middle), (main, middle)), SKIP)
    if row.lanes.begins is not None:
        at = _lane(main, row.lanes.begins)
        yield Stroke(((main, middle), (at, middle), (at, bottom)), SKIP)
    yield Area(tuple((main + 4 * a, middle + 4 * b) for a, b in _ROUND), QUIET)


_ROUND = ((1, 0), (0.7, 0.7), (0, 1), (-0.7, 0.7), (-1, 0), (-0.7, -0.7), (0, -1), (0.7, -0.7))


def _lane(main: float, lane: int) -> float:
    return main - LANE * (lane + 1)


def _told(row: Shown, derivation: Derivation) -> list[tuple[str, str]]:
    """The lines below a step's name, with their colours; the shape is not said twice."""
    step = row.step
    if step is None:
        return []
    sum_look = BAD if step.verdict == "failed" else QUIET
    lines = [(arithmetic_text(step, derivation), sum_look), *((note, DOUBT) for note in step.notes[:1])]
    return [(brackets(line), look) for line, look in lines if line and line != shape_text(row.shape)]


def _words(row: Shown, told: list[tuple[str, str]], left: float, top: float, height: float) -> Iterator[Words]:
    middle, right = top + height / 2, WIDTH - 24
    if row.group:
        group, names = row.group
        blocks = f": {names[0]} ... {names[-1]}" if names else ""
        yield Words((left, top + 16), f"{group.times} times the same {group.length} steps{blocks}", 12, SKIP, bold=True)
        middle += 10
    first = middle + 5 - 9 * len(told)
    name = f"{row.step.op}  {row.step.module}".strip() if row.step else "input"
    yield Words((left, first), name, 15, bold=True)
    for place, (line, look) in enumerate(told, 1):
        yield Words((left, first + 18 * place), _short(line), 13, look)
    yield Words((right - 24, middle + 5), brackets(shape_text(row.shape)), 14, end=True)
    if row.step:
        verdict = row.step.verdict
        yield Words((right, middle + 5), MARKS[verdict], 15, MARK_HUES[verdict], bold=True, end=True)


def _short(line: str, most: int = 72) -> str:
    return line if len(line) <= most else line[: most - 1] + "…"
