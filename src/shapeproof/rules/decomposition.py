"""Linear algebra on matrices, in batches: inverses, solutions, factorisations.

MACs of these are not known: how much is done depends on the algorithm that the library chooses.
"""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.dims.conditions import decide
from shapeproof.rules.elementwise import broadcast
from shapeproof.rules.registry import Derived, Operand, Violation, require, rule, show


def matrix(input: Operand) -> tuple[Shape, int, int]:
    """The batch, rows and columns. Raises :class:`Violation` below two dimensions."""
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions (*, m, n)", show(input.shape))
    return tuple(input.shape[:-2]), input.shape[-2], input.shape[-1]


def square_of(input: Operand) -> tuple[Shape, int]:
    """The batch and the size. Raises :class:`Violation` where rows and columns differ."""
    batch, rows, columns = matrix(input)
    require("==", columns, rows, "square", "as many columns as rows", show(input.shape))
    return batch, rows


def found(input: Operand, shape: Any, formula: str) -> Derived:
    """The answer of a rule on matrices, its MACs unknown."""
    return Derived(shape, formula, f"{show(input.shape)} as {formula}", None)


@rule(
    "inverse", "linalg_inv", "linalg_cholesky", "cholesky", "cholesky_inverse", "matrix_exp", "linalg_matrix_exp",
    page="torch.linalg.inv",
)  # fmt: skip
def square(input: Operand, *_: Any, **__: Any) -> Derived:
    """``(*, n, n)`` stays."""
    square_of(input)
    return found(input, input.shape, "(*, n, n) -> (*, n, n)")


@rule("matrix_power", "linalg_matrix_power", page="torch.linalg.matrix_power")
def matrix_power(input: Operand, n: int, **_: Any) -> Derived:
    """``(*, n, n)`` stays."""
    return square(input)


@rule("linalg_inv_ex", "linalg_cholesky_ex", page="torch.linalg.inv_ex")
def square_checked(input: Operand, *_: Any, **__: Any) -> Derived:
    """The result, and one number a matrix that says how it went."""
    batch, _n = square_of(input)
    return found(input, (input.shape, batch), "(*, n, n) -> (*, n, n), (*)")


@rule("det", "logdet", "linalg_det", page="torch.linalg.det")
def determinant(input: Operand, **_: Any) -> Derived:
    """One number a matrix."""
    return found(input, square_of(input)[0], "(*, n, n) -> (*)")


@rule("slogdet", "linalg_slogdet", page="torch.linalg.slogdet")
def signed_determinant(input: Operand, **_: Any) -> Derived:
    """The sign and the logarithm, one of each a matrix."""
    batch, _n = square_of(input)
    return found(input, (batch, batch), "(*, n, n) -> (*), (*)")


@rule("linalg_eigvals", "linalg_eigvalsh", page="torch.linalg.eigvals")
def eigenvalues(input: Operand, *_: Any, **__: Any) -> Derived:
    """``(*, n, n)`` to ``(*, n)``."""
    batch, n = square_of(input)
    return found(input, (*batch, n), "(*, n, n) -> (*, n)")


@rule("linalg_eig", "linalg_eigh", page="torch.linalg.eig")
def eigenvectors(input: Operand, *_: Any, **__: Any) -> Derived:
    """The values ``(*, n)`` and the vectors ``(*, n, n)``."""
    batch, n = square_of(input)
    return found(input, ((*batch, n), input.shape), "(*, n, n) -> (*, n), (*, n, n)")


@rule("linalg_svdvals", page="torch.linalg.svdvals")
def singular_values(input: Operand, **_: Any) -> Derived:
    """``(*, m, n)`` to ``(*, min(m, n))``."""
    batch, m, n = matrix(input)
    return found(input, (*batch, smaller(m, n)), "(*, m, n) -> (*, min(m, n))")


def smaller(a: int, b: int) -> int:
    """The smaller of two sizes; which one it was, becomes a condition."""
    return a if decide(">=", b, a) else b


