"""A derivation as a LaTeX document, worked out step by step as one hands it in. Needs amsmath alone."""

from __future__ import annotations

from shapeproof.derivation.model import Derivation
from shapeproof.render.tex_math import arithmetic, text
from shapeproof.render.words import shape_text, summary, title
from shapeproof.render.worked import Line, Worked, output_of, worked

_HEAD = r"""\documentclass[11pt]{article}
\usepackage[T1]{fontenc}
\usepackage{amsmath}
\usepackage[margin=2.5cm]{geometry}
\setlength{\parindent}{0pt}
\allowdisplaybreaks
\begin{document}
"""


def render(derivation: Derivation) -> str:
    """A whole document: each step with its formula, the values put in and the result, then what follows from them."""
    steps = "\n".join(_step(found) for found in worked(derivation))
    says = "\n".join(rf"\item {text(line)}" for line in summary(derivation))
    body = rf"""\section*{{{text(title(derivation))}}}
\begin{{enumerate}}
{steps}
\end{{enumerate}}

\subsection*{{Result}}
\begin{{itemize}}
{says}
\end{{itemize}}
"""
    return _HEAD + body + "\\end{document}\n"


def _step(found: Worked) -> str:
    step = found.step
    place = rf"\texttt{{{text(step.module or '(model)')}}}"
    came = ", ".join(f"${arithmetic(shape_text(shape))}$" for shape in step.inputs[:1])
    head = rf"\item {place} \quad \textbf{{{text(step.op)}}}" + (rf" \quad of {came}" if came else "")
    if found.kept:
        return rf"{head}: the shape stays ${arithmetic(output_of(step))}$."
    lines = [_equation(line) for line in found.lines] or [rf"\par {text(found.says)}" if found.says else ""]
    notes = [rf"\par {text(note[:1].upper() + note[1:])}." for note in step.notes]
    out = rf"\par Output: ${arithmetic(output_of(step))}$."
    return "\n".join([head, *filter(None, lines), *notes, out])


def _equation(line: Line) -> str:
    """Formula, substitution and result below one another, aligned at the equals sign."""
    rows = [arithmetic(part) for part in (line.formula, line.put_in, line.result) if part]
    first = rf"\text{{{line.of}}}" if line.of else rows.pop(0)
    aligned = f"{first} &= " + " \\\\\n&= ".join(rows)
    where = ", ".join(f"{key} = {arithmetic(value)}" for key, value in line.given)
    with_values = rf"\par With ${where}$:" + "\n" if where else ""
    return f"{with_values}\\begin{{align*}}\n{aligned}\n\\end{{align*}}"
