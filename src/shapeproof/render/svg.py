"""A derivation as an SVG picture, for slides and documents."""

from __future__ import annotations

from html import escape

from shapeproof.derivation.model import Derivation
from shapeproof.render.scene import Area, Point, Scene, Stroke, Words, scene

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif"


def render(derivation: Derivation) -> str:
    """The whole file; it needs nothing from elsewhere."""
    return text(scene(derivation))


def text(picture: Scene) -> str:
    """A scene written as SVG on white."""
    size = f'viewBox="0 0 {picture.width:g} {picture.height:g}" width="{picture.width:g}" height="{picture.height:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}" role="img">',
        f"<title>{escape(picture.title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *map(_element, picture.shapes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _element(shape: Area | Stroke | Words) -> str:
    if isinstance(shape, Area):
        return f'<polygon points="{_points(shape.points)}" fill="{shape.fill}"/>'
    if isinstance(shape, Stroke):
        look = f'fill="none" stroke="{shape.colour}" stroke-width="{shape.width:g}" stroke-linejoin="round"'
        return f'<polyline points="{_points(shape.points)}" {look}/>'
    x, y = shape.at
    more = (' font-weight="600"' if shape.bold else "") + (' text-anchor="end"' if shape.end else "")
    look = f'font-size="{shape.size:g}" fill="{shape.colour}"{more}'
    return f'<text x="{x:.1f}" y="{y:.1f}" {look}>{escape(shape.text)}</text>'


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
