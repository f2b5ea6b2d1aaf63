"""Losses: one number with ``reduction="mean"`` or ``"sum"``, one for each element (or sample) with ``"none"``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.dims.conditions import decide
from shapeproof.rules.elementwise import broadcast, fits
from shapeproof.rules.linear import linear
from shapeproof.rules.registry import (
    Derived,
    Operand,
    Unsupported,
    Violation,
    axis,
    require,
    require_shape,
    rule,
    show,
)


def _reduction(args: tuple[Any, ...], named: dict[str, Any], place: int) -> str:
    """What the deprecated arguments and ``reduction`` come to; ``place`` is where ``size_average`` may stand."""
    given = dict(zip(("size_average", "reduce", "reduction"), args[place:], strict=False)) | named
    average, reduce = given.get("size_average"), given.get("reduce")
    if average is not None or reduce is not None:
        if reduce is False:
            return "none"
        return "mean" if average is None or average else "sum"
    return str(given.get("reduction", "mean"))


def _lost(shape: Shape, reduction: str, line: str) -> Derived:
    if reduction not in ("none", "mean", "sum", "batchmean"):
        raise Violation("argument", "reduction 'none', 'mean' or 'sum'", repr(reduction))
    if reduction != "none":
        return Derived((), f"{reduction} of all", f"{line} -> ()")
    return Derived(shape, "one loss each", f"{line} -> {show(shape)}")


def _pair(input: Operand, target: Operand) -> str:
    return f"{show(input.shape)} with {show(target.shape)}"


def _equal(input: Operand, target: Operand) -> None:
    require_shape(target.shape, input.shape, "target-shape", f"a target of shape {show(input.shape)}")


def _fits(weight: Any, shape: Shape) -> None:
    if isinstance(weight, Operand):
        fits(weight.shape, shape, f"a weight that fits into {show(shape)}")


@rule("mse_loss", "l1_loss", page="torch.nn.functional.mse_loss")
def difference(input: Operand, target: Operand, *args: Any, **named: Any) -> Derived:
    """``(x - y)^2`` or ``|x - y|``; the two are broadcast."""
    return _difference(input, target, _reduction(args, named, 0), (*args[3:], named.get("weight")))


def _difference(input: Operand, target: Operand, reduction: str, weights: tuple[Any, ...] = ()) -> Derived:
    shape = broadcast([input.shape, target.shape], "target-shape")
    for weight in weights:
        if isinstance(weight, Operand):
            _equal(input, weight)
    return _lost(shape, reduction, _pair(input, target))


@rule("smooth_l1_loss", page="torch.nn.functional.smooth_l1_loss")
def smooth_l1_loss(input: Operand, target: Operand, *args: Any, **named: Any) -> Derived:
    """Squared near 0, absolute further out; the two are broadcast."""
    return _difference(input, target, _reduction(args, named, 0))


@rule("huber_loss", page="torch.nn.functional.huber_loss")
def huber_loss(
    input: Operand, target: Operand, reduction: str = "mean", delta: float = 1.0, weight: Any = None
) -> Derived:
    """Squared near 0, absolute further out; the two are broadcast."""
    return _difference(input, target, reduction, (weight,))


@rule("soft_margin_loss", page="torch.nn.functional.soft_margin_loss")
def soft_margin_loss(input: Operand, target: Operand, *args: Any, **named: Any) -> Derived:
    """``log(1 + exp(-y x))``; the target is broadcast to the input, not the other way round."""
    fits(target.shape, input.shape, f"a target that fits into {show(input.shape)}", "target-shape")
    return _lost(input.shape, _reduction(args, named, 0), _pair(input, target))


@rule("poisson_nll_loss", page="torch.nn.functional.poisson_nll_loss")
def poisson_nll_loss(input: Operand, target: Operand, *args: Any, **named: Any) -> Derived:
    """``exp(x) - y x``; the two are broadcast."""
    reduction = args[5] if len(args) > 5 else _reduction((), named, 0)
    return _difference(input, target, reduction)


@rule("hinge_embedding_loss", page="torch.nn.functional.hinge_embedding_loss")
def hinge_embedding_loss(input: Operand, target: Operand, margin: float = 1.0, *args: Any, **named: Any) -> Derived:
    """``x`` or ``max(0, margin - x)``; the two are broadcast."""
    return _difference(input, target, _reduction(args, named, 0))


@rule("kl_div", page="torch.nn.functional.kl_div")
def kl_div(input: Operand, target: Operand, *args: Any, **named: Any) -> Derived:
    """``y (log y - x)``; the two are broadcast."""
    return _difference(input, target, _reduction(args, named, 0))


@rule("gaussian_nll_loss", page="torch.nn.functional.gaussian_nll_loss")
def gaussian_nll_loss(
    input: Operand, target: Operand, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Derived:
    """``(log var + (x - y)^2/var)/2``; the variance has the input's shape, or one value for the last dimension."""
    if isinstance(var, Operand):
        _check_variance(input.shape, var.shape)
        shape = broadcast([input.shape, target.shape, _variance(input.shape, var.shape)], "target-shape")
    else:
        shape = broadcast([input.shape, target.shape], "target-shape")
    return _lost(shape, reduction, _pair(input, target))


