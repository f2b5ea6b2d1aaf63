"""Reductions: the named dimensions go, or become 1 with ``keepdim``."""

from __future__ import annotations

from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.rules.elementwise import broadcast, elementwise
from shapeproof.rules.registry import Derived, Operand, Unsupported, Violation, axes, axis, becomes, require, rule, show


def reduced(shape: Shape, dim: Any, keepdim: bool) -> Shape:
    """The shape without the named dimensions, or with 1 in their places."""
    gone = axes(dim, len(shape))
    if keepdim:
        return tuple(1 if place in gone else size for place, size in enumerate(shape))
    return tuple(size for place, size in enumerate(shape) if place not in gone)


def _reduction(input: Operand, dim: Any, keepdim: bool) -> Derived:
    return becomes(input, reduced(input.shape, dim, keepdim), "dim -> 1" if keepdim else "drop dim")


def _twice(found: Derived) -> Derived:
    return Derived((found.shape, found.shape), found.formula, found.arithmetic)


def _not_empty(input: Operand, dim: Any) -> None:
    """Of nothing there is no largest element: each dimension that is reduced needs at least one."""
    for place in axes(dim, len(input.shape)):
        if input.shape:
            size = input.shape[place]
            require(">=", size, 1, "empty", f"at least 1 element along dim {place}", show(input.shape))


def floating(input: Operand, dtype: Any, name: str) -> None:
    """Raise :class:`Violation` for whole numbers, of which PyTorch forms no mean."""
    if dtype is None and not input.dtype.startswith(("float", "bfloat", "complex")):
        raise Violation("dtype", f"floating-point numbers for {name}", input.dtype)


@rule("mean", "nanmean", page="torch.mean")
def mean(input: Operand, dim: Any = None, keepdim: bool = False, dtype: Any = None, **_: Any) -> Derived:
    """Drop the dimensions that are averaged; all of them where none is named."""
    floating(input, dtype, "mean")
    return _reduction(input, dim, keepdim)


@rule("sum", "nansum", "count_nonzero", "special_logsumexp", page="torch.sum")
def reduce(input: Operand, dim: Any = None, keepdim: bool = False, **_: Any) -> Derived:
    """Drop the dimensions that are reduced; all of them where none is named."""
    return _reduction(input, dim, keepdim)


@rule("logsumexp", page="torch.logsumexp")
def logsumexp(input: Operand, dim: Any, keepdim: bool = False) -> Derived:
    """Drop the dimensions that are reduced."""
    if isinstance(dim, (tuple, list)) and not dim:
        raise Unsupported  # refused or not, depending on the sizes
    return _reduction(input, dim, keepdim)


@rule("amax", "amin", page="torch.amax")
def extreme(input: Operand, dim: Any = (), keepdim: bool = False) -> Derived:
    """Drop the dimensions whose largest or smallest element is taken; all of them where none is named."""
    _not_empty(input, dim)
    return _reduction(input, dim, keepdim)


@rule("aminmax", page="torch.aminmax")
def aminmax(input: Operand, dim: int | None = None, keepdim: bool = False) -> Derived:
    """The smallest and the largest, along one dimension or of all."""
    _not_empty(input, dim)
    found = _reduction(input, dim, keepdim)
    return _twice(found)


@rule("prod", page="torch.prod")
def prod(input: Operand, dim: int | None = None, keepdim: bool = False, **_: Any) -> Derived:
    """Multiply along one dimension, or everything."""
    return _reduction(input, dim, keepdim)


@rule("any", "all", page="torch.any")
def truth(input: Operand, dim: Any = None, keepdim: bool = False) -> Derived:
    """Whether any, or every, element is true, along the named dimensions."""
    if isinstance(dim, (tuple, list)) and not dim:
        return becomes(input, input.shape, "no dim reduced")
    return _reduction(input, dim, keepdim)


