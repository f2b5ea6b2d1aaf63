"""How each operation carries on what its operands see of an input. What is not listed loses it: no field is told."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from inspect import signature
from typing import Any

from shapeproof.capture.nesting import leaves
from shapeproof.capture.trace import Call
from shapeproof.derivation import places
from shapeproof.derivation.places import Places
from shapeproof.derivation.sight import Sight, joined
from shapeproof.dims import Dim
from shapeproof.records import dataclass
from shapeproof.rules.elementwise import CONVERSIONS, NAMES
from shapeproof.rules.registry import Operand, find
from shapeproof.rules.window import Window, each_axis


class Lost(Exception):  # noqa: N818  # no error: nothing exact can be said any more
    """It is not known how an operation carries on what its operands see."""


@dataclass(frozen=True)
class Look:
    """One call, looked at for one input.

    Attributes:
        call: the call.
        seen: what an operand sees of the input; ``None`` where it sees nothing of it. Raises :class:`Lost`.
    """

    call: Call
    seen: Callable[[Operand], Sight | None]

    @cached_property
    def args(self) -> dict[str, Any]:
        """The arguments by the names that the operation's rule gives them."""
        known = find(self.call.op)
        if known is None or self.call.asked is None:
            raise Lost
        given, named = self.call.asked
        return signature(known.function).bind(*given, **named).arguments

    @cached_property
    def operands(self) -> list[Operand]:
        """Every tensor that goes in, in order."""
        return list(leaves(self.call.asked, Operand))

    @property
    def input(self) -> Operand:
        """The first of them."""
        return self.operands[0]

    @property
    def sight(self) -> Sight:
        """What the first operand sees; no other may see anything."""
        found = self.seen(self.input)
        if found is None or any(self.seen(other) for other in self.operands[1:]):
            raise Lost
        return found

    @cached_property
    def out(self) -> tuple[int, ...]:
        """The shape that comes out, the first where there are several."""
        shape = self.call.output
        while isinstance(shape, (tuple, list)) and shape and not isinstance(shape[0], int):
            shape = shape[0]
        if not isinstance(shape, tuple):
            raise Lost
        return tuple(map(int, shape))

    def dim(self, name: str = "dim", default: int | None = None) -> int:
        """A dimension among the arguments, counted from the front."""
        value = self.args.get(name, default)
        if not isinstance(value, int):
            raise Lost
        return value % max(1, len(self.input.shape))

    def dims(self) -> list[int]:
        """Several dimensions; all, where none is named."""
        value, rank = self.args.get("dim"), len(self.input.shape)
        if value is None or value == () or value == []:
            return list(range(rank))
        return [part % rank for part in (value if isinstance(value, (tuple, list)) else (value,))]


Carries = Callable[[Look], Sight]


def _pointwise(look: Look) -> Sight:
    """Element for element, each operand broadcast to what comes out."""
    found = [_broadcast(sight, look.out) for one in look.operands if (sight := look.seen(one))]
    return joined(found)


def _broadcast(sight: Sight, shape: Sequence[int]) -> Sight:
    for _ in range(len(shape) - len(sight.dims)):
        sight = sight.inserted(0, 1)
    for dim, size in enumerate(shape):
        have = math.prod(n for _, n in sight.dims[dim])
        if have == 1 != size:
            sight = sight.mixed([dim])
        if have != size:
            sight = sight.resized(dim, size)
    return sight


def _windowed(look: Look) -> Sight:
    """The last axes through their windows; a convolution mixes channels, pooling mixes nothing that carries an axis."""
    windows = look.call.derived.windows if look.call.derived else ()
    if not windows:
        raise Lost
    sizes = look.input.shape[-len(windows) :]
    each = [_through(window, int(size)) for window, size in zip(windows, sizes, strict=True)]
    return _last_axes(look, each)


def _through(window: Window, size: int) -> Places:
    # padding='same' with an even kernel stands as a longer axis without padding; PyTorch adds the odd one at the end
    before = int(window.padding) + (int(window.size_in) - size) // 2
    return places.window(int(window.kernel_size), int(window.stride), before, int(window.dilation))


def _last_axes(look: Look, each: Sequence[Places | None]) -> Sight:
    sight, rank = look.sight, len(look.input.shape)
    sight = sight.mixed([rank - len(each) - 1])
    for dim, one in enumerate(each, start=rank - len(each)):
        sight = sight.placed(dim, one, look.out[dim])
    return sight.resized(rank - len(each) - 1, look.out[rank - len(each) - 1])


