"""The first edit that mends a failed derivation, as a patch of the user's file."""

from __future__ import annotations

from shapeproof.derivation.model import Derivation


def render(derivation: Derivation) -> str:
    """A unified diff for ``patch -p0`` in the current folder; ``""`` where there is none to be had."""
    fixes = derivation.diagnosis.fixes if derivation.diagnosis else ()
    return fixes[0].patch if fixes and fixes[0].proved else ""


def why_none(derivation: Derivation) -> str:
    """Why there is no patch; ``""`` where there is one."""
    if render(derivation):
        return ""
    if derivation.diagnosis is None:
        return "no patch: the model runs on this input"
    fixes = derivation.diagnosis.fixes
    if not fixes:
        return f"no patch: no edit is known for this ({derivation.diagnosis.message})"
    if not fixes[0].proved:
        return f"no patch: this edit could not be tried: {fixes[0].text}"
    return f"no patch: the place of the edit in a file is not plain: {fixes[0].text}"
