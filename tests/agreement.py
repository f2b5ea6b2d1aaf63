"""Rules against PyTorch on random arguments, for the files that hold the makers of those arguments."""

import random
from unittest import mock

import torch

from shapeproof.capture import refusal
from shapeproof.capture.run import run
from shapeproof.derivation.steps import numbers
from shapeproof.dims import letter
from shapeproof.dims.conditions import collecting

CASES = 200
REFUSALS = (RuntimeError, ValueError, IndexError, NotImplementedError, TypeError, AssertionError)


class Disagreement(AssertionError):
    """A rule and PyTorch differ about a call."""


def copies(tensors):
    """The call may write into its arguments."""
    return [t.clone() if not t.is_sparse else t for t in tensors]


def _refused(trace, error):
    """A dtype that is refused is no shape error to ``derive``; here it is a refusal that the rule must foresee."""
    last = trace.calls[-1] if trace.calls else None
    foreseen = last is not None and last.error is error and last.violation is not None
    return foreseen or refusal.about_shapes(trace, error)


def judged(fn, tensors, shapes=None):
    """``"agreed"``, ``"refused"`` by both, or ``"unsupported"``: the rule does not know. Raises where they differ."""
    given = [(t, s) for t, s in zip(copies(tensors), shapes or [None] * len(tensors), strict=True)]
    try:
        with mock.patch("shapeproof.capture.run.about_shapes", _refused):
            trace = run(fn, given, {})
    except REFUSALS as error:
        raise Disagreement(f"the rule gives a shape, PyTorch refuses: {error}") from error
    for call in trace.calls:
        if call.error is not None and call.violation is None:
            return "unsupported"
        if call.error is not None:
            return "refused"
        if call.violation is not None:
            raise Disagreement(f"{call.op}: the rule refuses ({call.violation}), PyTorch gives {call.output}")
        if call.derived is None:
            if call.trouble:
                raise Disagreement(f"{call.op}: {call.trouble}")
            return "unsupported"
        if numbers(call.derived.shape) != numbers(call.output):
            raise Disagreement(f"{call.op}: the rule gives {call.derived.shape}, PyTorch {call.output}")
    return "refused" if trace.error is not None else "agreed"


def agree(name, maker, cases=CASES, seed=""):
    """Over so many cases the shape, and whether the call is refused, are the rule's. Counts each outcome."""
    rng = random.Random(f"{name}{seed}")
    torch.manual_seed(0)
    counts = {"agreed": 0, "refused": 0, "unsupported": 0}
    while counts["agreed"] + counts["refused"] < cases:
        fn, tensors = maker(rng)
        try:
            counts[judged(fn, tensors)] += 1
        except Disagreement as problem:
            case = sum(counts.values())
            where = f"{name}, seed {seed!r}, case {case}: {[tuple(t.shape) for t in tensors]} {closed_over(fn)}"
            raise Disagreement(f"{where}: {problem}") from problem
        assert counts["unsupported"] <= cases, (name, "the rule has no account of most cases")
    return counts


def closed_over(fn):
    """What a case's function was made with, to read beside its tensors' shapes."""
    names, cells = fn.__code__.co_freevars if hasattr(fn, "__code__") else (), getattr(fn, "__closure__", None) or ()
    return {n: c.cell_contents for n, c in zip(names, cells, strict=True) if not callable(c.cell_contents)}


def assert_agreement(name, maker):
    """The rule and PyTorch agree in every case, and both outcomes occur."""
    counts = agree(name, maker)
    assert min(counts["agreed"], counts["refused"]) > 0, counts


def assert_letters_hold(name, maker, cases=25):
    """With a letter for every size, what the rule says at other sizes is what PyTorch does there."""
    rng = random.Random(f"letters {name}")
    tried = 0
    for _ in range(4 * cases):
        fn, tensors = maker(rng)
        shapes = [
            tuple(letter(f"{chr(97 + i)}{place}", s) for place, s in enumerate(t.shape)) for i, t in enumerate(tensors)
        ]
        with collecting() as conditions:
            try:
                trace = run(fn, [(t, s) for t, s in zip(copies(tensors), shapes, strict=True)], {})
            except REFUSALS:
                continue  # the plain test tells of that
        if trace.error is not None or any(c.derived is None or c.derived.notes for c in trace.calls):
            continue
        others = [tuple(max(0, int(s) + rng.choice([-1, 0, 0, 1, 2])) for s in shape) for shape in shapes]
        sizes = {str(a): b for sh, new in zip(shapes, others, strict=True) for a, b in zip(sh, new, strict=True)}
        tried += 1
        if all(condition.relation.holds(sizes) for condition in conditions) and 0 not in sizes.values():
            made = [_like(t, new) for t, new in zip(tensors, others, strict=True)]
            try:
                assert judged(fn, made, None) == "agreed", (name, shapes, sizes, closed_over(fn))
            except Disagreement as problem:
                if isinstance(problem.__cause__, torch.linalg.LinAlgError):
                    continue  # the values of this size happen to have no inverse
                raise
            assert_same_at(name, fn, made, trace, sizes)
        if tried >= cases:
            return


def _like(tensor, shape):
    """A tensor of another size whose values suit: indices within what there is, matrices that can be inverted."""
    if tensor.dtype.is_floating_point or tensor.dtype.is_complex:
        near = 0.01 * torch.ones(shape, dtype=tensor.dtype)
        return near + 0.9 * torch.eye(*shape[-2:], dtype=tensor.dtype) if len(shape) > 1 else near
    return torch.zeros(shape, dtype=tensor.dtype) + (tensor.flatten()[0] if tensor.numel() else 0)


def assert_same_at(name, fn, made, trace, sizes):
    again = run(fn, [(t, None) for t in copies(made)], {})
    for call, other in zip(trace.calls, again.calls, strict=True):
        assert _at(call.derived.shape, sizes) == numbers(other.output), (name, call.derived, sizes, closed_over(fn))


def _at(shape, sizes):
    if isinstance(shape, tuple):
        return tuple(_at(part, sizes) for part in shape)
    return int(shape.expr.value(sizes)) if hasattr(shape, "expr") else shape
