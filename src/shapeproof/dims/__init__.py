"""Sizes with letters: exact integer expressions, integers that carry one, and formulas written once.

Nothing in this package knows a tensor, or torch.
"""

from shapeproof.dims.dim import (
    Dim,
    DimFloat,
    Shape,
    Size,
    at,
    ceil_div,
    exact_div,
    expr_of,
    letter,
    plain,
    product,
    put,
    same,
)
from shapeproof.dims.formula import Formula, arithmetic, ceil_of, floor_of, names

__all__ = [
    "Dim", "DimFloat", "Formula", "Shape", "Size", "arithmetic", "at", "ceil_div", "ceil_of", "exact_div",
    "expr_of", "floor_of", "letter", "names", "plain", "product", "put", "same",
]  # fmt: skip
