"""``diagnose``: the cause of a failed derivation, and the edits that were tried and come through."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch.utils._pytree import tree_flatten

from shapeproof.capture.guard import same_randomness
from shapeproof.capture.trace import Call
from shapeproof.derivation.model import Derivation, Diagnosis, Fix
from shapeproof.diagnosis import (
    attention,
    constructing,
    convolution,
    linear,
    losses,
    meeting,
    normalisation,
    python,
    recurrent,
    reshaping,
)
from shapeproof.diagnosis.case import Case, tried
from shapeproof.diagnosis.edits import Edit, Setup
from shapeproof.diagnosis.reaching import held
from shapeproof.diagnosis.telling import line, made_by, operands, placed, written_at
from shapeproof.records import dataclass

FINDERS = (constructing, reshaping, linear, convolution, normalisation, meeting, recurrent, attention, losses, python)
TERMS = (constructing, normalisation, recurrent, attention, losses, python)
MOST_TRIED = 90  # runs for one failure: the search over input sizes is the longest
LONGEST = 20.0  # seconds after which no further edit is tried
MOST_WORK = 2.0  # seconds of one core, likewise, once the likeliest edits were tried
LIKELIEST = 12
MOST_OFFERED = 3
DEEPEST = 3  # edits that may be needed together
FOLLOWED = (30, 4, 2)  # how many candidates are tried at each depth, sizes of the input apart


@dataclass(frozen=True)
class Plan:
    """Edits that were tried together, and what they cost."""

    edits: tuple[Edit, ...]
    cost: float
    proved: bool
    patch: str = ""


class _Budget:
    """How many runs and how much time are left."""

    def __init__(self) -> None:
        self._left, self._end = MOST_TRIED, time.monotonic() + LONGEST
        self._worked = time.thread_time() + MOST_WORK

    def take(self) -> bool:
        """Whether another run may be made."""
        self._left -= 1
        early = MOST_TRIED - self._left <= LIKELIEST
        return self._left >= 0 and time.monotonic() < self._end and (early or time.thread_time() < self._worked)


def diagnose(setup: Setup, derivation: Derivation) -> Diagnosis:
    """Refine the diagnosis of a failed derivation, and fill in its fixes.

    Args:
        setup: the user's model and inputs; copied before anything is changed.
        derivation: the failed derivation of exactly these.

    Returns:
        The diagnosis; every fix marked proved was applied to a copy, which then came through to its output.
    """
    found = derivation.diagnosis
    assert found is not None
    setup = replace(setup, model=held(setup.model))
    with same_randomness(), warnings.catch_warnings():  # fresh weights are drawn, and unlikely edits tried
        warnings.simplefilter("ignore")
        case, _ = tried(setup)
        if case is None:
            return found
        plans = sorted(_plans(setup, case, _Budget(), 0), key=lambda plan: (not plan.proved, plan.cost))
    proved = _different([plan for plan in plans if plan.proved])
    offered = proved or _different([plan for plan in plans if plan.edits[0].attribute != "size"])
    code, expected, got = _terms(case, found)
    code = next((plan.edits[0].code for plan in offered[:1] if plan.edits[0].code), code)
    found = placed(found, case)
    where = found.message.split(": expected ")[0]
    made = made_by(derivation, code)
    return replace(
        found, code=code, expected=expected, got=got,
        message=f"{where}: expected {expected}, got {got}{f'; {made}' if made else ''}",
        fixes=tuple(_fix(plan) for plan in offered[:MOST_OFFERED]),
        line=line(case), operands=operands(case, derivation.steps),
        born="; ".join(part for part in (made, written_at(case)) if part),
    )  # fmt: skip


def attempt(setup: Setup, calls: list[Call], edit: Edit) -> Fix:
    """Try one edit of a model that runs; where the model then fails, together with the edits that mend that.

    Args:
        setup: the user's model and inputs; copied before anything is changed.
        calls: what ran, up to the call that the edit is about.
        edit: what to change.
    """
    with same_randomness():
        plans = list(_followed(setup, Case(setup, calls, None), edit, _Budget(), 0))
    return _fix(min(plans, key=lambda plan: (not plan.proved, plan.cost)))


def candidates(case: Case) -> list[Edit]:
    """Every edit that the causes propose for a failed call, best first."""
    found: list[Edit] = []
    for finder in FINDERS:
        found += _safely(finder.find, case)
    return sorted(found, key=lambda edit: edit.cost)


def _safely(find: Callable[[Case], Iterator[Edit]], case: Case) -> list[Edit]:
    """What a finder proposes; one that a strange model makes stumble proposes what it has so far."""
    found = []
    try:
        for edit in find(case):
            found.append(edit)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return found
    return found


def _terms(case: Case, found: Diagnosis) -> tuple[str, str, str]:
    for part in TERMS:
        terms: tuple[str, str, str] | None = part.terms(case)
        if terms is not None:
            return terms
    return found.code, found.expected, found.got


def _plans(setup: Setup, case: Case, budget: _Budget, depth: int) -> Iterator[Plan]:
    """Edits that bring the model through, alone or together with those that follow."""
    best = float("inf")
    count = 0
    sized = False
    for edit in candidates(case):
        by_size = edit.attribute == "size"
        if (by_size and (sized or depth)) or (depth and edit.kind == "input"):
            continue  # one size that runs is enough, and an input edit that needs another besides is no mend
        count += not by_size
        if count > FOLLOWED[depth] or edit.cost > best + 1.5 or not budget.take():
            break
        for plan in _followed(setup, case, edit, budget, depth):
            yield plan
            if plan.proved:
                best = min(best, plan.cost)
                sized = sized or by_size


def _followed(setup: Setup, case: Case, edit: Edit, budget: _Budget, depth: int) -> Iterator[Plan]:
    """One edit tried; where it only moves the failure on, together with those that mend that."""
    try:
        copied = setup.copied()
        edit.apply(copied)
        after, output = tried(copied)
    except Exception:  # noqa: BLE001  # whatever a model cannot stand, the edit is then not proved
        yield Plan((edit,), edit.cost, proved=False)
        return
    if after is None:
        yield Plan((edit,), edit.cost + _strange(case, copied, output), True, copied.sources.patch())
        return
    further = not _same_failure(case, after) and edit.attribute != "size"
    found = False
    if further and depth + 1 < DEEPEST and edit.cost < 3:
        for plan in _plans(copied, after, budget, depth + 1):
            if plan.proved:
                found = True
                cost = edit.cost + 1 + plan.cost + (2 if edit.kind == "input" and edit.attribute != "layout" else 0)
                yield Plan((edit, *plan.edits), cost, True, plan.patch)
    if not found:
        yield Plan((edit,), edit.cost, proved=False)


def _same_failure(before: Case, after: Case) -> bool:
    """Whether the failure stands where it stood, with the same sizes."""
    a, b = before.call, after.call
    places = (a.op, a.module, a.source) == (b.op, b.module, b.source)
    return len(before.calls) >= len(after.calls) and places and before.shapes == after.shapes


def _strange(case: Case, setup: Setup, output: Any) -> float:
    """A result that nobody means: another batch comes out than goes in."""
    first = setup.first()
    shapes = [leaf for leaf in tree_flatten(output, is_leaf=lambda s: isinstance(s, tuple) and _sizes(s))[0] if leaf]
    if first is None or not shapes or not first[1].dim():
        return 0.0
    batch = first[1].shape[0]
    outs = [tuple(map(int, shape)) for shape in shapes if isinstance(shape, tuple) and _sizes(shape)]
    return 3.0 if outs and batch > 1 and all(batch not in out[:2] for out in outs if out) and any(outs) else 0.0


def _sizes(value: tuple[Any, ...]) -> bool:
    return all(isinstance(size, int) for size in value)


def _different(plans: list[Plan]) -> list[Plan]:
    """Plans without those that say the same, or more than a cheaper one that they begin with."""
    kept: list[Plan] = []
    for plan in plans:
        first = plan.edits[0]
        if all((first.text, first.attribute) != (k.edits[0].text, k.edits[0].attribute) for k in kept):
            kept.append(plan)
    return kept


def _fix(plan: Plan) -> Fix:
    first, *rest = plan.edits
    also = tuple(_single(edit, plan.proved) for edit in rest)
    text = " ".join([first.text, *(f"Then {edit.text[0].lower()}{edit.text[1:]}" for edit in rest)])
    return replace(_single(first, plan.proved), text=text, also=also, patch=plan.patch)


def _single(edit: Edit, proved: bool) -> Fix:
    return Fix(edit.kind, edit.module, edit.attribute, edit.old, edit.new, edit.text, proved, edit.source)