@rule("linalg_svd", page="torch.linalg.svd")
def svd(input: Operand, full_matrices: bool = True, **_: Any) -> Derived:
    """``U``, the singular values and ``V^H``."""
    batch, m, n = matrix(input)
    k = smaller(m, n)
    u, v = ((*batch, m, m), (*batch, n, n)) if full_matrices else ((*batch, m, k), (*batch, k, n))
    return found(input, (u, (*batch, k), v), "(*, m, n) -> U, S, V^H")


@rule("svd", page="torch.svd")
def old_svd(input: Operand, some: bool = True, compute_uv: bool = True, **_: Any) -> Derived:
    """``U``, the singular values and ``V``."""
    batch, m, n = matrix(input)
    k = smaller(m, n)
    u, v = ((*batch, m, k), (*batch, n, k)) if some and compute_uv else ((*batch, m, m), (*batch, n, n))
    return found(input, (u, (*batch, k), v), "(*, m, n) -> U, S, V")


@rule("linalg_qr", page="torch.linalg.qr")
def qr(input: Operand, mode: str = "reduced", **_: Any) -> Derived:
    """``Q`` and ``R``; with ``mode="r"`` there is no Q."""
    batch, m, n = matrix(input)
    k = m if mode == "complete" else smaller(m, n)
    q = (0,) if mode == "r" else (*batch, m, k)
    return found(input, (q, (*batch, k, n)), "(*, m, n) -> (*, m, k), (*, k, n)")


@rule("qr", page="torch.qr")
def old_qr(input: Operand, some: bool = True, **_: Any) -> Derived:
    """``Q`` and ``R``."""
    return qr(input, "reduced" if some else "complete")


@rule("pinverse", "linalg_pinv", page="torch.linalg.pinv")
def pseudo_inverse(input: Operand, *_: Any, **__: Any) -> Derived:
    """``(*, m, n)`` to ``(*, n, m)``."""
    batch, m, n = matrix(input)
    return found(input, (*batch, n, m), "(*, m, n) -> (*, n, m)")


@rule("linalg_matrix_rank", "linalg_cond", page="torch.linalg.matrix_rank")
def matrix_rank(input: Operand, *_: Any, **__: Any) -> Derived:
    """One number a matrix."""
    return found(input, matrix(input)[0], "(*, m, n) -> (*)")


@rule("linalg_solve", page="torch.linalg.solve")
def solve(A: Operand, B: Operand, *, left: bool = True, **_: Any) -> Derived:  # noqa: N803  # PyTorch's names
    """``A X = B``: the shape of B, its batch broadcast with that of A."""
    batch, n = square_of(A)
    if len(B.shape) == 1 or [int(s) for s in B.shape] == [int(s) for s in A.shape[:-1]]:
        vector = B.shape
        if not left:
            raise Violation("matmul", "a matrix on the right, for left=False", show(B.shape))
        require("==", vector[-1] if vector else 0, n, "matmul", f"{n} numbers", show(B.shape))
        shape: Shape = (*broadcast([batch, tuple(vector[:-1])]), n)
        return found(A, shape, "(*, n, n), (*, n) -> (*, n)")
    if len(B.shape) < 2:
        raise Violation("rank", "at least 1 dimension", show(B.shape))
    place = -2 if left else -1
    require("==", B.shape[place], n, "matmul", f"{n} rows", show(B.shape))
    shape = (*broadcast([batch, tuple(B.shape[:-2])]), *B.shape[-2:])
    return found(A, shape, "(*, n, n), (*, n, k) -> (*, n, k)")


@rule("linalg_solve_triangular", page="torch.linalg.solve_triangular")
def solve_triangular(A: Operand, B: Operand, *, upper: bool, left: bool = True, **_: Any) -> Derived:  # noqa: N803
    """``A X = B`` with a triangular A: the shape of B, its batch broadcast with that of A."""
    batch, n = square_of(A)
    other, rows, columns = matrix(B)
    require("==", rows if left else columns, n, "matmul", f"{n} rows", show(B.shape))
    return found(A, (*broadcast([batch, other]), rows, columns), "(*, n, n), (*, n, k) -> (*, n, k)")


