"""A derivation as JSON."""

from __future__ import annotations

from shapeproof.derivation.model import Derivation


def render(derivation: Derivation) -> str:
    """Indented JSON with a final line break; see :meth:`Derivation.to_dict` for what it holds."""
    return derivation.to_json() + "\n"