def _variance(shape: Shape, var: Shape) -> Shape:
    return (*var, 1) if _same(var, shape[:-1]) else var


def _same(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and all(decide("==", x, y) for x, y in zip(a, b, strict=True))


def _check_variance(shape: Shape, var: Shape) -> None:
    suits = _same(shape[:-1], var)
    if len(shape) == len(var):
        other = [b for a, b in zip(shape, var, strict=True) if not decide("==", a, b)]
        suits = not other or (len(other) == 1 and decide("==", other[0], 1))
    if not suits:
        raise Violation("target-shape", f"a variance of {show(shape)}, or with one of its sizes 1", show(var))


@rule("binary_cross_entropy", page="torch.nn.functional.binary_cross_entropy")
def binary_cross_entropy(input: Operand, target: Operand, weight: Any = None, *args: Any, **named: Any) -> Derived:
    """``-(y log x + (1 - y) log(1 - x))``; input and target have one shape: nothing is broadcast."""
    _equal(input, target)
    if isinstance(weight, Operand):
        # the weight is made to fit the target, the other way round is refused
        _fits(weight, target.shape)
    return _lost(input.shape, _reduction(args, named, 0), _pair(input, target))


@rule("binary_cross_entropy_with_logits", page="torch.nn.functional.binary_cross_entropy_with_logits")
def bce_with_logits(input: Operand, target: Operand, weight: Any = None, *args: Any, **named: Any) -> Derived:
    """The same of ``sigmoid(x)``; input and target have one shape; weights are broadcast."""
    _equal(input, target)
    for one in (weight, named.get("pos_weight"), *args[3:]):
        _fits(one, input.shape)
    return _lost(input.shape, _reduction(args, named, 0), _pair(input, target))


def _class_weight(weight: Any, classes: int) -> None:
    if isinstance(weight, Operand):
        if len(weight.shape) != 1:
            raise Violation("rank", f"a weight for each of {classes} classes", show(weight.shape))
        require("==", weight.shape[0], classes, "class-weight", f"a weight for each of {classes} classes",
                f"{weight.shape[0]}")  # fmt: skip


def _classes(input: Operand, target: Operand, weight: Any, reduction: str) -> Derived:
    """``(N, C, *)`` with the true class of each, ``(N, *)``; or ``(C)`` with one."""
    rank = len(input.shape)
    if not rank or len(target.shape) != max(rank - 1, 0):
        wanted = show((*input.shape[:1], *input.shape[2:])) if rank > 1 else "()"
        raise Violation("target-shape", f"a class for each sample, {wanted}", show(target.shape))
    samples = (*input.shape[:1], *input.shape[2:]) if rank > 1 else ()
    for place, (a, b) in enumerate(zip(samples, target.shape, strict=True)):
        code = "target-batch" if place == 0 else "target-shape"
        require("==", b, a, code, f"a class for each sample, {show(samples)}", show(target.shape))
    if target.dtype not in ("int64", "uint8"):
        raise Violation("dtype", "classes as whole numbers (int64)", f"{target.dtype} {show(target.shape)}")
    _class_weight(weight, input.shape[1] if rank > 1 else input.shape[0])
    return _lost(target.shape, reduction, _pair(input, target))


@rule("nll_loss", page="torch.nn.functional.nll_loss")
def nll_loss(
    input: Operand, target: Operand, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
    reduce: Any = None, reduction: str = "mean",
) -> Derived:  # fmt: skip
    """``-x[class]``: ``(N, C, *)`` with ``(N, *)`` classes."""
    return _classes(input, target, weight, _reduction((size_average, reduce, reduction), {}, 0))


@rule("cross_entropy", page="torch.nn.functional.cross_entropy")
def cross_entropy(
    input: Operand, target: Operand, weight: Any = None, size_average: Any = None, ignore_index: int = -100,
    reduce: Any = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Derived:  # fmt: skip
    """``-log softmax(x)[class]``: ``(N, C, *)`` with ``(N, *)`` classes, or with probabilities of its own shape."""
    how = _reduction((size_average, reduce, reduction), {}, 0)
    if [int(s) for s in input.shape] != [int(s) for s in target.shape]:
        return _classes(input, target, weight, how)
    if not input.shape:
        raise Violation("rank", "at least 1 dimension (N,C,*)", "0: ()")
    if not target.dtype.startswith(("float", "bfloat")):
        raise Violation("target-shape", "probabilities, where the target has the input's shape", target.dtype)
    _equal(input, target)
    rank = len(input.shape)
    _class_weight(weight, input.shape[1] if rank > 1 else input.shape[0])
    shape = (*input.shape[:1], *input.shape[2:]) if rank > 1 else ()
    return _lost(shape, how, _pair(input, target))


@rule("linear_cross_entropy", page="torch.nn.functional.linear_cross_entropy")
def linear_cross_entropy(
    input: Operand, linear_weight: Operand, target: Operand, *, linear_bias: Any = None, **named: Any
) -> Derived:
    """``cross_entropy(linear(input, linear_weight), target)`` of ``(N, features)``, or of ``(features)``."""
    if len(input.shape) not in (1, 2):
        raise Violation("rank", "1 or 2 dimensions (N,features)", show(input.shape))
    if len(linear_weight.shape) != 2 or (len(input.shape) == 1 and target.shape):
        raise Unsupported
    logits = linear(input, linear_weight, linear_bias)
    named.pop("options", None)  # how it is computed
    lost = cross_entropy(Operand(logits.shape, input.dtype), target, **named)
    return replace(lost, macs=logits.macs)


@rule("multi_margin_loss", page="torch.nn.functional.multi_margin_loss")
def multi_margin_loss(input: Operand, target: Operand, *args: Any, **named: Any) -> Derived:
    """``(N, C)`` with ``(N)`` classes, or ``(C)`` with one."""
    rank = len(input.shape)
    if rank > 2:
        raise Violation("rank", "1 or 2 dimensions (N,C)", show(input.shape))
    samples = input.shape[0] if rank == 2 else 1
    require(">=", input.shape[-1] if rank else 1, 1, "empty", "at least 1 class", show(input.shape))
    if len(target.shape) > 1:
        raise Violation("target-shape", "a class for each sample", show(target.shape))
    count = target.shape[0] if target.shape else 1
    require("==", count, samples, "target-batch", f"{samples} classes", show(target.shape))
    weight = named.get("weight", args[2] if len(args) > 2 else None)
    _class_weight(weight, input.shape[-1] if rank else 1)
    return _lost(target.shape, _reduction(args, named, 3), _pair(input, target))


@rule("multilabel_margin_loss", page="torch.nn.functional.multilabel_margin_loss")
def multilabel_margin_loss(input: Operand, target: Operand, *args: Any, **named: Any) -> Derived:
    """``(N, C)`` with classes of the same shape, ended by -1."""
    if len(input.shape) > 2:
        raise Violation("rank", "1 or 2 dimensions (N,C)", show(input.shape))
    require(">=", input.shape[-1] if input.shape else 1, 1, "empty", "at least 1 class", show(input.shape))
    if len(input.shape) == 2 or len(target.shape) > 1:
        _equal(input, target)
    else:
        require("==", product(target.shape), product(input.shape), "target-shape", f"as many as {show(input.shape)}",
                show(target.shape))  # fmt: skip
    return _lost(input.shape[:-1], _reduction(args, named, 0), _pair(input, target))


@rule("multilabel_soft_margin_loss", page="torch.nn.functional.multilabel_soft_margin_loss")
def multilabel_soft_margin_loss(
    input: Operand, target: Operand, weight: Any = None, *args: Any, **named: Any
) -> Derived:
    """One loss a class, averaged over the last dimension; broadcast."""
    shape = broadcast([input.shape, target.shape], "target-shape")
    if isinstance(weight, Operand):
        shape = broadcast([shape, weight.shape])
    if not input.shape:
        raise Violation("rank", "at least 1 dimension", "0: ()")
    place = len(input.shape) - 1
    return _lost((*shape[:place], *shape[place + 1 :]), _reduction(args, named, 0), _pair(input, target))


@rule("margin_ranking_loss", page="torch.nn.functional.margin_ranking_loss")
def margin_ranking_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0, *args: Any, **named: Any
) -> Derived:
    """``max(0, -y(x1 - x2) + margin)``; all are broadcast, of one number of dimensions."""
    if not len(input1.shape) == len(input2.shape) == len(target.shape):
        raise Violation("rank", "equal numbers of dimensions", f"{_pair(input1, input2)} with {show(target.shape)}")
    shape = broadcast([input1.shape, input2.shape, target.shape], "target-shape")
    return _lost(shape, _reduction(args, named, 0), _pair(input1, input2))


@rule("cosine_embedding_loss", page="torch.nn.functional.cosine_embedding_loss")
def cosine_embedding_loss(
    input1: Operand, input2: Operand, target: Operand, margin: float = 0, *args: Any, **named: Any
) -> Derived:
    """``(N, D)`` twice with ``(N)`` targets, or ``(D)`` twice with one."""
    rank = len(target.shape)
    if rank not in (0, 1) or len(input1.shape) != rank + 1 or len(input2.shape) != rank + 1:
        got = f"{_pair(input1, input2)} with {show(target.shape)}"
        raise Violation("target-shape", "(N, D) twice with (N), or (D) twice with one number", got)
    both = broadcast([input1.shape, input2.shape])
    shape = broadcast([both[:-1], target.shape], "target-shape")
    return _lost(shape, _reduction(args, named, 0), _pair(input1, input2))


@rule("triplet_margin_loss", page="torch.nn.functional.triplet_margin_loss")
def triplet_margin_loss(anchor: Operand, positive: Operand, negative: Operand, *args: Any, **named: Any) -> Derived:
    """``max(0, d(a, p) - d(a, n) + margin)``: the last dimension goes."""
    return _triplet((anchor, positive, negative), _reduction(args, named, 4))


@rule("triplet_margin_with_distance_loss", page="torch.nn.functional.triplet_margin_with_distance_loss")
def triplet_with_distance(anchor: Operand, positive: Operand, negative: Operand, **named: Any) -> Derived:
    """The same with the user's distance; without one, the last dimension goes."""
    if named.get("distance_function") is not None and named.get("reduction", "mean") == "none":
        return Derived(anchor.shape[:-1], "one loss each", show(anchor.shape))
    return _triplet((anchor, positive, negative), named.get("reduction", "mean"))


def _triplet(operands: tuple[Operand, Operand, Operand], reduction: str) -> Derived:
    ranks = {len(operand.shape) for operand in operands}
    line = ", ".join(show(operand.shape) for operand in operands)
    if len(ranks) != 1:
        raise Violation("rank", "equal numbers of dimensions", line)
    a, p, n = (operand.shape for operand in operands)
    near, far = broadcast([a, p]), broadcast([a, n])
    shape = broadcast([near[:-1], far[:-1]])
    return _lost(shape, reduction, line)


@rule("ctc_loss", page="torch.nn.functional.ctc_loss")
def ctc_loss(
    log_probs: Operand, targets: Operand, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: Any = "mean", zero_infinity: bool = False,
) -> Derived:  # fmt: skip
    """``(T, N, C)`` with ``(N, S)`` targets, or all in one row; one loss a sample."""
    if len(log_probs.shape) not in (2, 3):
        raise Violation("rank", "2 or 3 dimensions (T,N,C)", show(log_probs.shape))
    batch = log_probs.shape[1:-1]
    for lengths in (input_lengths, target_lengths):
        count = lengths.shape[0] if isinstance(lengths, Operand) and lengths.shape else None
        if isinstance(lengths, (tuple, list)):
            count = len(lengths)
        if batch and count is not None:
            require("==", count, batch[0], "target-batch", f"{batch[0]} lengths", f"{count}")
    how = {0: "none", 1: "mean", 2: "sum"}.get(reduction, reduction) if isinstance(reduction, int) else reduction
    return _lost(batch, str(how), _pair(log_probs, targets))


@rule("cosine_similarity", page="torch.nn.functional.cosine_similarity")
def cosine_similarity(x1: Operand, x2: Operand, dim: int = 1, eps: float = 1e-8) -> Derived:
    """The cosine of the angle along a dim, which goes; the two are broadcast."""
    wide = broadcast([x1.shape, x2.shape])
    place = axis(dim, len(wide))
    shape = (*wide[:place], *wide[place + 1 :])
    return Derived(shape, "drop dim", f"{_pair(x1, x2)} -> {show(shape)}")


@rule("pairwise_distance", page="torch.nn.functional.pairwise_distance")
def pairwise_distance(x1: Operand, x2: Operand, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Derived:
    """The distance along the last dimension, which goes; the two are broadcast."""
    wide = broadcast([x1.shape, x2.shape])
    shape = (*wide[:-1], 1) if keepdim else wide[:-1]
    return Derived(shape, "dim -> 1" if keepdim else "drop dim", f"{_pair(x1, x2)} -> {show(shape)}")