@rule("cholesky_solve", page="torch.cholesky_solve")
def cholesky_solve(input: Operand, L: Operand, *_: Any, **__: Any) -> Derived:  # noqa: N803  # PyTorch's name
    """The shape of the right side, its batch broadcast with that of the factor."""
    other, rows, columns = matrix(input)
    batch, n = square_of(L)
    require("==", rows, n, "matmul", f"{n} rows", show(input.shape))
    return found(input, (*broadcast([other, batch]), rows, columns), "(*, n, k), (*, n, n) -> (*, n, k)")


@rule("cov", page="torch.cov")
def cov(input: Operand, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Derived:
    """``(variables, observations)`` to ``(variables, variables)``; of one variable, a number."""
    if len(input.shape) > 2:
        raise Violation("rank", "at most 2 dimensions", show(input.shape))
    observations = input.shape[-1] if input.shape else 1
    for weights in (fweights, aweights):
        if isinstance(weights, Operand):
            if len(weights.shape) > 1:
                raise Violation("rank", "weights of at most 1 dimension", show(weights.shape))
            count = weights.shape[0] if weights.shape else 1
            require("==", count, observations, "broadcast", f"{observations} weights", show(weights.shape))
    shape = (input.shape[0], input.shape[0]) if len(input.shape) == 2 and not decide("==", input.shape[0], 1) else ()
    return found(input, shape, "(n, m) -> (n, n)")


@rule("corrcoef", page="torch.corrcoef")
def corrcoef(input: Operand) -> Derived:
    """``(variables, observations)`` to ``(variables, variables)``; of one variable, a number."""
    return cov(input)


@rule("vander", page="torch.vander")
def vander(x: Operand, N: int | None = None, increasing: bool = False) -> Derived:  # noqa: N803  # PyTorch's name
    """``(n,)`` to ``(n, N)``: the powers, ``N - 1`` first or 0 first; ``N`` is n where none is given."""
    if len(x.shape) != 1:
        raise Violation("rank", "1 dimension", f"{len(x.shape)}: {show(x.shape)}")
    powers = x.shape[0] if N is None else N
    require(">=", powers, 0, "argument", "N of at least 0", f"{powers}")
    return found(x, (*x.shape, powers), "(n,) -> (n, N)")


@rule("linalg_vander", page="torch.linalg.vander")
def linalg_vander(x: Operand, N: int | None = None) -> Derived:  # noqa: N803  # PyTorch's name
    """``(*, n)`` to ``(*, n, N)``: the powers from 0."""
    if not x.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    powers = x.shape[-1] if N is None else N
    require(">=", powers, 2, "argument", "N of at least 2", f"{powers}")
    return found(x, (*x.shape, powers), "(*, n) -> (*, n, N)")


@rule("weight_norm", "weight_norm_interface", page="torch.nn.utils.parametrizations.weight_norm")
def weight_norm(v: Operand, g: Operand, dim: int = 0) -> Derived:
    """``g v/|v|``: the shape of v."""
    return Derived(v.shape, "out = in", show(v.shape))


@rule("norm_except_dim", page="torch.nn.utils.parametrizations.weight_norm")
def norm_except_dim(v: Operand, pow: int = 2, dim: int = 0) -> Derived:
    """The length of each slice along ``dim``; every other dimension becomes 1."""
    if dim == -1:
        return found(v, (), "one number")
    if dim not in (0, len(v.shape) - 1):
        raise Violation("dim-range", "the first or the last dim", f"{dim}")
    shape = tuple(size if place == dim else 1 for place, size in enumerate(v.shape))
    return Derived(shape, "dim -> 1 but one", f"{product(v.shape)} numbers -> {show(shape)}")
