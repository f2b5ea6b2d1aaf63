"""A derivation as a PNG picture; painted by matplotlib, which is an extra."""

from __future__ import annotations

import io

from shapeproof.derivation.model import Derivation
from shapeproof.errors import UsageError
from shapeproof.render.scene import Area, Scene, Stroke, scene

DPI, ZOOM = 100, 2  # twice the pixels of the SVG: sharp on a projector
MOST = 30_000  # pixels of a side; beyond about twice that a PNG cannot be painted in one piece


def render(derivation: Derivation) -> bytes:
    """The whole file.

    Raises:
        UsageError: If matplotlib is not installed, or the picture would be too tall; says what to do.
    """
    return painted(scene(derivation))


def painted(picture: Scene) -> bytes:
    """A scene painted on white. Raises as :func:`render` does."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.patches import Polygon
    except ImportError as error:
        raise UsageError("--format png needs matplotlib: pip install 'shapeproof[plot]'; svg needs nothing") from error
    if picture.height * ZOOM > MOST:
        raise UsageError(
            f"this derivation is too long for one PNG ({picture.height * ZOOM:g} pixels); use --format svg"
        )
    figure = Figure(figsize=(picture.width / DPI, picture.height / DPI), dpi=DPI * ZOOM, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, picture.width), ylim=(picture.height, 0))
    axes.set_axis_off()
    for shape in picture.shapes:
        if isinstance(shape, Area):
            axes.add_patch(Polygon(shape.points, facecolor=shape.fill, linewidth=0))
        elif isinstance(shape, Stroke):
            axes.plot(*zip(*shape.points, strict=True), color=shape.colour, linewidth=shape.width * 72 / DPI)
        else:
            points = shape.size * 72 / DPI
            side, weight = ("right" if shape.end else "left"), ("bold" if shape.bold else "normal")
            # parse_math off: a name may hold dollar signs
            axes.text(*shape.at, shape.text, size=points, color=shape.colour, ha=side, weight=weight, parse_math=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
