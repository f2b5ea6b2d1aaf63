"""A derivation as one page that needs nothing from elsewhere: drawn to scale, with sliders, in two languages."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from shapeproof.derivation.model import Derivation, Fix, ShapeWarning
from shapeproof.dims.trees import of_poly, of_relation
from shapeproof.render.drawing import DEPTH, FRONT, THICKEST, scales
from shapeproof.render.live import Live
from shapeproof.render.mathml import brackets
from shapeproof.render.outline import shown_rows
from shapeproof.render.page import header, in_notebook, page, skip
from shapeproof.render.steprow import item, shape_html
from shapeproof.render.strings import domain_words, said, sentence
from shapeproof.render.words import MARKS, title


def render(derivation: Derivation) -> str:
    """The whole page."""
    live = Live()
    body = f"{skip('steps')}{_head(derivation)}<main>{section(derivation, live)}</main>"
    return page(title(derivation), body, data(derivation, live), style(derivation))


def notebook(derivation: Derivation) -> str:
    """The same page in a frame, as a notebook shows it."""
    return in_notebook(render(derivation))


def style(derivation: Derivation) -> str:
    """The scales of the drawing, for the page's root element."""
    side, deep = scales([row.box for row in shown_rows(derivation)])
    return f"--u:{side:.4f};--v:{deep:.4f}"


def data(derivation: Derivation, live: Live) -> dict[str, Any]:
    """What the page's script needs: letters, sizes and conditions as trees, the room for the drawing."""
    for condition in derivation.conditions:
        live.condition(condition.relation)
    return {
        "failed": derivation.diagnosis is not None,
        "letters": dict(derivation.sizes),
        "domain": _parts(derivation),
        "front": FRONT,
        "depth": DEPTH,
        "thickest": THICKEST,
        **live.tables(),
    }


def section(derivation: Derivation, live: Live) -> str:
    """The derivation as HTML without head, to stand on a page of its own or within another."""
    rows = shown_rows(derivation)
    width = max((row.lanes.width for row in rows), default=0)
    items = "".join(item(row, derivation, live) for row in rows)
    return (
        f"{_diagnosis(derivation)}{_warnings(derivation.warnings)}{_facts(derivation, live)}{_sliders(derivation)}"
        f'<section class="derivation"><h2 id="steps" tabindex="-1">{said("steps")}</h2>'
        f'<p class="hint">{said("steps.scale")} {said("steps.hint")}</p>'
        f'<div class="both"><ol class="steps" style="--lanes:{width}">\n{items}</ol>{_window_room()}</div>'
        "</section>"
    )


def _head(derivation: Derivation) -> str:
    inputs = ", ".join(derivation.inputs)
    proved = sum(step.verdict == "proved" for step in derivation.steps)
    missing = ", ".join(sorted({step.op for step in derivation.steps if step.verdict == "unsupported"}))
    total = len(derivation.steps)
    verdict = said(f"verdict.{derivation.verdict}", proved=proved, total=total, missing=missing, last=total - 1)
    mark = MARKS.get(derivation.verdict, MARKS["unsupported"])
    told = f'<p class="verdict {derivation.verdict}"><span aria-hidden="true">{mark}</span> {verdict}</p>'
    return header(f"{escape(derivation.model)} <small>{said('on', inputs=inputs)}</small>", told)


def _facts(derivation: Derivation, live: Live) -> str:
    cost = derivation.cost
    macs = said("unknown") if cost.macs is None else live.number(cost.macs, count=True)
    facts = [
        ("output", shape_html(derivation.output, live)),
        ("parameters", f"{cost.parameters:,}"),
        ("macs", macs),
        ("memory", live.number(cost.activation_bytes, count=True)),
        ("weights", f"{cost.parameter_bytes:,}"),
    ]
    if derivation.diagnosis:
        facts = facts[1:]
    if derivation.domain is not None:
        known = said("domain.exact" if derivation.domain.exact else "domain.open")
        facts.append(("works", f"{domain_words(brackets(str(derivation.domain)))}<br><small>{known}</small>"))
    manner = derivation.manner
    if manner.put or manner.again:
        facts.append(("run", said("put", sizes=manner.put) if manner.put else said("again", why=manner.again)))
    if derivation.unused:
        facts.append(("unused", escape(", ".join(derivation.unused))))
    listed = "".join(f"<div><dt>{said(key)}</dt><dd>{value}</dd></div>" for key, value in facts)
    return f'<section class="facts"><h2 class="unseen">{said("facts")}</h2><dl>{listed}</dl></section>'


