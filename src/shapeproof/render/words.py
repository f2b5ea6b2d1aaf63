"""Wording that every renderer shares."""

from __future__ import annotations

from typing import Any

from shapeproof.derivation.domain import Domain
from shapeproof.derivation.model import Derivation, Diagnosis, Fix, ShapeWarning, Step
from shapeproof.dims import Dim
from shapeproof.files import near
from shapeproof.rules.registry import show

MARKS = {"proved": "✓", "mismatch": "≠", "unsupported": "?", "failed": "✗"}
MOST_SHOWN = 14  # steps of a derivation that fails; of a longer one, the last are shown
NEAR = 8
CODES = "docs/codes/"
UNPAGED = frozenset(  # rare ones, told of in the index alone
    """argument bias branch class-weight complex-pairs cross dtype empty fold glu grid index-broadcast index-mask
    index-rank one-number padding-size pixel-unshuffle slice square window unsupported""".split()
)
COLUMNS = ("module", "operation", "arithmetic", "output", "PyTorch")


def shape_text(shape: Any) -> str:
    """A shape, or several, as one writes them; ``-`` where there is none."""
    if isinstance(shape, (tuple, list)):
        if all(isinstance(size, int) for size in shape):
            return show(tuple(shape))
        return ", ".join(shape_text(part) for part in shape if part is not None)
    if isinstance(shape, dict):
        return ", ".join(f"{key}: {shape_text(part)}" for key, part in shape.items())
    return "-" if shape is None else str(shape)


def count_text(number: int | None) -> str:
    """A count with thousands apart, an expression as it is, ``unknown`` where it is not known."""
    if number is None:
        return "unknown"
    return str(number) if isinstance(number, Dim) else f"{number:,}"


def arithmetic_text(step: Step, derivation: Derivation) -> str:
    """The line of arithmetic; for a step without one, what is known instead."""
    if step.verdict == "unsupported":
        return "unsupported: no rule; the shape is PyTorch's alone"
    found = derivation.diagnosis
    if step.verdict == "failed" and found:
        return f"expected {found.expected}, got {found.got}"
    return step.arithmetic


def row(step: Step, derivation: Derivation) -> tuple[str, str, str, str, str]:
    """One step as the texts of :data:`COLUMNS`."""
    lines = [arithmetic_text(step, derivation), *step.notes]
    output = shape_text(step.output)
    if step.verdict == "mismatch":
        output = f"PyTorch {output}, rule {shape_text(step.derived)}"
    mark = MARKS[step.verdict]
    return step.module or "(model)", step.op, "\n".join(lines), output, mark


def summary(derivation: Derivation) -> list[str]:
    """The lines below the table: the verdict, the costs, where letters were tried, what to see to."""
    proved = sum(step.verdict == "proved" for step in derivation.steps)
    total = len(derivation.steps)
    lines = [f"{derivation.verdict}: {proved} of {total} steps agree with PyTorch"]
    if derivation.diagnosis:
        lines += explanation(derivation.diagnosis)
    else:
        lines.append(f"output {shape_text(derivation.output)}")
    if derivation.verdict == "mismatch":
        lines.append("a rule disagrees with PyTorch: this is a mistake in shapeproof, please report it")
    if derivation.verdict == "incomplete":
        names = sorted({step.op for step in derivation.steps if step.verdict == "unsupported"})
        lines.append(f"not proved: no rule for {', '.join(names)}")
    cost = derivation.cost
    lines.append(f"{count_text(cost.parameters)} parameters, {count_text(cost.macs)} multiply-adds")
    lines += _kept_lines(derivation)
    if derivation.sizes:
        lines.append(f"tried at {', '.join(f'{name} = {size}' for name, size in derivation.sizes)}")
    lines += _manner_lines(derivation)
    if derivation.domain is not None:
        lines.append(domain_text(derivation.domain))
    for warning in derivation.warnings:
        lines += warning_lines(warning)
    if derivation.unused and derivation.verdict != "failed":  # a run that ended early has not come to them
        lines.append(f"never called: {', '.join(derivation.unused)}")
    return lines


