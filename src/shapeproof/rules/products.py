"""Products of vectors and matrices: ``addmm`` and its kin, ``einsum``, ``tensordot``, distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.rules.elementwise import broadcast, fits
from shapeproof.rules.linear import matmul
from shapeproof.rules.registry import (
    Derived,
    Operand,
    Violation,
    axis,
    becomes,
    require,
    require_rank,
    require_shape,
    rule,
    show,
    unchanged,
)


def _of_rank(operand: Operand, rank: int, what: str) -> None:
    if len(operand.shape) != rank:
        raise Violation("rank", f"{what} of {rank} dimensions", show(operand.shape))


def _both(a: Operand, b: Operand) -> str:
    return f"{show(a.shape)} @ {show(b.shape)}"


@rule("mm", page="torch.mm")
def mm(input: Operand, mat2: Operand) -> Derived:
    """``(n, m) @ (m, p)`` to ``(n, p)``; nothing is broadcast."""
    _of_rank(input, 2, "a matrix")
    _of_rank(mat2, 2, "a matrix")
    return matmul(input, mat2)


@rule("bmm", page="torch.bmm")
def bmm(input: Operand, mat2: Operand) -> Derived:
    """``(b, n, m) @ (b, m, p)`` to ``(b, n, p)``; nothing is broadcast."""
    _of_rank(input, 3, "a batch of matrices")
    _of_rank(mat2, 3, "a batch of matrices")
    require("==", mat2.shape[0], input.shape[0], "matmul", f"equal batches in {_both(input, mat2)}", f"{mat2.shape[0]}")
    return matmul(input, mat2)


@rule("rmatmul", page="torch.matmul")
def rmatmul(input: Operand, other: Operand) -> Derived:
    """``other @ input``, where what stands left of the ``@`` is no tensor of PyTorch's."""
    return matmul(other, input)


@rule("mv", page="torch.mv")
def mv(input: Operand, vec: Operand) -> Derived:
    """``(n, m) @ (m)`` to ``(n)``."""
    _of_rank(input, 2, "a matrix")
    _of_rank(vec, 1, "a vector")
    return matmul(input, vec)


def _added(input: Operand, found: Derived) -> Derived:
    """What is added to the product must broadcast to it."""
    fits(input.shape, found.shape, f"a tensor that fits into {show(found.shape)}")
    return found


@rule("addmm", "sspaddmm", "saddmm", page="torch.addmm")
def addmm(input: Operand, mat1: Operand, mat2: Operand, **_: Any) -> Derived:
    """``input + mat1 @ mat2``."""
    return _added(input, mm(mat1, mat2))


@rule("addmv", page="torch.addmv")
def addmv(input: Operand, mat: Operand, vec: Operand, **_: Any) -> Derived:
    """``input + mat @ vec``."""
    return _added(input, mv(mat, vec))


@rule("baddbmm", page="torch.baddbmm")
def baddbmm(input: Operand, batch1: Operand, batch2: Operand, **_: Any) -> Derived:
    """``input + batch1 @ batch2``."""
    return _added(input, bmm(batch1, batch2))


@rule("addbmm", page="torch.addbmm")
def addbmm(input: Operand, batch1: Operand, batch2: Operand, **_: Any) -> Derived:
    """``input`` and the sum of the products over the batch."""
    found = bmm(batch1, batch2)
    return _added(input, Derived(found.shape[1:], "(b, n, m) @ (b, m, p) -> (n, p)", found.arithmetic, found.macs))


@rule("addr", page="torch.addr")
def addr(input: Operand, vec1: Operand, vec2: Operand, **_: Any) -> Derived:
    """``input`` and the outer product of two vectors."""
    return _added(input, outer(vec1, vec2))


@rule("outer", "ger", page="torch.outer")
def outer(input: Operand, vec2: Operand) -> Derived:
    """``(n)`` and ``(m)`` to ``(n, m)``."""
    _of_rank(input, 1, "a vector")
    _of_rank(vec2, 1, "a vector")
    shape = (input.shape[0], vec2.shape[0])
    return Derived(shape, "(n), (m) -> (n, m)", f"{_both(input, vec2)} -> {show(shape)}", product(shape))


@rule("dot", "vdot", page="torch.dot")
def dot(input: Operand, tensor: Any = None, **named: Any) -> Derived:
    """Two vectors of one length to a number."""
    other = named.get("other", tensor)
    _of_rank(input, 1, "a vector")
    _of_rank(other, 1, "a vector")
    return matmul(input, other)


