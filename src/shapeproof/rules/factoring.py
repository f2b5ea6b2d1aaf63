"""Factorisations that another call uses again (LU, LDL, Householder), least squares, and equations of tensors.

Source: PyTorch's pages of ``torch.linalg``. MACs are not known: the library chooses the algorithm.
"""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.dims.conditions import decide
from shapeproof.rules.decomposition import found, matrix, smaller, solve, solve_triangular, square_of
from shapeproof.rules.elementwise import broadcast
from shapeproof.rules.registry import Derived, Operand, Unsupported, Violation, require, require_shape, rule, show


@rule("linalg_lu", page="torch.linalg.lu")
def lu(A: Operand, *, pivot: bool = True, **_: Any) -> Derived:  # noqa: N803  # PyTorch's name
    """``P (*, m, m)``, ``L (*, m, k)`` and ``U (*, k, n)`` with ``k = min(m, n)``."""
    batch, m, n = matrix(A)
    k = smaller(m, n)
    return found(A, ((*batch, m, m) if pivot else (0,), (*batch, m, k), (*batch, k, n)), "(*, m, n) -> P, L, U")


def _factors(A: Operand, counted: bool) -> Derived:  # noqa: N803  # PyTorch's name
    batch, m, n = matrix(A)
    shapes = (A.shape, (*batch, smaller(m, n)), *((batch,) if counted else ()))
    return found(A, shapes, "(*, m, n) -> (*, m, n), (*, min(m, n))")


@rule("linalg_lu_factor", "geqrf", page="torch.linalg.lu_factor")
def lu_factor(A: Operand, **_: Any) -> Derived:  # noqa: N803  # PyTorch's name
    """Both factors in one matrix, and a list of ``min(m, n)`` numbers: pivots, or the reflections' scales."""
    return _factors(A, False)


@rule("linalg_lu_factor_ex", page="torch.linalg.lu_factor_ex")
def lu_factor_ex(A: Operand, **_: Any) -> Derived:  # noqa: N803  # PyTorch's name
    """As ``lu_factor``, and one number a matrix that says how it went."""
    return _factors(A, True)


@rule("lu", page="torch.lu")
def old_lu(A: Operand, pivot: bool = True, get_infos: bool = False, **_: Any) -> Derived:  # noqa: N803  # PyTorch's
    """As ``lu_factor``; with ``get_infos`` one number a matrix beside it."""
    return _factors(A, get_infos)


@rule("lu_unpack", page="torch.lu_unpack")
def lu_unpack(
    LU_data: Operand, LU_pivots: Operand, unpack_data: bool = True, unpack_pivots: bool = True, **_: Any  # noqa: N803
) -> Derived:  # fmt: skip
    """``P``, ``L`` and ``U`` of what ``lu_factor`` gave; a part that is not asked for is empty."""
    batch, m, n = matrix(LU_data)
    k = smaller(m, n)
    if tuple(map(int, LU_pivots.shape)) != tuple(map(int, (*batch, k))):
        raise Unsupported  # what PyTorch makes of other pivots depends on their values
    _alike(LU_pivots.shape, (*batch, k), "pivots")
    parts: tuple[Shape, Shape] = ((*batch, m, k), (*batch, k, n)) if unpack_data else ((0,), (0,))
    return found(LU_data, ((*batch, m, m) if unpack_pivots else (0,), *parts), "(*, m, n) -> P, L, U")


def _alike(have: Shape, want: Shape, what: str) -> None:
    """Two shapes must be one. Raises :class:`Violation` otherwise; letters in them become part of the domain."""
    if len(have) != len(want):
        raise Violation("rank", f"{what} of shape {show(want)}", show(have))
    require_shape(have, want, "matmul", f"{what} of shape {show(want)}")


