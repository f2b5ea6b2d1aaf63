"""``diagnose``: the cause of a failed derivation, and the edits that were tried and come through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shapeproof.derivation.model import Derivation, Diagnosis, Fix
from shapeproof.diagnosis.causes import Case, causes
from shapeproof.diagnosis.edits import Edit, Setup

Derive = Callable[[Setup], Derivation]
MOST_TRIED = 40  # candidate edits of one failure: the search over input sizes is the longest
MOST_OFFERED = 3
DEEPEST = 2  # further edits that may follow a first one


def diagnose(setup: Setup, derivation: Derivation, derive: Derive) -> Diagnosis:
    """Refine the diagnosis of a failed derivation, and fill in its fixes.

    Args:
        setup: the user's model and inputs; copied before anything is changed.
        derivation: the failed derivation of exactly these.
        derive: derives a setup without explaining it.

    Returns:
        The diagnosis; every fix marked proved was applied to a copy, which then came through to its output.
    """
    found = derivation.diagnosis
    assert found is not None
    code, edits = causes(Case(setup, derivation.steps, found.code))
    tried: list[Fix] = []
    for edit in edits[:MOST_TRIED]:
        if edit.attribute == "size" and any(fix.proved and fix.attribute == "size" for fix in tried):
            continue  # one size that runs is enough, and large inputs take long
        tried.append(_tried(setup, edit, derive, DEEPEST))
    # an input edit that needs another edit besides is no mend of its own
    proved = [fix for fix in tried if fix.proved and not (fix.kind == "input" and "Then " in fix.text)]
    unproved = [] if proved else [fix for fix in tried if fix.attribute != "size"]
    return replace(
        found,
        code=code,
        message=found.message + _born(derivation),
        fixes=tuple([*proved, *unproved][:MOST_OFFERED]),
    )


def _tried(setup: Setup, edit: Edit, derive: Derive, deeper: int) -> Fix:
    """The edit as a fix; where it only moves the failure further on, together with the edit that mends that."""
    fix = Fix(edit.kind, edit.module, edit.attribute, edit.old, edit.new, edit.text, proved=False)
    try:
        copied = setup.copied()
        edit.apply(copied)
        result = derive(copied)
    except Exception:  # noqa: BLE001  # whatever a model cannot stand, the edit is then not proved
        return fix
    if result.verdict != "failed":
        return replace(fix, proved=True)
    if not deeper or edit.attribute == "size" or result.diagnosis is None:
        return fix
    further = causes(Case(copied, result.steps, result.diagnosis.code))[1]
    for candidate in [edit for edit in further if edit.kind != "input"][:2]:
        follow = _tried(copied, candidate, derive, deeper - 1)
        if follow.proved:
            return replace(fix, text=f"{fix.text} Then {follow.text[0].lower()}{follow.text[1:]}", proved=True)
    return fix


def _born(derivation: Derivation) -> str:
    """Which step made the number that does not fit."""
    failed = derivation.steps[-1]
    if not failed.parents:
        return ""
    maker = derivation.steps[failed.parents[0]]
    if not maker.arithmetic:
        return ""
    place = f" at {maker.source}" if maker.source else ""
    return f"; it was made by {maker.op}{place}: {maker.arithmetic}"
