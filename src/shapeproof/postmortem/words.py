"""An explanation as text."""

from __future__ import annotations

import shutil
import sys

from shapeproof.files import near
from shapeproof.postmortem.explain import Explanation, Line
from shapeproof.render.words import warning_lines

RULE = "shapeproof: this is a shape error, explained below"


def text(explanation: Explanation, width: int | None = None) -> str:
    """The lines of the user's code with the sizes in them, then the derivation or the word there is to say.

    Args:
        explanation: what was found.
        width: the widest line; the terminal's width where it is not given.
    """
    width = width or max(60, shutil.get_terminal_size((100, 24)).columns)
    failing, *before = explanation.lines
    parts = ["", f"-- {RULE} ".ljust(width, "-"), "", *_told("at", failing)]
    for line in before:
        parts += _told("called from", line)
    if explanation.made:
        path, place, call = explanation.made
        parts += [f"{path} is made at {place}", f"    {call}"]
    parts += [f"not recovered: {lost}" for lost in explanation.lost]
    parts.append("")
    if explanation.derivation is not None:
        parts.append(explanation.derivation.to_text(width).rstrip())
    else:
        parts.append(explanation.word)
    if explanation.before:
        parts += ["", "what was given to that line comes from a model that runs and is still almost surely wrong:"]
        for warning in explanation.before:
            parts += warning_lines(warning)
    return near("\n".join(parts)) + "\n"


def _told(how: str, line: Line) -> list[str]:
    where = "" if line.function in ("", "<module>") else f", in {line.function}"
    told = [f"{how} {line.place}{where}"]
    told += [f"    {line.text}"] if line.text else []
    return told + [f"      {shape}" for shape in line.shapes]


def tell(told: str) -> None:
    """Write to standard error, after whatever was printed before."""
    sys.stdout.flush()
    sys.stderr.write(told)
    sys.stderr.flush()