@rule("inner", page="torch.inner")
def inner(input: Operand, other: Operand) -> Derived:
    """Products over the last dimension of both: ``(*, m)`` and ``(+, m)`` to ``(*, +)``."""
    if not input.shape or not other.shape:
        shape = input.shape or other.shape
        return Derived(shape, "out = a * b", f"{_both(input, other)} -> {show(shape)}", product(shape))
    a, b = input.shape[-1], other.shape[-1]
    require("==", b, a, "matmul", f"last sizes equal in {_both(input, other)}", f"{a} and {b}")
    shape = (*input.shape[:-1], *other.shape[:-1])
    return Derived(shape, "(*, m), (+, m) -> (*, +)", f"{_both(input, other)} -> {show(shape)}", product(shape) * a)


@rule("linalg_vecdot", page="torch.linalg.vecdot")
def vecdot(x: Operand, y: Operand, *, dim: int = -1, **_: Any) -> Derived:
    """Products along one dimension of both, broadcast."""
    if len(x.shape) == len(y.shape) == 1:
        return dot(x, y)
    wide = broadcast([x.shape, y.shape])
    place = axis(dim, len(wide))
    shape = (*wide[:place], *wide[place + 1 :])
    return Derived(shape, "drop dim", f"{_both(x, y)} -> {show(shape)}", product(wide))


@rule("tensordot", page="torch.tensordot")
def tensordot(a: Operand, b: Operand, dims: Any = 2, **_: Any) -> Derived:
    """Products over pairs of dimensions; the others of both remain, in order."""
    left, right = _contracted(a, b, dims)
    for i, j in zip(left, right, strict=True):
        broadcast([(a.shape[i],), (b.shape[j],)], "matmul")  # a size of 1 is broadcast
    shape = (
        *(size for place, size in enumerate(a.shape) if place not in left),
        *(size for place, size in enumerate(b.shape) if place not in right),
    )
    # PyTorch sums what meets a size of 1 before it multiplies
    macs = product(shape) * product(a.shape[i] for i, j in zip(left, right, strict=True) if int(b.shape[j]) != 1)
    return Derived(shape, "the dims that are not multiplied", f"{_both(a, b)} -> {show(shape)}", macs)


def _contracted(a: Operand, b: Operand, dims: Any) -> tuple[list[int], list[int]]:
    if isinstance(dims, int):
        if dims < 0 or dims > min(len(a.shape), len(b.shape)):
            raise Violation("argument", f"dims from 0 to {min(len(a.shape), len(b.shape))}", f"{dims}")
        return list(range(len(a.shape) - dims, len(a.shape))), list(range(dims))
    left, right = ([one] if isinstance(one, int) else list(one) for one in dims)
    if len(left) != len(right):
        raise Violation("argument", "as many dims on each side", f"{left} and {right}")
    left, right = [axis(d, len(a.shape)) for d in left], [axis(d, len(b.shape)) for d in right]
    if len(set(left)) != len(left) or len(set(right)) != len(right):
        raise Violation("dim-range", "each dim named once", f"{left} and {right}")
    return left, right


@rule("einsum", page="torch.einsum")
def einsum(equation: Any, *operands: Any) -> Derived:
    """Letters name dimensions; those that the output does not name are summed over.

    MACs are those of the order from left to right that PyTorch takes: at each step the product of all sizes in play.
    """
    given = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else list(operands)
    if not isinstance(equation, str):
        equation, given = _from_sublists([equation, *given])
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(given):
        raise Violation("argument", f"{len(terms)} tensors for {equation!r}", f"{len(given)}")
    named = [_named(term, operand) for term, operand in zip(terms, given, strict=True)]
    sizes = _sizes(named, given)
    lead = max((sum(name.startswith(".") for name in names) for names in named), default=0)
    dots = [f".{place}" for place in range(lead - 1, -1, -1)]
    out = _letters(right, dots) if arrow else dots + _implied(left)
    if len(set(out)) != len(out) or any(name not in sizes for name in out):
        raise Violation("argument", "each letter of the output once, and in an input", equation)
    shape = tuple(sizes[name] for name in out)
    line = f"{equation}: {', '.join(show(operand.shape) for operand in given)} -> {show(shape)}"
    return Derived(shape, equation, line, _einsum_macs(named, out, sizes))