def _transposed(look: Look) -> Sight:
    weight, count = look.args["weight"], len(look.args["weight"].shape) - 2
    given = [each_axis(look.args.get(name, default), count) for name, default in
             (("stride", 1), ("padding", 0), ("dilation", 1))]  # fmt: skip
    kernels = [int(size) for size in weight.shape[2:]]
    return _last_axes(look, [places.transposed(*map(int, row)) for row in zip(kernels, *given, strict=True)])


def _adaptive(look: Look) -> Sight:
    count = int(look.call.op[-2])
    return _fitted(look, look.sight, count)


def _fitted(look: Look, sight: Sight, count: int) -> Sight:
    """Windows that are made to fit; one window over all mixes all of it."""
    for dim in range(len(look.input.shape) - count, len(look.input.shape)):
        have, want = look.input.shape[dim], look.out[dim]
        if want == 1:
            sight = sight.mixed([dim]).resized(dim, 1)
        else:
            known = None if isinstance(have, Dim) and int(have) != want else places.adaptive(int(have), want)
            sight = sight.placed(dim, known, want)
    return sight


def _resized(look: Look) -> Sight:
    args, sight = look.args, look.sight
    mode, factor = args.get("mode", "nearest"), args.get("scale_factor")
    count = len(look.input.shape) - 2
    if mode == "area":
        return _fitted(look, sight, count)
    kept = factor is not None and not args.get("recompute_scale_factor")
    factors: Sequence[Any] = each_axis(factor, count) if factor is not None and kept else (None,) * count
    for dim, by in enumerate(factors, start=2):
        have, want = look.input.shape[dim], look.out[dim]
        scale = 1 / Fraction(by) if by is not None else None if isinstance(have, Dim) else Fraction(int(have), want)
        known = scale and places.resized(scale, mode, bool(args.get("align_corners")))
        sight = sight.placed(dim, None if args.get("antialias") else known or None, want)
    return sight


def _shuffled(look: Look) -> Sight:
    factor = int(look.args["upscale_factor"])
    return _last_axes(look, [places.shuffled(factor)] * 2)


def _unshuffled(look: Look) -> Sight:
    factor = int(look.args["downscale_factor"])
    return _last_axes(look, [places.window(factor, factor, 0, 1)] * 2)


def _padded(look: Look) -> Sight:
    sight, rank = look.sight, len(look.input.shape)
    pad = tuple(look.args["pad"])
    for back, before in enumerate(pad[::2], start=1):
        dim = rank - back
        if before or pad[2 * back - 1]:
            sight = sight.placed(dim, places.moved(-int(before)), look.out[dim])
    return sight


def _linear(look: Look) -> Sight:
    last = len(look.input.shape) - 1
    return look.sight.mixed([last]).resized(last, look.out[last])


def _normalised(look: Look) -> Sight:
    """Statistics over the last sizes."""
    rank = len(look.input.shape)
    return look.sight.mixed(range(rank - len(look.args["normalized_shape"]), rank))


def _over_groups(look: Look) -> Sight:
    """Statistics over all places of some channels."""
    return look.sight.mixed(range(1 if look.call.op == "group_norm" else 2, len(look.input.shape)))


def _along(look: Look) -> Sight:
    return look.sight.mixed(look.dims() if look.call.op == "normalize" else [look.dim()])


def _reduced(look: Look) -> Sight:
    if len(look.operands) > 1:
        return _pointwise(look)
    dims = look.dims()
    sight = look.sight.mixed(dims)
    for dim in sorted(dims, reverse=True):
        sight = sight.resized(dim, 1) if look.args.get("keepdim") else sight.without(dim)
    return sight


def _product(look: Look) -> Sight:
    """Rows of the first with columns of the second; what both run over is mixed."""
    a, b = look.operands
    rank = len(look.out)
    if min(len(a.shape), len(b.shape)) < 2:
        if len(a.shape) < 2 or look.seen(b):
            raise Lost
        sight = look.sight.mixed([len(a.shape) - 1])
        return sight.without(len(a.shape) - 1) if len(b.shape) == 1 else sight
    found = []
    for one, dim, free in ((a, -1, -1), (b, -2, -2)):
        known = look.seen(one)
        if known:
            sight = known.mixed([len(one.shape) + dim])
            found.append(_broadcast(sight.resized(len(one.shape) + dim, look.out[rank + free]), look.out))
    return joined(found)


