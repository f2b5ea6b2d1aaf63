"""What an operation keeps of its operands and results until backward has used it.

Source: the formulas of the derivatives. What a formula speaks of must still be there when it is used: that of
``relu`` is 0 or 1 by the result, that of a convolution needs the input for the weight's part and the weight for the
input's. PyTorch's own list of them is ``tools/autograd/derivatives.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import signature
from itertools import pairwise
from typing import Any

from shapeproof.dims import Shape, product
from shapeproof.records import dataclass
from shapeproof.rules.registry import Operand, find
from shapeproof.rules.window import each_axis


@dataclass(frozen=True)
class Piece(Operand):
    """A tensor as backward may hold on to it.

    Attributes:
        place: which memory it lies in; a view lies in that of the tensor it looks at.
        itemsize: bytes of one element.
        needs_gradient: whether a gradient is wanted for it.
        device: the kind of device that it lies on.
    """

    place: int = 0
    itemsize: int = 4
    needs_gradient: bool = False
    device: str = "cpu"


@dataclass(frozen=True)
class Fresh:
    """Something that is made for backward alone, such as the indices of a maximum."""

    shape: Shape
    itemsize: int


Held = list[Piece | Fresh]


@dataclass(frozen=True)
class Ran:
    """A call as it ran with gradients.

    Attributes:
        op: PyTorch's public name.
        given: arguments, each tensor as a :class:`Piece`.
        named: keyword arguments, likewise.
        results: the tensors that came out.
        node: PyTorch's name of the step of its graph, which tells ``2 / x`` from ``x / 2``.
    """

    op: str
    given: tuple[Any, ...]
    named: dict[str, Any]
    results: tuple[Piece, ...]
    node: str = ""

    @property
    def pieces(self) -> list[Piece]:
        """The tensors that went in, in order."""
        return [value for value in (*self.given, *self.named.values()) if isinstance(value, Piece)]

    def bound(self) -> dict[str, Any]:
        """The arguments by the names that the operation's rule gives them."""
        known = find(self.op)
        return signature(known.function).bind(*self.given, **self.named).arguments if known else {}


Keeps = Callable[[Ran], "Held | None"]

NOTHING = """
add sub subtract neg negative positive floor ceil round trunc sign frac deg2rad rad2deg floor_divide mean sum cumsum
atleast_1d atleast_2d atleast_3d broadcast_tensors meshgrid column_stack dstack ravel hsplit vsplit dsplit fliplr
flipud diag diag_embed trace view_as_complex view_as_real view reshape flatten unflatten squeeze unsqueeze transpose t
T mT permute movedim moveaxis swapaxes swapdims expand expand_as view_as reshape_as repeat tile cat concat concatenate
stack hstack vstack chunk split unbind narrow select tensor_split diagonal roll flip rot90 tril triu contiguous clone
detach to float double half bfloat16 type type_as cpu cuda unfold fold pixel_shuffle pixel_unshuffle channel_shuffle
as_strided real imag requires_grad zeros_like ones_like zero fill copy broadcast_to alias
""".split()
RESULT = """
exp exp2 expm1 reciprocal relu rsqrt sigmoid sqrt tan tanh softmax log_softmax softmin special_softmax
special_log_softmax
""".split()
INPUT = """
abs absolute acos acosh arccos arccosh angle asin asinh arcsin arcsinh atan atanh arctan arctanh celu cos cosh digamma
elu erf erfc erfinv hardshrink lgamma log log10 log1p log2 logit nan_to_num selu sin sinc sinh square gelu silu mish
softplus softsign hardsigmoid hardswish hardtanh relu6 leaky_relu softshrink threshold clamp clip clamp_min clamp_max
glu var avg_pool1d avg_pool2d avg_pool3d logsigmoid log_sigmoid i0
""".split()
INPUT_AND_RESULT = "amax amin norm std logsumexp cumprod prod tanhshrink".split()
BOTH = """
maximum minimum atan2 arctan2 xlogy logaddexp mse_loss smooth_l1_loss huber_loss binary_cross_entropy
binary_cross_entropy_with_logits
""".split()
INDICES = "max min sort topk median kthvalue mode".split()
PRODUCT = "mul multiply matmul mm bmm mv dot linalg_matmul".split()

