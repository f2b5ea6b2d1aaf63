"""From one run to a derivation: steps, verdict, totals."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from shapeproof.capture.naming import place_name
from shapeproof.capture.refusal import python_failure, said_by
from shapeproof.capture.run import run
from shapeproof.capture.trace import Call, Manner, Trace
from shapeproof.collector import uncollected
from shapeproof.derivation.model import Cost, Derivation, Diagnosis, ShapeWarning, Step, Verdict
from shapeproof.derivation.steps import steps_of
from shapeproof.dims.conditions import Condition, collecting
from shapeproof.rules.registry import Violation, find


@uncollected()
def derived(
    model: Any,
    args: list[Any],
    kwargs: dict[str, Any],
    sizes: dict[str, int],
    told: list[str],
    like: Manner | None = None,
) -> Derivation:
    """Run the model once on these pairs of value and shape, and make a derivation of what was seen.

    Args:
        model: the module or callable.
        args: as for :func:`~shapeproof.capture.run.run`.
        kwargs: likewise, by name.
        sizes: the size at which each letter is tried.
        told: the inputs as text.
        like: how the model was run before, where this is one of many runs of it.
    """
    once = functools.partial(run, model, args, kwargs, like)
    with collecting() as conditions:
        trace = _with_letters(once) if sizes else once()
    trace.entering = [shape if shape is not None else tuple(value.shape) for value, shape in (*args, *kwargs.values())
                      if shape is not None or isinstance(value, Tensor)]  # fmt: skip
    return assembled(model, trace, conditions, sizes, told)


def _with_letters(once: Callable[[], Trace]) -> Trace:
    from shapeproof.capture.letters import with_letters  # here, since numbers alone do without it

    return with_letters(once)


def assembled(
    model: Any, trace: Trace, conditions: Sequence[Condition], sizes: dict[str, int], told: Sequence[str]
) -> Derivation:
    """Make a derivation of what one run showed; ``conditions`` is what held of the letters in it."""
    failing = python_failure(trace)
    unpacked = failing.violation.condition if failing and failing.violation and failing.op == "unpack" else None
    if unpacked and unpacked.relation.letters:
        # which number of pieces there were does not matter: it is not that of the names
        counted = _decided(trace.calls[-1])
        conditions = [condition for condition in conditions if condition not in counted]
    calls = [*trace.calls, failing] if failing else trace.calls
    steps = steps_of(calls, trace.parameters)
    verdict = _verdict(steps)
    diagnosis = _diagnosis(steps[-1], calls[-1], trace.error) if verdict == "failed" else None
    return Derivation(
        steps=steps,
        verdict=verdict,
        output=trace.output,
        cost=_total(steps, trace.parameters),
        model=type(model).__name__ if isinstance(model, nn.Module) else getattr(model, "__name__", "function"),
        inputs=tuple(told),
        sizes=tuple(sizes.items()),
        conditions=tuple(dict.fromkeys((*conditions, *(steps[-1].requires if verdict == "failed" else ())))),
        diagnosis=diagnosis,
        unused=trace.unused,
        warnings=() if diagnosis else _warnings(model, trace, steps),
        manner=trace.manner,
        _trace=trace if sizes and verdict == "proved" else None,
    )


def _decided(call: Call) -> list[Condition]:
    """What the rule of a call finds of the sizes on its way."""
    known = find(call.op)
    with collecting() as stated:
        if known and call.asked:
            known(*call.asked)
    return [condition for condition in stated if condition.is_way]


def _warnings(model: Any, trace: Trace, steps: tuple[Step, ...]) -> tuple[ShapeWarning, ...]:
    """What runs and is still almost surely wrong, without edits as yet."""
    find = importlib.import_module("shapeproof.doubts.find")  # the doubts stand above this package
    found = find.doubts(model, trace.calls, trace.entering, trace.output, trace.unused)
    return tuple(find.warning(doubt, steps) for doubt in found)


def _verdict(steps: tuple[Step, ...]) -> Verdict:
    kinds = {step.verdict for step in steps}
    if "mismatch" in kinds:
        return "mismatch"
    if "failed" in kinds:
        return "failed"
    return "incomplete" if "unsupported" in kinds else "proved"


def _diagnosis(step: Step, call: Call, error: BaseException | None) -> Diagnosis:
    violation = call.violation or Violation("unsupported", "a call that PyTorch accepts", said_by(error).split("\n")[0])
    where = place_name(step.module, step.op, step.source)
    message = f"{where}: expected {violation.expected}, got {violation.got}"
    return Diagnosis(violation.code, message, step, violation.expected, violation.got)


def _total(steps: tuple[Step, ...], parameters: dict[int, tuple[int, int]]) -> Cost:
    """Totals; MACs are unknown where one step's are."""
    macs = [step.cost.macs for step in steps]
    sizes = parameters.values()
    known = [m for m in macs if m is not None]
    return Cost(
        parameters=sum(n for n, _ in sizes),
        macs=sum(known) if len(known) == len(macs) else None,
        activation_bytes=sum(step.cost.activation_bytes for step in steps),
        parameter_bytes=sum(size for _, size in sizes),
    )