def _solved(LU: Operand, pivots: Operand, B: Operand, left: bool = True) -> Derived:  # noqa: N803  # PyTorch's names
    batch, n = square_of(LU)
    _alike(pivots.shape, (*batch, n), "pivots")
    other, rows, columns = matrix(B)
    require("==", rows if left else columns, n, "matmul", f"{n} rows", show(B.shape))
    return found(LU, (*broadcast([batch, other]), rows, columns), "(*, n, n), (*, n, k) -> (*, n, k)")


@rule("linalg_lu_solve", page="torch.linalg.lu_solve")
def lu_solve(LU: Operand, pivots: Operand, B: Operand, *, left: bool = True, **_: Any) -> Derived:  # noqa: N803
    """``A X = B`` from the factors of A: the shape of B, its batch broadcast with that of A."""
    return _solved(LU, pivots, B, left)


@rule("linalg_ldl_solve", page="torch.linalg.ldl_solve")
def ldl_solve(LD: Operand, pivots: Operand, B: Operand, **_: Any) -> Derived:  # noqa: N803  # PyTorch's names
    """``A X = B`` from the factors of A: the shape of B, its batch broadcast with that of A."""
    return _solved(LD, pivots, B)


@rule("lu_solve", page="torch.lu_solve")
def old_lu_solve(b: Operand, LU_data: Operand, LU_pivots: Operand) -> Derived:  # noqa: N803  # PyTorch's names
    """``A X = B`` from the factors of A."""
    return _solved(LU_data, LU_pivots, b)


@rule("linalg_ldl_factor", page="torch.linalg.ldl_factor")
def ldl_factor(A: Operand, **_: Any) -> Derived:  # noqa: N803  # PyTorch's name
    """Both factors in one matrix, and the pivots."""
    batch, n = square_of(A)
    return found(A, (A.shape, (*batch, n)), "(*, n, n) -> (*, n, n), (*, n)")


@rule("linalg_ldl_factor_ex", page="torch.linalg.ldl_factor_ex")
def ldl_factor_ex(A: Operand, **_: Any) -> Derived:  # noqa: N803  # PyTorch's name
    """As ``ldl_factor``, and one number a matrix that says how it went."""
    batch, n = square_of(A)
    return found(A, (A.shape, (*batch, n), batch), "(*, n, n) -> (*, n, n), (*, n), (*)")


@rule("linalg_solve_ex", page="torch.linalg.solve_ex")
def solve_ex(A: Operand, B: Operand, *, left: bool = True, **_: Any) -> Derived:  # noqa: N803  # PyTorch's names
    """As ``solve``, and one number a matrix that says how it went."""
    answer = solve(A, B, left=left)
    return found(A, (answer.shape, tuple(A.shape[:-2])), "(*, n, n), (*, n, k) -> (*, n, k), (*)")


@rule("triangular_solve", page="torch.triangular_solve")
def old_triangular_solve(b: Operand, A: Operand, upper: bool = True, *_: Any, **__: Any) -> Derived:  # noqa: N803
    """``A X = b`` with a triangular A, and a copy of A; both batches are broadcast."""
    answer = solve_triangular(A, b, upper=upper)
    shape: Shape = (*answer.shape[:-2], *A.shape[-2:])
    return found(A, (answer.shape, shape), "(*, n, k), (*, n, n) -> (*, n, k), (*, n, n)")


@rule("linalg_householder_product", "orgqr", page="torch.linalg.householder_product")
def householder_product(A: Operand, tau: Operand) -> Derived:  # noqa: N803  # PyTorch's name
    """The product of ``k`` reflections: ``(*, m, n)`` with ``m >= n >= k`` stays."""
    batch, m, n = matrix(A)
    _alike(tau.shape[:-1], batch, "scales in a batch")
    require(">=", m, n, "matmul", "at least as many rows as columns", show(A.shape))
    require(">=", n, tau.shape[-1], "matmul", f"at most {n} reflections", f"{tau.shape[-1]}")
    return found(A, A.shape, "(*, m, n) -> (*, m, n)")