_CAST = frozenset("linear matmul mm bmm addmm baddbmm conv1d conv2d conv3d".split())


def kept(ran: Ran) -> Held | None:
    """What a call keeps; ``None`` where that is not known. Nothing, where no gradient is wanted of its results."""
    if not any(piece.needs_gradient for piece in ran.results):
        return []
    if ran.op in _CAST and {ran.results[0].dtype} != {piece.dtype for piece in ran.pieces}:
        return None  # under autocast, copies of another dtype are kept
    try:
        return _TABLE[ran.op](ran) if ran.op in _TABLE else None
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):  # a form of the call that is not foreseen
        return None


def _nothing(ran: Ran) -> Held | None:
    return []


def _result(ran: Ran) -> Held | None:
    return list(ran.results)


def _input(ran: Ran) -> Held | None:
    return ran.pieces[:1]  # type: ignore[return-value]  # a list of pieces is one of pieces or others


def _input_and_result(ran: Ran) -> Held | None:
    return [ran.pieces[0], *ran.results]


def _both(ran: Ran) -> Held | None:
    return list(ran.pieces)


def _slopes(ran: Ran) -> Held | None:
    return _both(ran) if ran.pieces[0].shape else []


def _indices(ran: Ran) -> Held | None:
    """Of a choice along a dimension, which was chosen; of one among all elements, what it was chosen from."""
    if len(ran.pieces) > 1:  # the larger of each two
        return _both(ran)
    return [ran.results[1]] if len(ran.results) > 1 else [ran.pieces[0]]


def _running(ran: Ran) -> Held | None:
    return [ran.pieces[0], ran.results[1]]


def _product(ran: Ran) -> Held | None:
    """Each factor's gradient is made with the other."""
    if len(ran.pieces) < 2:
        return []
    a, b = ran.pieces
    if "matmul" in ran.op and _must_repeat(a.shape, b.shape):
        return None  # PyTorch copies the factor that is broadcast
    kept_a, kept_b = (_in_one_row(a, b), _in_one_row(b, a)) if "matmul" in ran.op else (a, b)
    return [*([kept_a] if b.needs_gradient else []), *([kept_b] if a.needs_gradient else [])]


def _factors(ran: Ran) -> Held | None:
    """Of ``c + a @ b`` the two factors, as of a product."""
    a, b = ran.pieces[1:3]
    return [*([a] if b.needs_gradient else []), *([b] if a.needs_gradient else [])]


def _in_one_row(piece: Piece, other: Piece) -> Piece | Fresh:
    """A product puts the leading dimensions together; where their memory does not allow it, PyTorch makes a copy."""
    rank = len(piece.shape)
    rows = 1 if len(other.shape) == 2 and rank > 2 else 2  # by a plain matrix, the rows go with them
    if rank < 3 or _in_order(piece, rank - rows):
        return piece
    return Fresh(piece.shape, piece.itemsize)


def _must_repeat(a: Shape, b: Shape) -> bool:
    return max(len(a), len(b)) > 2 and min(len(a), len(b)) > 1 and tuple(map(int, a[:-2])) != tuple(map(int, b[:-2]))


def _quotient(ran: Ran) -> Held | None:
    """``a / b`` needs b for a's gradient, and both for b's; ``2 / x`` is made of ``1 / x``."""
    if len(ran.pieces) < 2:
        return [] if ran.node.startswith("Div") else [Fresh(ran.results[0].shape, ran.results[0].itemsize)]
    a, b = ran.pieces
    return [b, *([a] if b.needs_gradient else [])]


def _power(ran: Ran) -> Held | None:
    """``n x^(n - 1)`` needs x; ``ln(a) a^x`` needs the result as well."""
    return list(ran.pieces) if ran.node == "PowBackward0" else [*ran.pieces, *ran.results]