def _kept_lines(derivation: Derivation) -> list[str]:
    """What backward keeps, where that was asked for."""
    if "kept" not in vars(derivation):
        return []
    found, made = derivation.kept, count_text(derivation.cost.activation_bytes)
    if found.trouble:
        return [f"{made} bytes of results; what backward keeps is unknown: {found.trouble}"]
    alone = sorted({step.op for step, rule in zip(derivation.steps, found.derived, strict=True) if rule is None})
    words = f"at {found.agreeing} of {len(found.derived)} steps the rule and PyTorch's autograd agree"
    words += f"; in all, PyTorch holds {count_text(sum(p or 0 for p in found.pytorch))}" if found.differing else ""
    words += f"; for {', '.join(alone)} the bytes are PyTorch's alone" if alone else ""
    return [f"{made} bytes of results; backward keeps {count_text(found.total)} bytes: {words}"]


def _manner_lines(derivation: Derivation) -> list[str]:
    """Where the run was not simply made on real tensors, how it was made."""
    manner = derivation.manner
    if manner.put:
        return [f"not run at these sizes: they are put into the letters of a run at {manner.put}"]
    if manner.again:
        return [f"run again at these sizes: {manner.again}"]
    if manner.eager:
        return ["torch.compile was left aside: the model is derived as it is written"]
    if manner.alone:
        return [f"run on shapes alone, without values (PyTorch's meta device): {manner.alone}"]
    return [f"run on real tensors: {manner.values} needs values, which shapes alone have not"] if manner.values else []


def domain_text(domain: Domain) -> str:
    """For which sizes the model runs: exactly, where runs at every edge bore it out."""
    if domain.exact:
        text = f"works exactly for {domain}"
        if len(domain.branches) > 1:
            return f"{text}; the steps above are those of the first: for {_held(domain.branches[0])}"
        oblong = len(domain.parts) > 1 and all(len(part.bounded) > 1 for part in domain.parts)
        return f"{text}; nearly square pictures are meant by the first" if oblong else text
    doubt = f": {domain.why}" if domain.why else ""
    return f"by the rules it works for {domain}; not every edge could be confirmed by running{doubt}"


def _held(branch: tuple[Any, ...]) -> str:
    """What the model's own Python found of the sizes, in words."""
    return ", ".join(map(str, branch)) or "all other sizes"


def warning_lines(warning: ShapeWarning) -> list[str]:
    """A warning and its edits."""
    return [near(f"warning {warning.code}: {warning.message}"), *_fix_lines(warning.fixes)]


def explanation(found: Diagnosis) -> list[str]:
    """The cause, the user's line with each operand's shape under its name, the edits, and where to read more."""
    lines = [near(f"{found.code}: {found.message}"), *_line_with_shapes(found)]
    written = near(found.born.rpartition("; ")[2])
    lines += [written] if " is written at " in written else []
    page = "README" if found.code in UNPAGED else found.code
    return [*lines, *_fix_lines(found.fixes), f"more on {found.code}: {CODES}{page}.md"]


def _line_with_shapes(found: Diagnosis) -> list[str]:
    if not found.line:
        return []
    number = found.step.source.rpartition(":")[2]
    indent = len(found.line) - len(found.line.lstrip())
    lines = [f"  {number} | {found.line.lstrip()}"]
    for named in found.operands:
        lines.append(f"  {' ' * len(number)} | {' ' * max(0, named.column - indent)}{shape_text(named.shape)}")
    return lines


def shown_steps(derivation: Derivation) -> tuple[int, tuple[Step, ...]]:
    """How many steps are left out, and those that are shown: of a long derivation that fails, the last ones."""
    steps = derivation.steps
    if derivation.verdict != "failed" or len(steps) <= MOST_SHOWN:
        return 0, steps
    return len(steps) - NEAR, steps[-NEAR:]


def left_out(derivation: Derivation) -> str:
    """The words in the place of the steps that are left out; ``""`` where none are."""
    count = shown_steps(derivation)[0]
    proved = all(step.verdict == "proved" for step in derivation.steps[:count])
    agree = ", in which the rules and PyTorch agree" if proved else ""
    return f"... {count} steps before{agree} (--format json has them all)" if count else ""


def _fix_lines(fixes: tuple[Fix, ...]) -> list[str]:
    """The edits, numbered, each with what is known of it."""
    known = {True: "tried: the model then runs", False: "not proved"}
    return [f"fix {place}: {near(fix.text)} ({known[fix.proved]})" for place, fix in enumerate(fixes, 1)]


def title(derivation: Derivation) -> str:
    """What was derived, and on which input."""
    return f"{derivation.model} on {', '.join(derivation.inputs)}"
