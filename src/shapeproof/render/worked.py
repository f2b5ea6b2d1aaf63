"""A derivation as one hands it in: formula, substitution, result, step by step. Shared by LaTeX and Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shapeproof.derivation.model import Derivation, Step
from shapeproof.records import dataclass
from shapeproof.render.words import arithmetic_text, shape_text

AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


@dataclass(frozen=True)
class Line:
    """One formula put to use.

    Attributes:
        of: what is computed, ``"height"`` or ``""`` where there is only one thing.
        formula: with its letters; ``""`` where the step has no formula in symbols.
        given: each letter with its value.
        put_in: the formula with the values put in.
        result: what comes out.
    """

    of: str
    formula: str
    given: tuple[tuple[str, str], ...]
    put_in: str
    result: str


@dataclass(frozen=True)
class Worked:
    """One step, worked out; ``kept`` where the shape stays as it is and there is nothing to work out."""

    step: Step
    lines: tuple[Line, ...]
    says: str
    kept: bool


def worked(derivation: Derivation) -> Iterator[Worked]:
    """Every step of a derivation, worked out."""
    for step in derivation.steps:
        if step.verdict != "proved":
            yield Worked(step, (), arithmetic_text(step, derivation), kept=False)
            continue
        kept = step.formula == "out = in"
        lines = _of_windows(step) or ([] if kept else _of_arithmetic(step))
        yield Worked(step, tuple(lines), "" if lines or kept else step.arithmetic, kept=kept)


def _of_windows(step: Step) -> list[Line]:
    """One line for each axis, height and width together where they are alike."""
    found: list[Line] = []
    for axis, window in zip(AXES.get(len(step.windows), ()), step.windows, strict=False):
        used = {name for name in window.sizes if name in step.formula}
        given = tuple((name, str(size)) for name, size in window.sizes.items() if name in used)
        put_in, _, result = window.arithmetic.rpartition(" = ")
        line = Line(axis, window.formula.text(), given, put_in, result)
        if found and (found[-1].put_in, found[-1].given) == (put_in, given):
            found[-1] = replace(line, of=f"{found[-1].of} and {axis}")
        else:
            found.append(line)
    return found


def _of_arithmetic(step: Step) -> list[Line]:
    """The step's own lines of arithmetic, those that end in a result."""
    parts = [part for part in step.arithmetic.split("; ") if " = " in part]
    return [Line("", "", (), *part.rsplit(" = ", 1)) for part in parts]


def output_of(step: Step) -> str:
    """The shape that a step gives, as text."""
    return shape_text(step.output)