def _convolution(ran: Ran) -> Held | None:
    """The entering for the weight's gradient, the weight for the input's; PyTorch keeps both in any case."""
    named = ran.bound()
    entering, weight = named["input"], named["weight"]
    if named.get("padding") != "same":
        return [entering, weight]
    spatial = weight.shape[2:]
    dilation = each_axis(named.get("dilation", 1), len(spatial))
    odd = [(d * (k - 1)) % 2 for d, k in zip(dilation, spatial, strict=True)]
    if not any(odd):
        return [entering, weight]
    longer = [size + more for size, more in zip(entering.shape[-len(spatial) :], odd, strict=True)]
    return [Fresh((*entering.shape[: -len(spatial)], *longer), entering.itemsize), weight]  # a padded copy


def _linear(ran: Ran) -> Held | None:
    named = ran.bound()
    entering, weight = named["input"], named["weight"]
    held: Held = [weight] if entering.needs_gradient else []
    if weight.needs_gradient:
        whole = len(entering.shape) < 3 or _in_rows(entering)
        held.append(entering if whole else Fresh(entering.shape, entering.itemsize))
    return held


def _in_rows(piece: Piece) -> bool:
    """Whether all but the last dimension can be seen as one without a copy."""
    return _in_order(piece, len(piece.shape) - 1)


def _in_order(piece: Piece, count: int) -> bool:
    """Whether the first dimensions can be seen as one without a copy."""
    sizes = zip(piece.shape[:count], (piece.stride or ())[:count], strict=True)
    rows = [(int(n), s) for n, s in sizes if int(n) != 1]
    return all(outer == inner * n for (_, outer), (n, inner) in pairwise(rows))


def _pooled(ran: Ran) -> Held | None:
    """The entering, for its shape, and where each maximum was: whole numbers of 8 bytes."""
    where = ran.results[1] if len(ran.results) > 1 else Fresh(ran.results[0].shape, 8)
    return [ran.pieces[0], where]


def _adaptive(ran: Ran) -> Held | None:
    """The input; the mean of everything needs no more than its size."""
    places = int(ran.op[-2])
    return [] if all(int(size) == 1 for size in ran.results[0].shape[-places:]) else [ran.pieces[0]]


def _resized(ran: Ran) -> Held | None:
    """Sizes alone; the mode that takes means of areas is adaptive pooling."""
    places = len(ran.results[0].shape) - 2
    whole = all(int(size) == 1 for size in ran.results[0].shape[-places:])
    return [ran.pieces[0]] if ran.bound().get("mode") == "area" and not whole else []


def _batch_norm(ran: Ran) -> Held | None:
    """The input; in training also the mean and the spread that each channel had."""
    named = ran.bound()
    entering = named["input"]
    digits = (*ran.pieces[1:], entering)[0].itemsize  # those of its parameters
    statistics = [Fresh((entering.shape[1],), digits)] * 2 if named.get("training") else []
    return [entering, *ran.pieces[1:], *statistics]


def _layer_norm(ran: Ran) -> Held | None:
    """The entering, and mean and spread of each row."""
    named = ran.bound()
    entering, rows = named["input"], named["input"].shape[: -len(named["normalized_shape"])]
    return [entering, *ran.pieces[1:], *[Fresh(rows, max(4, entering.itemsize))] * 2]


def _rms_norm(ran: Ran) -> Held | None:
    """The entering, the spread of each row, and what is multiplied by the weight."""
    entering, rows = ran.pieces[0], ran.pieces[0].shape[: -len(ran.bound()["normalized_shape"])]
    if entering.itemsize < 4:
        return None  # computed in more digits: more is kept
    scaled = [Fresh(entering.shape, entering.itemsize)] if any(p.needs_gradient for p in ran.pieces[1:]) else []
    return [*ran.pieces, Fresh(rows, entering.itemsize), *scaled] if entering.needs_gradient else [*scaled]


def _group_norm(ran: Ran) -> Held | None:
    """The entering, and mean and spread of each group of channels."""
    named = ran.bound()
    entering = named["input"]
    groups = Fresh((entering.shape[0], named["num_groups"]), max(4, entering.itemsize))
    return [entering, *ran.pieces[1:], groups, groups]


def _dropout(ran: Ran) -> Held | None:
    """What was kept: numbers like the input's, on a GPU one byte each. Nothing where all is kept."""
    if ran.results[0].place == ran.pieces[0].place and not ran.node.startswith("Mul"):
        return []
    entering = ran.pieces[0]
    return [Fresh(entering.shape, 1 if entering.device == "cuda" else entering.itemsize)]


