"""Free dimensions: sizes that run are found, the domain is solved, and both are borne out by running the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shapeproof.capture.trace import Trace
from shapeproof.derivation.domain import edges, solved
from shapeproof.derivation.model import Derivation, ShapeWarning, Step
from shapeproof.dims.dim import at

RunAt = Callable[[dict[str, int]], Trace]


def meeting(failed: Derivation, tried: dict[str, int]) -> dict[str, int] | None:
    """Sizes that meet every condition seen so far and the one that failed; ``None`` where there are none such."""
    domain = solved(tuple(tried), [c.relation for c in failed.conditions])
    for box in domain.boxes:
        sizes = {n: tried[n] if tried[n] in box[n] else box[n].smallest or 1 for n in tried}
        if sizes != tried:
            return sizes
    return None


def checked(derivation: Derivation, run_at: RunAt) -> Derivation:
    """Solve the domain, then run the model just inside and just outside of every edge.

    Inside, the model must run and every step must have the size that its letters say; outside, it must fail.
    """
    letters = tuple(name for name, _ in derivation.sizes)
    domain = solved(letters, [c.relation for c in derivation.conditions])
    inside, outside = edges(domain)
    lost: Step | None = None
    borne_out = derivation.verdict == "proved" and not domain.open and bool(domain.boxes)
    for sizes in inside:
        trace = _safely(run_at, sizes)
        if trace is None or trace.error is not None:
            borne_out = False
            continue
        lost = lost or _first_unlike(derivation, trace, sizes)
    for sizes in outside:
        trace = _safely(run_at, sizes)
        borne_out = borne_out and trace is not None and trace.error is not None
    domain = replace(domain, exact=borne_out and lost is None)
    warnings = derivation.warnings + ((_lost(lost),) if lost else ())
    return replace(derivation, domain=domain, warnings=warnings)


def _safely(run_at: RunAt, sizes: dict[str, int]) -> Trace | None:
    try:
        return run_at(sizes)
    except Exception:  # noqa: BLE001  # the model's own error at another size: the edge is not borne out
        return None


def _first_unlike(derivation: Derivation, trace: Trace, sizes: dict[str, int]) -> Step | None:
    """The first step whose letters do not give the size that PyTorch has at these numbers."""
    for step, call in zip(derivation.steps, trace.calls, strict=False):
        if step.op != call.op or _numbers(step.output, sizes) != _numbers(call.output, sizes):
            return step
    return derivation.steps[-1] if derivation.steps and len(derivation.steps) != len(trace.calls) else None


def _numbers(shape: Any, sizes: dict[str, int]) -> Any:
    if isinstance(shape, (tuple, list)):
        return tuple(_numbers(part, sizes) for part in shape)
    return at(shape, sizes) if isinstance(shape, int) else shape


def _lost(step: Step) -> ShapeWarning:
    where = f"{step.module or 'the model'} ({step.op})" + (f" at {step.source}" if step.source else "")
    message = (
        f"{where} has another size than its letters say when other sizes go in: "
        "Python turned a size into a plain number before it, so the letters hold only for the sizes tried"
    )
    return ShapeWarning("lost-letter", message, step)