@rule("ormqr", page="torch.ormqr")
def ormqr(input: Operand, tau: Operand, other: Operand, left: bool = True, transpose: bool = False) -> Derived:
    """``Q C`` or ``C Q`` with Q from its reflections: the shape of C."""
    batch, m, _n = matrix(input)
    rest, rows, columns = matrix(other)
    require("==", rows if left else columns, m, "matmul", f"{m} {'rows' if left else 'columns'}", show(other.shape))
    _alike(tau.shape[:-1], batch, "scales in a batch")
    _alike(rest, batch, "matrices in a batch")
    require(">=", smaller(m, input.shape[-1]), tau.shape[-1], "matmul", "no more reflections than columns",
            show(tau.shape))  # fmt: skip
    return found(input, other.shape, "(*, m, k), (*, m, n) -> (*, m, n)")


@rule("linalg_lstsq", page="torch.linalg.lstsq")
def lstsq(A: Operand, B: Operand, rcond: Any = None, *, driver: Any = None, **_: Any) -> Derived:  # noqa: N803
    """``(*, m, n)`` and ``(*, m, k)``: the solution ``(*, n, k)``, residuals, ranks, singular values.

    Residuals are there where ``m > n`` and every matrix has its full rank: only values could tell, so their shape is
    left to PyTorch. So are ranks and singular values, which depend on the driver.
    """
    batch, m, n = matrix(A)
    vector = len(B.shape) == len(A.shape) - 1
    if len(B.shape) != len(A.shape) and [int(size) for size in B.shape] != [int(size) for size in A.shape[:-1]]:
        raise Unsupported  # PyTorch may take it for a matrix then
    if vector:
        _alike(B.shape, A.shape[:-1], "right sides")
    rows = B.shape[-1] if vector else B.shape[-2]
    require("==", rows, m, "matmul", f"{m} rows", show(B.shape))
    name = driver or "gelsy"
    residuals = name != "gelsy" and decide(">=", m, n + 1)
    if residuals:
        raise Unsupported
    lead = broadcast([batch, tuple(B.shape[:-1] if vector else B.shape[:-2])])
    shape: Shape = (*lead, n) if vector else (*lead, n, B.shape[-1])
    ranks: Shape = (0,) if name == "gels" else batch
    singular: Shape = (*batch, smaller(m, n)) if name in ("gelsd", "gelss") else (0,)
    return found(A, (shape, (0,), ranks, singular), "(*, m, n), (*, m, k) -> (*, n, k)")


@rule("linalg_tensorinv", page="torch.linalg.tensorinv")
def tensorinv(A: Operand, ind: int = 2) -> Derived:  # noqa: N803  # PyTorch's name
    """The first ``ind`` sizes, whose product is that of the others, change places with them."""
    require(">=", ind, 1, "argument", "ind of at least 1", f"{ind}")
    first, rest = A.shape[:ind], A.shape[ind:]
    require("==", product(first), product(rest), "square", "as many elements on both sides", show(A.shape))
    return found(A, (*rest, *first), "(a, b) -> (b, a)")


@rule("linalg_tensorsolve", page="torch.linalg.tensorsolve")
def tensorsolve(A: Operand, B: Operand, dims: Any = None) -> Derived:  # noqa: N803  # PyTorch's names
    """``tensordot(A, X) = B``: what is left of A's sizes when those of B are taken away."""
    shape = list(A.shape)
    if dims is not None:
        places = [dim % len(shape) for dim in dims]
        shape = [s for place, s in enumerate(shape) if place not in places] + [shape[place] for place in places]
    lead, rest = tuple(shape[: len(B.shape)]), tuple(shape[len(B.shape) :])
    require("==", product(rest), product(B.shape), "square", "as many unknowns as equations", show(A.shape))
    if not decide("==", product(rest), 0):  # of nothing, any sizes are a square
        require("==", product(lead), product(B.shape), "square", f"{show(B.shape)} in front", show(A.shape))
    return found(A, rest, "(b, x) -> (x)")
