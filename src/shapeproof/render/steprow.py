"""One row of the derivation's page: the feature map, the arithmetic, the shape, and what else is known of a step."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from pathlib import PurePath
from typing import Any

from shapeproof.derivation.model import Derivation, Step
from shapeproof.dims.trees import of_formula
from shapeproof.render import mathml
from shapeproof.render.drawing import Extent
from shapeproof.render.live import Live
from shapeproof.render.outline import Shown
from shapeproof.render.strings import FORMULAS, STRINGS, both, packed, said
from shapeproof.render.words import MARKS, shape_text
from shapeproof.rules.window import Window

# how an operation is coloured; any other is grey
KINDS = {
    "conv": "window", "pool": "pool", "unfold": "window", "linear": "linear", "matmul": "linear", "bmm": "linear",
    "einsum": "linear", "attention": "linear", "view": "form", "reshape": "form", "flatten": "form", "permute": "form",
    "transpose": "form", "squeeze": "form", "cat": "join", "add": "join", "stack": "join",
}  # fmt: skip


def item(shown: Shown, derivation: Derivation, live: Live) -> str:
    """The row as a list item."""
    step = shown.step
    name = shown.name
    classes = ["step", step.verdict if step else "given", kind_of(step.op) if step else "input"]
    classes += ["fold"] if shown.folded else []
    given = {
        "w": [_window(w, live) for w in step.windows] if step else [],
        "r": [live.condition(c.relation) for c in step.requires] if step else [],
    }
    marks = "".join(f" data-{key}='{packed(value)}'" for key, value in given.items() if value)
    return (
        f'<li class="{" ".join(classes)}" id="{name}" tabindex="0" aria-labelledby="{name}h"{marks}>'
        f"{_lanes(shown)}{_map(shown.box, live)}"
        f'<div class="what">{_fold_line(shown)}<h3 id="{name}h">{_heading(step)}</h3>'
        f"{_math(step, derivation, live) if step else ''}</div>"
        f'<div class="came">{_came(shown, live)}</div>'
        f"{_details(shown, live) if step else ''}</li>\n"
    )


def kind_of(op: str) -> str:
    """The family by which an operation is coloured."""
    return next((kind for part, kind in KINDS.items() if part in op), "other")


def _heading(step: Step | None) -> str:
    if step is None:
        return said("input")
    path = f" <code>{escape(step.module)}</code>" if step.module else ""
    return f'<span class="op">{escape(step.op)}</span>{path}'


def _fold_line(shown: Shown) -> str:
    if not shown.group:
        return ""
    group, names = shown.group
    told = f" <code>{escape(names[0])} … {escape(names[-1])}</code>" if names else ""
    return f'<p class="times">{said("repeats", times=group.times, length=group.length)}{told}</p>'


def _lanes(shown: Shown) -> str:
    row = shown.lanes
    parts = ['<i class="up"></i>' if row.straight else "", '<i class="down"></i>' if shown.below else ""]
    parts += [f'<i class="by" style="--l:{lane}"></i>' for lane in (*row.through, *row.taps)]
    parts += [f'<i class="end" style="--l:{lane}"></i>' for lane in row.ends]
    parts += [f'<i class="tap" style="--l:{lane}"></i>' for lane in row.taps]
    parts += [] if row.begins is None else [f'<i class="out" style="--l:{row.begins}"></i>']
    return f'<div class="lanes" aria-hidden="true">{"".join(parts)}<i class="dot"></i></div>'


def _map(box: Extent | None, live: Live) -> str:
    if box is None:
        return '<div class="map"></div>'
    sizes = (box.height, box.width, box.channels)
    style = ";".join(f"--{name}:{int(size)}" for name, size in zip("hwc", sizes, strict=True))
    marks = packed([live.data(size) for size in sizes])
    told = " x ".join(str(int(size)) for size in sizes)
    return (
        f"<svg class='map' style='{style}' data-m='{marks}' role='img'><title>{told}</title>"
        '<g><rect class="side"/><rect class="top"/><rect class="front"/></g></svg>'
    )


def _window(window: Window, live: Live) -> list[int | str]:
    """Size in, kernel, stride, padding, dilation, size out, and elements at the end that no window reaches."""
    parts = (window.size_in, window.kernel_size, window.stride, window.padding, window.dilation, window.size_out)
    return [live.data(size) for size in (*parts, window.unreached)]


def _math(step: Step, derivation: Derivation, live: Live) -> str:
    if step.verdict == "unsupported":
        return f'<p class="plain">{said("mark.unsupported")}</p>'
    if step.verdict == "failed" and derivation.diagnosis:
        found = derivation.diagnosis
        return (
            f'<p class="plain">{said("expected")} <b>{escape(found.expected)}</b>, '
            f"{said('got')} <b>{escape(found.got)}</b></p>"
        )
    if step.windows:
        lines = _window_lines(step, live)
        formula = mathml.of_tree(of_formula(step.windows[0].formula))
        return f'<p class="formula">{mathml.math(formula)}</p>{lines}{_dropped(step.windows, live)}'
    formula = f'<span class="formula">{_formula(step.formula)}</span>'
    if step.arithmetic == shape_text(step.output):  # the shape stands beside it already
        return f'<p class="sum">{formula}</p>'
    line = mathml.math(mathml.of_text(step.arithmetic, _word, _sizes_in(step, live)))
    return f'<p class="sum">{formula} {line}</p>'


def _window_lines(step: Step, live: Live) -> str:
    """The formula with its values, one line for each axis that differs."""
    unlike = list({window.arithmetic: window for window in step.windows}.values())
    first = 3 - len(step.windows)
    lines = []
    for place, window in enumerate(unlike):
        values = {name: _value(size, live) for name, size in window.sizes.items()}
        left = mathml.of_tree(of_formula(window.formula), values) + ("<mo>-</mo><mn>1</mn>" if window.overhangs else "")
        result = f'<mo>=</mo><mrow class="result">{live.number(window.size_out, "mn")}</mrow>'
        axis = f"{said(f'axis.{first + place}')} " if len(unlike) > 1 else ""
        lines.append(f'<p class="sum">{axis}{mathml.math(left + result)}</p>')
    return "".join(lines)


def _value(size: int, live: Live) -> str:
    return mathml.number(str(size)) if live.place(size) is None else live.number(size, "mn")


def _dropped(windows: tuple[Window, ...], live: Live) -> str:
    """Which rows and columns the floor drops; with letters, the script says it for the sizes at hand."""
    words = {1: ("element",), 2: ("row", "column"), 3: ("row", "row", "column")}[len(windows)]
    left = [max(0, int(w.unreached)) for w in windows]
    pairs = [(n, word) for n, word in zip(left, words, strict=True) if n]
    parts = [said(word) if n == 1 else said(f"{word}s", n=n) for n, word in pairs]
    hidden = "" if parts else " hidden"
    what = said("and").join(parts)
    return f'<p class="drops"{hidden}>{said("drops", what="")}<span>{what}</span></p>'


def _formula(text: str) -> str:
    if text in FORMULAS:
        return both(text, FORMULAS[text])
    return mathml.math(mathml.of_text(text, _word))


def _word(text: str) -> str:
    key = f"word.{text}"
    return said(key, "mtext") if key in STRINGS else mathml.plain_word(text)


def _sizes_in(step: Step, live: Live) -> dict[str, str]:
    """Every size with letters that a line of this step may speak of, as its text, with its live number."""
    found = {str(size): size for size in _flat((*step.inputs, step.output)) if live.place(size) is not None}
    return {text: live.number(size, "mn") for text, size in found.items()}


def _flat(shape: Any) -> Iterable[int]:
    if isinstance(shape, (tuple, list)):
        for part in shape:
            yield from _flat(part)
    elif isinstance(shape, int):
        yield shape


def _came(shown: Shown, live: Live) -> str:
    step = shown.step
    mark = ""
    if step:
        mark = f'<span class="mark" title="{STRINGS[f"mark.{step.verdict}"][0]}">{MARKS[step.verdict]}</span>'
        mark += said(step.verdict).replace("<span", '<span class="unseen"', 1)
    if step and step.verdict == "mismatch":
        return f"{mark} PyTorch {escape(shape_text(step.output))}, {escape(shape_text(step.derived))}"
    letters = ""
    if any(live.place(size) is not None for size in _flat(shown.shape)):
        letters = f'<span class="letters">{escape(mathml.brackets(shape_text(shown.shape)))}</span>'
    return f'{mark}<span class="shape">{shape_html(shown.shape, live)}</span>{letters}'


def shape_html(shape: Any, live: Live) -> str:
    """A shape, however nested, with its numbers live."""
    if isinstance(shape, (tuple, list)):
        if all(isinstance(size, int) for size in shape):
            return f"({', '.join(live.number(size) for size in shape)}{',' if len(shape) == 1 else ''})"
        return "; ".join(shape_html(part, live) for part in shape if part is not None)
    if isinstance(shape, dict):
        return "; ".join(f"{escape(str(key))}: {shape_html(part, live)}" for key, part in shape.items())
    return "-" if shape is None else escape(str(shape))


def _details(shown: Shown, live: Live) -> str:
    step = shown.step
    assert step is not None
    cost = step.cost
    facts = []
    if cost.parameters:
        facts.append(f"{said('parameters')} <b>{cost.parameters:,}</b>")
    if cost.macs is None or int(cost.macs):
        macs = said("unknown", "b") if cost.macs is None else f"<b>{live.number(cost.macs, 'span', count=True)}</b>"
        facts.append(f"{said('macs')} {macs}")
    if step.receptive_field:
        size, stride = (_times(part) for part in (step.receptive_field.size, step.receptive_field.stride))
        facts.append(said("field", size=size, stride=stride))
    brief = "".join(f"<span>{fact}</span>" for fact in facts)
    listed = "".join(f"{said(key, 'dt')}<dd>{value}</dd>" for key, value in _rows(step, shown.sources, live))
    return f'<div class="cost">{brief}<details>{said("more", "summary")}<dl>{listed}</dl></details></div>'


def _times(sizes: tuple[Any, ...]) -> str:
    """Sizes as one says them: ``5 x 5``."""
    return " x ".join(map(str, sizes))


def _rows(step: Step, sources: tuple[int, ...], live: Live) -> list[tuple[str, str]]:
    """What is shown of a step when one asks for more: keys of the strings, and HTML."""
    rows = [("step", str(step.index))]
    if step.source:
        rows.append(("line", f"<code>{escape(_short(step.source))}</code>"))
    rows.append(("takes", escape(mathml.brackets(" ".join(map(shape_text, step.inputs)))) or "-"))
    if sources:
        links = (said("from.step", "a", n=n).replace("<a", f'<a href="#s{n}"', 1) for n in sources)
        rows.append(("from", ", ".join(links)))
    needs = "<br>".join(escape(mathml.brackets(str(c.relation))) for c in step.requires)
    return [
        *rows,
        *([("requires", needs)] if needs else []),
        ("memory", live.number(step.cost.activation_bytes, count=True)),
    ]


def _short(source: str) -> str:
    """The file and its folder: enough to find it, and no more of anyone's disk than that."""
    return "/".join(PurePath(source).parts[-2:])