def _sliders(derivation: Derivation) -> str:
    settled = derivation.diagnosis is not None and not derivation.diagnosis.step.requires
    if not derivation.sizes or settled:  # no size of a letter would mend a failure that does not depend on one
        return ""
    rows = "".join(
        f'<div class="slider"><label for="r{name}"><var>{escape(name)}</var></label>'
        f'<input type="range" id="r{name}" data-letter="{escape(name)}" min="1" max="{high}" value="{size}">'
        f'<input type="number" data-letter="{escape(name)}" min="1" max="1000000" value="{size}" '
        f'aria-label="{escape(name)}"></div>'
        for name, size in derivation.sizes
        for high in (_reach(derivation, name, size),)
    )
    sizes = ", ".join(f"{name} = {size}" for name, size in derivation.sizes)
    return (
        f'<section class="sizes" id="sizes"><h2>{said("sizes")} <small>{said("sizes.hint")}</small></h2>'
        f'<div class="sliders">{rows}</div><p class="state" role="status">{said("tried", sizes=sizes)}</p>'
        f"{said('reset', 'button').replace('<button', '<button id=reset type=button hidden', 1)}</section>"
    )


def _reach(derivation: Derivation, name: str, size: int) -> int:
    """Where a letter's slider ends: well beyond the size tried and beyond the last edge."""
    intervals = derivation.domain.intervals.get(name, []) if derivation.domain is not None else []
    edges = [end for pair in intervals for end in pair if end is not None]
    return int(max(16, 2 * int(size), *(2 * edge for edge in edges), 0))


def _parts(derivation: Derivation) -> list[dict[str, Any]] | None:
    """The domain for the page's script: sizes belong if some part has them all; ``None`` where it is not known."""
    if derivation.domain is None:
        return None
    return [
        {
            "sets": {name: [s.intervals, s.period, s.remainders, s.start] for name, s in part.box.items()},
            "also": [["==", name, of_poly(tie)] for name, tie in part.ties.items()]
            + [of_relation(r) for r in part.open],
        }
        for part in derivation.domain.parts
    ]


def _diagnosis(derivation: Derivation) -> str:
    found = derivation.diagnosis
    if not found:
        return ""
    place = f'<a href="#s{found.step.index}">{said("from.step", n=found.step.index)}</a>'
    return (
        f'<section class="trouble" role="alert"><h2>{said("why")}: <code>{escape(found.code)}</code></h2>'
        f"<p>{sentence(found.message)} ({place})</p>{_fixes(found.fixes)}</section>"
    )


def _fixes(fixes: Sequence[Fix]) -> str:
    if not fixes:
        return ""
    rows = "".join(
        f'<li class="{"sure" if fix.proved else "open"}">'
        f"{sentence(fix.text)} "
        f"<small>{said('fix.proved' if fix.proved else 'fix.open')}</small>{_patch(fix.patch)}</li>"
        for fix in fixes
    )
    return f'<h3>{said("fixes")}</h3><ol class="fixes">{rows}</ol>'


def _patch(text: str) -> str:
    """A fix as a diff, to be opened; its lines coloured as everywhere."""
    if not text:
        return ""
    look = {"+": "ins", "-": "del"}
    lines = (
        f"<{look[line[0]]}>{escape(line)}</{look[line[0]]}>" if line[:1] in look else escape(line)
        for line in text.splitlines()
    )
    return f"<details>{said('patch', 'summary')}<pre>{chr(10).join(lines)}</pre></details>"


def _warnings(found: Sequence[ShapeWarning]) -> str:
    if not found:
        return ""
    rows = "".join(
        f'<li><code>{escape(w.code)}</code> <span lang="en">{escape(w.message)}</span> '
        f'(<a href="#s{w.step.index}">{said("from.step", n=w.step.index)}</a>){_fixes(w.fixes)}</li>'
        for w in found
    )
    return f'<section class="doubt"><h2>{said("warnings")}</h2><ul>{rows}</ul></section>'


def _window_room() -> str:
    """Where the script draws the window; it stands here so that the page's order is the reading order."""
    return (
        f'<aside id="window" aria-live="off"><h2>{said("window")}</h2><div class="stage">'
        f'<p class="plain">{said("window.none")}</p></div></aside>'
    )