def _attention(look: Look) -> Sight:
    """Each place of the query sees all places of key and value."""
    query, *others = look.operands
    found = []
    if (own := look.seen(query)) is not None:
        found.append(
            _broadcast(own.mixed([len(query.shape) - 1]).resized(len(query.shape) - 1, look.out[-1]), look.out)
        )
    for other in others:
        rank = len(other.shape)
        if (sight := look.seen(other)) is not None:
            dims = {rank - 2, rank - 1} if look.call.op == "scaled_dot_product_attention" else {0, rank - 1}
            sight = sight.mixed(dims)
            for dim in dims:
                sight = sight.resized(dim, look.out[dim - rank])
            if len(sight.dims) != len(look.out):
                raise Lost
            found.append(_broadcast(sight, look.out))
    return joined(found)


def _einsum(look: Look) -> Sight:
    """Letters that do not come out are mixed."""
    given = look.call.asked[0] if look.call.asked else ()
    if not isinstance(given[0], str) or "->" not in given[0] or "." in given[0]:
        raise Lost
    left, right = given[0].replace(" ", "").split("->")
    found = []
    for letters, one in zip(left.split(","), look.operands, strict=True):
        sight = look.seen(one)
        if sight is None:
            continue
        gone = [dim for dim, letter in enumerate(letters) if letter not in right]
        sight = sight.mixed(gone)
        for dim in reversed(gone):
            sight = sight.without(dim)
        left_over = [letter for letter in letters if letter in right]
        for place, letter in enumerate(right):
            if letter not in left_over:
                sight, left_over = sight.inserted(len(left_over), 1), [*left_over, letter]
            sight = _swapped(sight, left_over, place, letter)
        found.append(_broadcast(sight, look.out))
    return joined(found)


def _swapped(sight: Sight, letters: list[str], place: int, letter: str) -> Sight:
    """The dimension of a letter brought to its place."""
    have = letters.index(letter)
    order = list(range(len(letters)))
    order.insert(place, order.pop(have))
    letters.insert(place, letters.pop(have))
    return sight.ordered(order)


def _viewed(look: Look) -> Sight:
    if isinstance(look.input.shape, tuple) and math.prod(map(int, look.input.shape)) != math.prod(look.out):
        raise Lost  # bytes under another dtype
    return look.sight.reshaped(look.out)


def _swapped_dims(look: Look) -> Sight:
    rank = len(look.input.shape)
    order = list(range(rank))
    if look.call.op == "T":
        return look.sight.ordered(order[::-1])
    if look.call.op in ("transpose", "swapaxes", "swapdims"):
        a, b = look.dim("dim0"), look.dim("dim1")
    else:
        a, b = rank - 2, rank - 1
    if rank > 1:
        order[a], order[b] = order[b], order[a]
    return look.sight.ordered(order)


def _permuted(look: Look) -> Sight:
    given = look.args["dims"]
    dims = given[0] if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    return look.sight.ordered([dim % len(look.input.shape) for dim in dims])


def _moved(look: Look) -> Sight:
    rank = len(look.input.shape)
    source, target = (
        [part % rank for part in (v if isinstance(v, (tuple, list)) else (v,))]
        for v in (look.args["source"], look.args["destination"])
    )
    order = [dim for dim in range(rank) if dim not in source]
    for to, dim in sorted(zip(target, source, strict=True)):
        order.insert(to, dim)
    return look.sight.ordered(order)


def _expanded(look: Look) -> Sight:
    return _broadcast(look.sight, look.out)


def _joined(look: Look) -> Sight:
    """Side by side: along that dimension no order is known, along the others all as it was."""
    dim = look.dim(default=0)
    found = [sight.resized(dim, look.out[dim]) for one in look.operands if (sight := look.seen(one))]
    return joined(found)


def _stacked(look: Look) -> Sight:
    dim = look.args.get("dim", 0) % len(look.out)
    return joined([sight.inserted(dim, look.out[dim]) for one in look.operands if (sight := look.seen(one))])


def _parts(look: Look) -> Sight:
    """Pieces: along a dimension that carries nothing all are alike, along any other something is missing."""
    dim, sight = look.dim(default=0), look.sight
    if sight.carried([dim]):
        raise Lost
    return sight.without(dim) if look.call.op == "unbind" else sight.resized(dim, look.out[dim])