@rule("argmax", "argmin", page="torch.argmax")
def index_of(input: Operand, dim: Any = None, keepdim: bool = False) -> Derived:
    """The place of the extreme along one dimension, or in the whole tensor."""
    if dim is None:
        require(">=", product(input.shape), 1, "empty", "at least 1 element", show(input.shape))
    else:
        _not_empty(input, dim)
    return _reduction(input, dim, keepdim)


@rule("max", "min", page="torch.max")
def largest(input: Operand, dim: Any = None, keepdim: bool = False, **named: Any) -> Derived:
    """Of everything: one number. Along a dim: values and indices. With a second tensor: element by element."""
    other = named.get("other", dim)
    if isinstance(other, Operand):
        return elementwise(input, other)
    if dim is None:
        require(">=", product(input.shape), 1, "empty", "at least 1 element", show(input.shape))
        return becomes(input, (), "drop dim")
    _not_empty(input, dim)
    return _twice(_reduction(input, int(dim), keepdim))


@rule("median", "nanmedian", page="torch.median")
def median(input: Operand, dim: int | None = None, keepdim: bool = False) -> Derived:
    """Of everything: one number. Along a dim: values and indices."""
    if dim is None:
        return becomes(input, (), "drop dim")
    _not_empty(input, dim)
    return _twice(_reduction(input, dim, keepdim))


@rule("mode", page="torch.mode")
def mode(input: Operand, dim: int = -1, keepdim: bool = False) -> Derived:
    """The most frequent value along a dim, and where it stands."""
    _not_empty(input, dim)
    return _twice(_reduction(input, dim, keepdim))


@rule("kthvalue", page="torch.kthvalue")
def kthvalue(input: Operand, k: int, dim: int = -1, keepdim: bool = False) -> Derived:
    """The k-th smallest value along a dim, and where it stands."""
    place = axis(dim, len(input.shape))
    size = input.shape[place] if input.shape else 1
    require(">=", size, k, "argument", f"at least k = {k} elements along dim {place}", f"{size}")
    require(">=", k, 1, "argument", "k of at least 1", f"{k}")
    return _twice(_reduction(input, dim, keepdim))


def _spread(input: Operand, dim: Any, keepdim: Any) -> Derived:
    """``std(x, unbiased)`` and ``std(x, dim, unbiased, keepdim)`` are both allowed."""
    floating(input, None, "a variance")
    if isinstance(dim, bool):
        dim = None
    return _reduction(input, dim, bool(keepdim))


@rule("var", "std", page="torch.var")
def spread(input: Operand, dim: Any = None, unbiased: Any = True, keepdim: Any = False, **_: Any) -> Derived:
    """Drop the dimensions over which the spread is taken; all of them where none is named."""
    return _spread(input, dim, keepdim)


@rule("var_mean", "std_mean", page="torch.var_mean")
def spread_and_mean(input: Operand, dim: Any = None, unbiased: Any = True, keepdim: Any = False, **_: Any) -> Derived:
    """The spread and the mean."""
    return _twice(_spread(input, dim, keepdim))


@rule("norm", page="torch.norm")
def norm(input: Operand, p: Any = "fro", dim: Any = None, keepdim: bool = False, *_: Any, **__: Any) -> Derived:
    """Drop the dimensions over which the length is taken; all of them where none is named."""
    floating(input, None, "a norm")
    return _reduction(input, dim, keepdim)