def _from_sublists(given: list[Any]) -> tuple[str, list[Any]]:
    """``einsum(a, [0, 1], b, [1, 2], [0, 2])`` as an equation."""

    def text(sublist: Any) -> str:
        return "".join("..." if one is Ellipsis else _letter(int(one)) for one in sublist)

    operands, lists = given[0 : len(given) // 2 * 2 : 2], given[1::2]
    arrow = f"->{text(given[-1])}" if len(given) % 2 else ""
    return ",".join(text(one) for one in lists) + arrow, operands


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else chr(ord("a") + number - 26)


def _letters(term: str, dots: list[str]) -> list[str]:
    before, ellipsis, after = term.partition("...")
    return [*before, *(dots if ellipsis else []), *after]


def _implied(left: str) -> list[str]:
    """Without an arrow: the letters that stand once, in the order of the alphabet."""
    flat = left.replace(",", "").replace("...", "")
    return sorted(name for name in set(flat) if flat.count(name) == 1)


def _named(term: str, operand: Operand) -> list[str]:
    """A name for each dimension; those under the ellipsis are counted from the back."""
    rank = len(operand.shape)
    plain = len(term.replace("...", ""))
    covered = rank - plain
    if covered < 0 or ("..." not in term and covered):
        raise Violation("rank", f"{plain} dimensions for {term!r}", show(operand.shape))
    return _letters(term, [f".{place}" for place in range(covered - 1, -1, -1)])


def _sizes(named: list[list[str]], given: Sequence[Operand]) -> dict[str, int]:
    """The size of each name; equal wherever it stands, or 1, which is broadcast."""
    sizes: dict[str, int] = {}
    for names, operand in zip(named, given, strict=True):
        within: dict[str, int] = {}
        for name, size in zip(names, operand.shape, strict=True):
            if name in within:
                words = f"equal sizes for the letter {name} twice in one tensor"
                require("==", size, within[name], "einsum", words, show(operand.shape))
            within[name] = size
            sizes[name] = broadcast([(sizes[name],), (size,)], "einsum")[0] if name in sizes else size
    return sizes


def _einsum_macs(named: list[list[str]], out: list[str], sizes: dict[str, int]) -> int:
    """From left to right: each product touches every combination of the letters that its two sides have."""
    if len(named) < 2:
        return 0
    total, have = 0, set(named[0])
    for place, names in enumerate(named[1:], start=1):
        later = set(out).union(*named[place + 1 :])
        # a letter of one side alone that nobody needs later is summed away before the product
        together = {name for name in have | set(names) if name in later or (name in have and name in names)}
        total = product(sizes[name] for name in sorted(together)) + total
        have = together & later
    return total


@rule("kron", page="torch.kron")
def kron(input: Operand, other: Operand) -> Derived:
    """Sizes multiply, from the last dimension back."""
    rank = max(len(input.shape), len(other.shape))
    a, b = ((1,) * (rank - len(o.shape)) + tuple(o.shape) for o in (input, other))
    shape = tuple(x * y for x, y in zip(a, b, strict=True))
    return Derived(shape, "size * size", f"{show(input.shape)} * {show(other.shape)} -> {show(shape)}", product(shape))


@rule("cross", "linalg_cross", page="torch.cross")
def cross(input: Operand, other: Operand, dim: int | None = -1, **_: Any) -> Derived:
    """Vectors of three; the rest is broadcast."""
    if len(input.shape) != len(other.shape):
        raise Violation("rank", "equal numbers of dimensions", f"{show(input.shape)} and {show(other.shape)}")
    wide = broadcast([input.shape, other.shape])
    place = axis(-1 if dim is None else dim, len(wide))
    for operand in (input, other):
        size = operand.shape[place] if operand.shape else 1
        require("==", size, 3, "cross", f"3 elements along dim {place}", show(operand.shape))
    return Derived(wide, "out = broadcast(a, b)", f"{show(input.shape)} with {show(other.shape)} -> {show(wide)}")


@rule("cdist", page="torch.cdist")
def cdist(x1: Operand, x2: Operand, *_: Any, **__: Any) -> Derived:
    """``(B, P, M)`` and ``(B, R, M)`` to ``(B, P, R)``: a distance for each pair of rows."""
    for operand in (x1, x2):
        if len(operand.shape) < 2:
            raise Violation("rank", "at least 2 dimensions", show(operand.shape))
    both = f"{show(x1.shape)} and {show(x2.shape)}"
    require("==", x2.shape[-1], x1.shape[-1], "matmul", "rows of one length", both)
    shape = (*broadcast([x1.shape[:-2], x2.shape[:-2]]), x1.shape[-2], x2.shape[-2])
    return Derived(shape, "(B, P, M), (B, R, M) -> (B, P, R)", f"{both} -> {show(shape)}")


@rule("pdist", page="torch.nn.functional.pdist")
def pdist(input: Operand, p: float = 2.0) -> Derived:
    """``(N, M)`` to ``(N(N - 1)/2)``: a distance for each pair of rows."""
    _of_rank(input, 2, "a matrix")
    n = input.shape[0]
    return becomes(input, (n * (n - 1) // 2,), "N(N - 1)/2")


@rule("bilinear", page="torch.nn.functional.bilinear")
def bilinear(input1: Operand, input2: Operand, weight: Operand, bias: Any = None) -> Derived:
    """``(*, in1)`` and ``(*, in2)`` to ``(*, out)``: ``y = x1^T A x2 + b``."""
    if len(input1.shape) != len(input2.shape):
        raise Violation("rank", "equal numbers of dimensions", f"{show(input1.shape)} and {show(input2.shape)}")
    lead = f"leading sizes of {show(input1.shape)}"
    require_shape(input2.shape[:-1], input1.shape[:-1], "broadcast", lead, show(input2.shape))
    _of_rank(weight, 3, "a weight (out, in1, in2)")
    for place, operand in ((1, input1), (2, input2)):
        wanted, has = weight.shape[place], operand.shape[-1] if operand.shape else 0
        require("==", has, wanted, "in-features", f"in{place}_features = {wanted}", f"{has}")
    if isinstance(bias, Operand):
        require("==", bias.shape[0], weight.shape[0], "bias", f"a bias of {weight.shape[0]}", f"{bias.shape[0]}")
    shape = (*input1.shape[:-1], weight.shape[0])
    # one product with the matrix, and one more with the second input
    macs = product(shape) * (weight.shape[1] + 1) * weight.shape[2]
    line = f"{show(input1.shape)} and {show(input2.shape)} -> {show(shape)}"
    return Derived(shape, "(*, in1), (*, in2) -> (*, out)", line, macs)


@rule("linalg_multi_dot", page="torch.linalg.multi_dot")
def multi_dot(*tensors: Any, **named: Any) -> Derived:
    """Matrices multiplied in the order that costs least; the first and the last may be vectors."""
    given = list(tensors[0]) if tensors and isinstance(tensors[0], (list, tuple)) else list(tensors)
    given = given or list(named["tensors"])
    if len(given) < 2:
        raise Violation("argument", "at least 2 tensors", f"{len(given)}")
    for place, operand in enumerate(given):
        ranks = (1, 2) if place in (0, len(given) - 1) else (2,)
        if len(operand.shape) not in ranks:
            raise Violation("rank", "matrices, but for the ends", show(operand.shape))
    found = given[0]
    for other in given[1:]:
        found = Operand(matmul(found, other).shape)
    line = " @ ".join(show(operand.shape) for operand in given) + f" -> {show(found.shape)}"
    return Derived(found.shape, "(n, m) @ ... @ (q, p) -> (n, p)", line, _least(_ends(given)))


@rule("chain_matmul", page="torch.chain_matmul")
def chain_matmul(*matrices: Any) -> Derived:
    """As ``multi_dot``, and also of one matrix; none of them a vector."""
    given = matrices[0] if isinstance(matrices[0], (list, tuple)) else matrices
    for operand in given:
        require_rank(operand, (2,), "rank", "n,m")
    return multi_dot(given) if len(given) > 1 else unchanged(given[0])


def _ends(given: list[Operand]) -> list[int]:
    """The sizes between the matrices of a chain, a vector counted as a row or a column."""
    first = given[0].shape if len(given[0].shape) > 1 else (1, *given[0].shape)
    rest = [o.shape[-1] if len(o.shape) > 1 else 1 for o in given[1:]]
    return [int(size) for size in (*first, *rest)]


def _least(sizes: list[int]) -> int:
    """The fewest multiply-adds of a chain (Cormen et al., *Introduction to Algorithms*, section 14.2)."""
    count = len(sizes) - 1
    best = {(i, i): 0 for i in range(count)}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            best[i, j] = min(best[i, k] + best[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1] for k in range(i, j))
    return best[0, count - 1]


@rule("block_diag", page="torch.block_diag")
def block_diag(*tensors: Any) -> Derived:
    """Matrices along one diagonal: both sizes add up."""
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    shapes: list[Shape] = []
    for operand in given:
        if len(operand.shape) > 2:
            raise Violation("rank", "at most 2 dimensions", show(operand.shape))
        shapes.append((1,) * (2 - len(operand.shape)) + tuple(operand.shape))
    if not shapes:
        return Derived((1, 0), "sums of sizes", "nothing -> (1, 0)")
    shape = tuple(sum((one[place] for one in shapes[1:]), shapes[0][place]) for place in (0, 1))
    return Derived(shape, "sums of sizes", f"{', '.join(show(one) for one in shapes)} -> {show(shape)}")