def _selected(look: Look) -> Sight:
    dim = look.dim()
    if look.call.op == "narrow":
        return look.sight.placed(dim, places.moved(_number(look.args["start"])), look.out[dim])
    return _only(look.sight, dim, _number(look.args["index"]), int(look.input.shape[dim]))


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Lost
    return int(value)


def _only(sight: Sight, dim: int, index: int, size: int) -> Sight:
    """One position along a dimension, which goes."""
    return sight.placed(dim, places.moved(index % size), 1).mixed([dim]).without(dim)


def _indexed(look: Look) -> Sight:
    given = look.call.asked[0][1] if look.call.asked else ()
    parts = list(given) if isinstance(given, tuple) else [given]
    if any(isinstance(part, (list, bool, Operand)) for part in parts):
        raise Lost
    named = sum(part is not None and part is not Ellipsis for part in parts)
    if Ellipsis not in parts:
        parts.append(Ellipsis)
    at = parts.index(Ellipsis)
    rank = len(look.input.shape)
    parts[at : at + 1] = [slice(None)] * (rank - named)
    sight, dim = look.sight, 0
    sizes = iter(map(int, look.input.shape))
    for part in parts:
        if part is None:
            sight, dim = sight.inserted(dim, 1), dim + 1
        elif isinstance(part, slice):
            begin, end, step = part.indices(next(sizes))
            if part != slice(None):
                sight = sight.placed(dim, places.moved(begin, step), len(range(begin, end, step)))
            dim += 1
        else:
            sight = _only(sight, dim, _number(part), next(sizes))
    return sight


def _looked_up(look: Look) -> Sight:
    """Of a table of rows, what the indices see."""
    indices = next((one for one in look.operands if not one.dtype.startswith("float")), look.input)
    sight = look.seen(indices)
    if sight is None or any(look.seen(one) for one in look.operands if one is not indices):
        raise Lost
    return sight.inserted(len(indices.shape), look.out[-1])


_POINTWISE = [name for name in (*NAMES, *CONVERSIONS) if not name.endswith("_like") and name not in ("zero", "fill")]
_TABLE: dict[str, Carries] = {name: carries for names, carries in (
    ([*_POINTWISE, "where", "batch_norm", "prelu", "local_response_norm", "channel_shuffle", "type"], _pointwise),
    ([f"{kind}{n}d" for n in (1, 2, 3) for kind in ("conv", "max_pool", "avg_pool", "lp_pool")], _windowed),
    ([f"conv_transpose{n}d" for n in (1, 2, 3)], _transposed), (("interpolate", "upsample"), _resized),
    ([f"adaptive_{kind}_pool{n}d" for n in (1, 2, 3) for kind in ("avg", "max")], _adaptive),
    (("pixel_shuffle",), _shuffled), (("pixel_unshuffle",), _unshuffled), (("pad",), _padded), (("linear",), _linear),
    (("layer_norm", "rms_norm"), _normalised), (("group_norm", "instance_norm"), _over_groups),
    (("softmax", "log_softmax", "softmin", "normalize"), _along), (("matmul", "bmm", "mm"), _product),
    ("mean sum amax amin max min argmax argmin prod std var norm logsumexp median all any".split(), _reduced),
    (("scaled_dot_product_attention", "multi_head_attention_forward"), _attention), (("einsum",), _einsum),
    (("view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze", "view_as", "reshape_as"), _viewed),
    (("transpose", "swapaxes", "swapdims", "t", "T", "H", "mT", "adjoint"), _swapped_dims), (("permute",), _permuted),
    (("movedim", "moveaxis"), _moved), (("expand", "expand_as", "broadcast_to"), _expanded),
    (("cat", "concat", "concatenate"), _joined), (("stack",), _stacked), (("chunk", "split", "unbind"), _parts),
    (("select", "narrow"), _selected), (("getitem",), _indexed), (("embedding",), _looked_up),
) for name in names}  # fmt: skip


def carried(look: Look) -> Sight:
    """What comes out of a call sees. Raises :class:`Lost` where that is not known exactly."""
    carries = _TABLE.get(look.call.op)
    if carries is None:
        raise Lost
    try:
        found = carries(look)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ZeroDivisionError) as form:
        raise Lost from form  # a form of the call that is not foreseen
    if len(found.dims) != len(look.out):
        raise Lost
    return found