@rule("linalg_vector_norm", page="torch.linalg.vector_norm")
def vector_norm(input: Operand, ord: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Derived:
    """Drop the dimensions over which the length is taken; all of them where none is named."""
    floating(input, None, "a norm")
    found = _reduction(input, dim, keepdim)
    if ord == float("inf"):
        for place in axes(dim, len(input.shape)) if input.shape else ():
            require(">=", input.shape[place], 1, "empty", "no dim without elements", show(input.shape))
    return found


@rule("linalg_matrix_norm", page="torch.linalg.matrix_norm")
def matrix_norm(input: Operand, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, **_: Any) -> Derived:
    """Drop the two dimensions of the matrix."""
    floating(input, None, "a norm")
    if len(input.shape) < 2:
        raise Violation("rank", "at least 2 dimensions", show(input.shape))
    if len(dim) != 2:
        raise Violation("dim-range", "two dims", str(tuple(dim)))
    return _reduction(input, tuple(dim), keepdim)


@rule("frobenius_norm", page="torch.linalg.vector_norm")
def frobenius_norm(input: Operand, dim: Any = None, keepdim: bool = False) -> Derived:
    """As ``linalg.vector_norm`` with its second power."""
    return vector_norm(input, 2, dim, keepdim)


@rule("nuclear_norm", page="torch.linalg.matrix_norm")
def nuclear_norm(input: Operand, dim: Any = (-2, -1), keepdim: bool = False) -> Derived:
    """As ``linalg.matrix_norm``; the last two dimensions where none are named."""
    if isinstance(dim, bool):
        return matrix_norm(input, "nuc", keepdim=dim)
    return matrix_norm(input, "nuc", dim, keepdim)


@rule("linalg_norm", page="torch.linalg.norm")
def linalg_norm(input: Operand, ord: Any = None, dim: Any = None, keepdim: bool = False, **_: Any) -> Derived:
    """A vector's length along one dim, a matrix's along two; without ``ord`` and ``dim``, of everything."""
    if isinstance(dim, (tuple, list)) and len(dim) > 2 and ord is not None:
        raise Violation("dim-range", "one dim or two", str(tuple(dim)))
    if dim is None and ord is not None and len(input.shape) not in (1, 2):
        raise Violation("rank", "1 or 2 dimensions where ord is given without dim", show(input.shape))
    return vector_norm(input, ord, dim, keepdim)


@rule("quantile", "nanquantile", page="torch.quantile")
def quantile(input: Operand, q: Any, dim: int | None = None, keepdim: bool = False, **_: Any) -> Derived:
    """One value for each of the fractions, which come first; a single fraction adds no dimension."""
    require(">=", product(input.shape), 1, "empty", "at least 1 element", show(input.shape))
    lead = q.shape if isinstance(q, Operand) else ()
    if len(lead) > 1:
        raise Violation("rank", "one fraction, or a list of them", show(lead))
    shape = (*lead, *reduced(input.shape, dim, keepdim))
    return becomes(input, shape, "(q, drop dim)")


@rule("dist", page="torch.dist")
def dist(input: Operand, other: Operand, p: float = 2) -> Derived:
    """The norm of the difference, which is broadcast: one number."""
    elementwise(input, other)
    return becomes(input, (), "drop dim")


@rule("trace", page="torch.trace")
def trace(input: Operand) -> Derived:
    """The sum of the diagonal of one matrix."""
    if len(input.shape) != 2:
        raise Violation("rank", "2 dimensions", show(input.shape))
    return becomes(input, (), "drop both")


@rule("is_all_true", "is_any_true", page="torch.all")
def truth_of_all(input: Operand) -> Derived:
    """Whether all, or any, elements are true: one."""
    return becomes(input, (), "drop dim")


@rule("equal", page="torch.equal")
def asked(input: Operand, other: Any = None, *_: Any, **__: Any) -> Derived:
    """Python's True or False comes out: no tensor."""
    return Derived(None, "no tensor", show(input.shape))


@rule("allclose", page="torch.allclose")
def allclose(input: Operand, other: Operand, *_: Any, **__: Any) -> Derived:
    """Python's True or False, of two tensors that are broadcast."""
    broadcast([input.shape, other.shape])
    return Derived(None, "no tensor", f"{show(input.shape)} with {show(other.shape)}")


@rule("is_nonzero", page="torch.is_nonzero")
def is_nonzero(input: Operand) -> Derived:
    """Python's True or False, of a tensor of one number."""
    require("==", product(input.shape), 1, "one-number", "a tensor of 1 element", show(input.shape))
    return Derived(None, "no tensor", show(input.shape))
