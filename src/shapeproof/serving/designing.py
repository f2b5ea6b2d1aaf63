"""A design derived: the same rules as everywhere else, as plain data for the page, with the fixes that were tried."""

from __future__ import annotations

from typing import Any

from shapeproof.derivation.model import Derivation, Fix, Step, plain_shape
from shapeproof.errors import UsageError
from shapeproof.serving.building import Built, build
from shapeproof.serving.drawing import sizes_dropped
from shapeproof.serving.network import KINDS, Design, parse
from shapeproof.serving.writing import code

BATCH = "N"


def derived(value: Any) -> dict[str, Any]:
    """Derive a design given as JSON values.

    Returns:
        ``design`` (with every number), ``layers`` (one row each), ``verdict``, ``output``, ``cost``, ``diagnosis``
        (``None``, or the cause with the designs that mend it), ``code`` (PyTorch, as text).

    Raises:
        UsageError: If the design is not allowed.
    """
    design = parse(value)
    built, found = _derivation(design)
    return {
        "design": design.to_dict(),
        "layers": _rows(design, built, found),
        "verdict": found.verdict,
        "output": plain_shape(found.output) if found.verdict != "failed" else None,
        "cost": {key: plain_shape(number) for key, number in vars(found.cost).items()},
        "steps": len(found.steps),
        "diagnosis": _cause(design, found),
        "code": code(design, built),
    }


def domain(value: Any) -> dict[str, Any]:
    """For which heights and widths a design runs: ``domain`` as text, whether it is ``exact``, and ``output``.

    Raises:
        UsageError: If the design is not allowed.
    """
    from shapeproof import derive

    design = parse(value)
    channels, height, width = design.size
    found = derive(build(design).model, f"{BATCH},{channels},H={height},W={width}")
    known = found.domain if found.verdict != "failed" else None
    return {
        "domain": None if known is None else str(known),
        "exact": known is not None and known.exact,
        "output": None if known is None else plain_shape(found.output),
    }


def _derivation(design: Design) -> tuple[Built, Derivation]:
    from shapeproof import derive

    built = build(design)
    return built, derive(built.model, ",".join((BATCH, *map(str, design.size))))


def _rows(design: Design, built: Built, found: Derivation) -> list[dict[str, Any]]:
    """One row a layer; those behind a failure were not reached."""
    steps = {step.module: step for step in found.steps}
    numbers = {layer.name: layer.numbers for layer in built.layers}
    return [
        _row(steps.get(layer.name)) | {"name": layer.name, "numbers": numbers.get(layer.name, layer.numbers)}
        for layer in design.layers
    ]


def _row(step: Step | None) -> dict[str, Any]:
    if step is None:
        return {"verdict": "unreached"}
    seen = step.receptive_field
    return {
        "verdict": step.verdict,
        "op": step.op,
        "inputs": plain_shape(step.inputs),
        "output": plain_shape(step.output) if step.verdict != "failed" else None,
        "formula": step.formula,
        "arithmetic": step.arithmetic,
        "notes": list(step.notes),
        "windows": sizes_dropped(step),
        "parameters": step.cost.parameters,
        "macs": plain_shape(step.cost.macs),
        "field": None if seen is None else list(seen.size),
    }


def _cause(design: Design, found: Derivation) -> dict[str, Any] | None:
    cause = found.diagnosis
    if cause is None:
        return None
    failed = cause.step
    maker = found.steps[failed.parents[0]] if failed.parents else None
    return {
        "code": cause.code,
        "layer": failed.module or (found.steps[-1].module if found.steps else ""),
        "expected": cause.expected,
        "got": cause.got,
        "maker": None if maker is None else {"layer": maker.module, "op": maker.op, "arithmetic": maker.arithmetic},
        "fixes": [fix for fix in (_mended(design, fix) for fix in cause.fixes) if fix],
    }


def _mended(design: Design, fix: Fix) -> dict[str, Any] | None:
    """A fix as a whole new design, derived again to its output; ``None`` where it is none of this page's numbers."""
    mended: Design | None = design
    parts = (fix, *fix.also)
    for part in parts:
        mended = _edited(mended, part) if mended else None
    if mended is None:
        return None
    try:
        if _derivation(mended)[1].verdict == "failed":
            return None
    except UsageError:  # PyTorch refuses a number of it
        return None
    return {"parts": [_part(part) for part in parts], "design": mended.to_dict()}


def _part(fix: Fix) -> dict[str, Any]:
    plain = {"kind": fix.kind, "layer": fix.module, "attribute": fix.attribute}
    return plain | {"old": _number(fix.old), "new": _number(fix.new)}


def _edited(design: Design, fix: Fix) -> Design | None:
    kinds = {layer.name: layer.kind for layer in design.layers}
    kind = kinds.get(fix.module)
    if fix.kind == "insert" and kind and "flatten" in f"{fix.attribute} {fix.new} {fix.text}":
        return design.with_flatten_before(fix.module)
    number = _number(fix.new)
    allowed = KINDS[kind].get(fix.attribute) if kind else None
    if fix.kind == "argument" and allowed and isinstance(number, int) and allowed.low <= number <= allowed.high:
        return design.with_number(fix.module, fix.attribute, int(number))
    return None


def _number(value: Any) -> Any:
    """A number, from one or from a pair of equal ones; a switch as it is; anything else as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (tuple, list)) and len({int(part) for part in value if isinstance(part, int)}) == 1:
        return int(value[0])
    return int(value) if isinstance(value, int) else str(value)