def _embedding(ran: Ran) -> Held | None:
    """Which rows were looked up."""
    return [piece for piece in ran.pieces if not piece.dtype.startswith("float")]


def _indexing(ran: Ran) -> Held | None:
    """Nothing for slices; the positions where a tensor gives them."""
    if ran.op == "index_select":
        return list(ran.pieces[1:])
    where = ran.given[1] if isinstance(ran.given[1], (tuple, list)) else (ran.given[1],)
    found = [part for part in where if isinstance(part, Piece)]
    # of a mask, PyTorch keeps either it or the positions of what is true, whose number the values decide
    hidden = any(isinstance(part, list) for part in where) or any(piece.dtype == "bool" for piece in found)
    return None if hidden else [*found]


def _attention(ran: Ran) -> Held | None:
    """Query, key, value, the result, and for each query the logarithm of its sum: the scores are made anew."""
    query, *rest = ran.pieces
    widths = {int(piece.shape[-1]) for piece in (query, *rest[:2])}
    if len(query.shape) != 4 or len(widths) > 1 or ran.bound().get("dropout_p") or ran.named.get("enable_gqa"):
        return None  # PyTorch then takes another kernel, or copies
    mask = rest[2:]
    if mask and mask[0].dtype == "bool":
        mask = [Fresh(mask[0].shape, query.itemsize)]  # type: ignore[list-item]
    return [query, *rest[:2], *mask, *ran.results, Fresh(query.shape[:-1], max(4, query.itemsize))]


def _cross_entropy(ran: Ran) -> Held | None:
    """The logarithms of the probabilities, and the classes."""
    predicted, target, *more = ran.pieces
    return [Fresh(predicted.shape, predicted.itemsize), target, *more]


def _chosen(ran: Ran) -> Held | None:
    """The condition, or the mask."""
    return [piece for piece in ran.pieces if piece.dtype == "bool"]


def _absolute_difference(ran: Ran) -> Held | None:
    result = ran.pieces[0]
    return [Fresh(result.shape, result.itemsize)] if result.shape else []


def _padded(ran: Ran) -> Held | None:
    """Zeros need no more than their number; what is taken from the input is found by the input's shape."""
    mode = ran.bound().get("mode", "constant")
    return [] if mode in ("constant", "circular") or not isinstance(mode, str) else [ran.pieces[0]]


_FAMILIES: Sequence[tuple[Sequence[str], Keeps]] = (
    (NOTHING, _nothing), (RESULT, _result), (INPUT, _input), (INPUT_AND_RESULT, _input_and_result), (BOTH, _both),
    (INDICES, _indices), (PRODUCT, _product), (("div", "divide", "true_divide"), _quotient), (("pow",), _power),
    ([f"conv{t}{n}d" for n in (1, 2, 3) for t in ("", "_transpose")], _convolution), (("linear",), _linear),
    (("addmm", "baddbmm"), _factors),
    ([f"{a}max_pool{n}d" for n in (1, 2, 3) for a in ("", "adaptive_")], _pooled),
    ([f"adaptive_avg_pool{n}d" for n in (1, 2, 3)], _adaptive), (("batch_norm",), _batch_norm),
    (("layer_norm",), _layer_norm), (("rms_norm",), _rms_norm), (("group_norm",), _group_norm),
    (("dropout", "dropout1d", "dropout2d", "dropout3d", "feature_dropout"), _dropout), (("embedding",), _embedding),
    (("getitem", "setitem", "index_select"), _indexing), (("prelu",), _slopes),
    (("scaled_dot_product_attention",), _attention),
    (("cross_entropy",), _cross_entropy), (("nll_loss",), _both), (("where", "masked_fill"), _chosen),
    (("l1_loss",), _absolute_difference), (("pad",), _padded), (("gather",), _both),
    (("cummax", "cummin"), _running), (("interpolate", "upsample"), _resized),
)  # fmt: skip


_TABLE: dict[str, Keeps] = {name: keeps for names, keeps in _FAMILIES for name in names}


def size_of(held: Fresh) -> int:
    """Its bytes, with letters where its shape has them."""
    return product(held.shape) * held.itemsize
