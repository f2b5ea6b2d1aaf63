"""Two tensors that meet: branches that are added, tensors that are joined, factors of a product."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn

from shapeproof.capture.trace import Fed
from shapeproof.diagnosis.case import Case, feds, sizes
from shapeproof.diagnosis.edits import Edit, Setup, resized
from shapeproof.diagnosis.inputs import WRITTEN_FOR, spatial_axes, square
from shapeproof.diagnosis.place import assigned_number
from shapeproof.diagnosis.propose import argument, expression, input_edit, wrap
from shapeproof.diagnosis.rebuild import CONVS, TRANSPOSED
from shapeproof.diagnosis.source import written
from shapeproof.rules.elementwise import NAMES

JOINS = ("cat", "concat", "concatenate", "stack")
PRODUCTS = ("matmul", "mm", "bmm", "baddbmm", "einsum")


def find(case: Case) -> Iterator[Edit]:
    """Edits for tensors that do not fit each other."""
    op = case.call.op
    if case.owner is not None or len(case.fed) < 2:
        return
    if op in JOINS:
        yield from _join(case)
        yield from branches(case, "concat")
    elif op in PRODUCTS:
        yield from _product(case)
    elif op in NAMES and len(case.fed) == 2:
        yield from _position(case)
        yield from _views(case)
        yield from branches(case)


def _ancestors(case: Case, fed: Fed) -> set[int]:
    found: set[int] = set()
    waiting = [fed.maker] if fed.maker is not None else []
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += [f.maker for f in feds(case.calls[index]) if f.maker is not None]
    return found


def branches(case: Case, code: str = "residual") -> Iterator[Edit]:
    """Layers of one branch only: padding, stride, width, one pixel of a transposed convolution."""
    shapes = [sizes(fed) for fed in case.fed]
    joined = case.call.op in JOINS
    usual = max(shapes, key=lambda shape: (sum(s[2:] == shape[2:] for s in shapes), shape in shapes[:1]))
    rest = [_ancestors(case, fed) for fed in case.fed]
    count = len(case.fed) if joined else 2
    for place in range(count):
        mine = shapes[place]
        other = usual if count > 2 else shapes[1 - place]
        if len(mine) != len(other) or (count > 2 and mine[2:] == other[2:]):
            continue
        others = set().union(*(found for n, found in enumerate(rest[:count]) if n != place))
        own = sorted(rest[place] - others, reverse=True)
        for path in dict.fromkeys(case.calls[n].module for n in own if case.calls[n].module in case.paths.values()):
            layer: Any = case.setup.model.get_submodule(path)
            if len(mine) >= 3 and isinstance(layer, (*CONVS, *TRANSPOSED)):
                yield from _places(case, path, layer, mine, other, code)
        yield from _width(case, own, mine, other, code)
        if not own and len(mine) >= 4 and code == "residual" and (mine[1] != other[1] or mine[2] >= 2 * other[2] - 1):
            yield from _projection(case, place, mine, other)
    yield from _same_places(case)


def _places(
    case: Case, path: str, layer: Any, mine: tuple[int, ...], other: tuple[int, ...], code: str
) -> Iterator[Edit]:
    ours, theirs = mine[2:], other[2:]
    if ours == theirs or len(ours) != len(layer.kernel_size):
        return
    if isinstance(layer, TRANSPOSED):
        short = tuple(t - o for o, t in zip(ours, theirs, strict=True))
        most = max(layer.stride) - 1
        if min(short) >= 0 and max(short) and most:  # what is still short then is up to the other layers
            new = tuple(min(a + s, most) for a, s in zip(layer.output_padding, short, strict=True))
            yield from argument(case, path, "output_padding", new, 0.1, code)
        return
    if isinstance(layer.padding, str):
        return
    half = tuple(d * (k - 1) // 2 for k, d in zip(layer.kernel_size, layer.dilation, strict=True))
    if half != tuple(layer.padding):
        yield from argument(case, path, "padding", half, 0.1, code)
    ratio = {round(o / t) for o, t in zip(ours, theirs, strict=True)}
    if len(ratio) == 1 and min(ratio) >= 2:
        stride = tuple(s * min(ratio) for s in layer.stride)
        yield from argument(case, path, "stride", stride, 0.2 if max(layer.kernel_size) == 1 else 0.4, code)
    if all(o < t for o, t in zip(ours, theirs, strict=True)) and max(layer.stride) > 1:
        yield from argument(case, path, "stride", (1,) * len(ours), 0.3, code)


def _width(case: Case, own: list[int], mine: tuple[int, ...], other: tuple[int, ...], code: str) -> Iterator[Edit]:
    """The width of the nearest layer of a branch that sets it."""
    kinds = {"conv": ("out_channels", 1), "linear": ("out_features", -1), "embedding": ("embedding_dim", -1)}
    for n in own:
        call = case.calls[n]
        kind = next((kind for kind in kinds if call.op.startswith(kind)), None)
        if kind is None or call.module not in case.paths.values():
            continue
        name, axis = kinds[kind]
        layer = case.setup.model.get_submodule(call.module)
        rank = len(call.output) if isinstance(call.output, tuple) else 0
        if rank == len(mine) and mine[axis] != other[axis] and getattr(layer, name, None) == mine[axis]:
            groups = getattr(layer, "groups", 1)
            cost = 0.8 if case.call.op in JOINS else 0.25
            if other[axis] % groups == 0:
                yield from argument(case, call.module, name, other[axis], cost, code)
        return


def _projection(case: Case, place: int, mine: tuple[int, ...], other: tuple[int, ...]) -> Iterator[Edit]:
    """A 1x1 convolution on a skip whose branch changed the width or the stride."""
    node, holder = case.operand(place), case.names.get("self")
    if node is None or case.spot is None or not isinstance(holder, nn.Module) or id(holder) not in case.paths:
        return
    stride = max(1, round(mine[2] / max(1, other[2])))
    axes = len(mine) - 2
    kind = CONVS[axes - 1]
    name = next(n for n in ("shortcut", "projection", "skip_projection") if not hasattr(holder, n))
    path = case.paths[id(holder)]
    new = f"nn.{kind.__name__}({mine[1]}, {other[1]}, kernel_size=1, stride={stride})"
    words = f"put self.{name} = {new} of __init__ on the skip"
    changed = expression(
        case, case.spot, node, f"self.{name}({written(node, case.text)})", words, "insert", new, attribute="shortcut"
    )  # fmt: skip

    def apply(setup: Setup) -> None:
        changed.apply(setup)
        mended = setup.model.get_submodule(path)
        first = next(mended.parameters(), None)
        for module in setup.model.modules():
            if type(module) is type(mended):
                module.add_module(name, nn.Identity())
        layer: nn.Module = kind(mine[1], other[1], kernel_size=1, stride=stride)
        mended.add_module(name, layer if first is None else layer.to(first.device, first.dtype))
        setup.sources.add_to_init(type(holder), f"self.{name} = {new}")

    yield Edit("insert", path, "shortcut", None, new, changed.text, apply, 0.5, "residual", changed.source)


def _same_places(case: Case) -> Iterator[Edit]:
    """Maps of unequal height and width: brought to one size where they meet, or an input that divides evenly."""
    a, b = (sizes(fed) for fed in case.fed[:2])
    if len(a) != len(b) or len(a) < 3 or a[2:] == b[2:] or len(case.fed) != 2:
        return
    if case.call.op in JOINS or a[:2] == b[:2]:
        yield from _interpolated(case, a, b)
    yield from _even(case)


def _interpolated(case: Case, a: tuple[int, ...], b: tuple[int, ...]) -> Iterator[Edit]:
    nodes = [case.operand(0), case.operand(1)]
    function = functional(case)
    if None in nodes or not function or case.spot is None:
        return
    depth = [len(_ancestors(case, fed)) for fed in case.fed[:2]]
    late = 0 if depth[0] > depth[1] else 1  # the decoder's map is the one that comes from further down
    x, y = (written(nodes[place], case.text) for place in (late, 1 - late))
    new = f"{function}.interpolate({x}, size={y}.shape[2:])"
    if case.call.op not in JOINS:
        words, other, cost = "bring one map to the size of the other", "y", 1.4
    else:
        words, other, cost = "bring the map from further down to the size of the skip", "skip", 0.5
    shown = f"F.interpolate(x, size={other}.shape[2:])"
    yield expression(case, case.spot, nodes[late], new, words, "insert", shown, cost, "", "interpolate")


def functional(case: Case) -> str:
    """The name under which the user's file has ``torch.nn.functional``; ``""`` if it has none."""
    for name, held in case.names.items():
        if held is nn.functional:
            return name
    if getattr(case.names.get("nn"), "functional", None) is nn.functional:
        return "nn.functional"
    return "torch.nn.functional" if "torch" in case.names else ""


def _even(case: Case) -> Iterator[Edit]:
    first = case.setup.first()
    if first is None or first[1].dim() < 3 or not first[1].is_floating_point():
        return
    place, value = first
    for multiple in (2, 4, 8, 16, 32):
        for up in (True, False):
            axes = {}
            for axis in spatial_axes(value):
                size = value.shape[axis]
                axes[axis] = max(1, math.ceil(size / multiple) if up else size // multiple) * multiple
            if any(value.shape[axis] != size for axis, size in axes.items()):
                call = f"sizes that are multiples of {multiple}"
                yield input_edit(case, place, "size", call, lambda x, axes=axes: resized(x, axes), 0.8)  # type: ignore[misc]


def _join(case: Case) -> Iterator[Edit]:
    yield from _joined_along(case)
    shapes = [sizes(fed) for fed in case.fed]
    ranks = {len(shape) for shape in shapes}
    rank = max(ranks)
    for place, shape in enumerate(shapes[:2]):
        other = shapes[1 - place]
        if len(shape) == 3 and len(other) == 2 and case.layout(case.fed[place]) == "last":
            words = "take the last step of the sequence"
            yield from wrap(case, place, "{}[:, -1]", words, lambda x: x, 0.1, "concat", "x[:, -1]", "last step")
        if len(shape) == 4 and len(other) == 2:
            words = "flatten the maps before they are joined"
            yield from wrap(
                case, place, "{}.flatten(1)", words, lambda x: x, 0.2, "concat", "torch.flatten(x, 1)", "flatten"
            )
        if len(shape) == rank - 1 and len(shape) >= 1:
            yield from _with_a_dimension(case, place, shape, other)
        if (len(ranks) == 1 and shape[0] == 1 != other[0] and shape[1:] != other[1:]) or shape[:1] == (1,) != other[:1]:
            node = case.operand(1 - place)
            if node is not None and len(shape) == len(other):
                new = "{}.expand(" + ", ".join([f"{written(node, case.text)}.size(0)", *["-1"] * (rank - 1)]) + ")"
                text = "x.expand(n, " + ", ".join(["-1"] * (rank - 1)) + ")"
                yield from wrap(
                    case, place, new, "repeat it for the whole batch", lambda x: x, 0.0, "concat", text, "expand"
                )


def _with_a_dimension(case: Case, place: int, shape: tuple[int, ...], other: tuple[int, ...]) -> Iterator[Edit]:
    for axis in (1, 0, -1):
        longer = list(shape)
        longer.insert(axis if axis >= 0 else len(longer), 1)
        dim = _dim(case)
        if all(a == b for n, (a, b) in enumerate(zip(longer, other, strict=False)) if n != dim % len(other)):
            call = f"x.unsqueeze({axis})"
            words = "give it the dimension that it lacks"
            yield from wrap(case, place, "{}" + call[1:], words, lambda x: x, 0.2, "concat", call, "unsqueeze")
            return


def _dim(case: Case) -> int:
    args, kwargs = case.call.given or ((), {})
    found = kwargs.get("dim", args[1] if len(args) > 1 else 0)
    return found if isinstance(found, int) else 0


def _joined_along(case: Case) -> Iterator[Edit]:
    """A concatenation along the one dimension in which the tensors differ."""
    shapes = [sizes(fed) for fed in case.fed]
    if len({len(shape) for shape in shapes}) != 1 or case.spot is None:
        return
    differ = [place for place, found in enumerate(zip(*shapes, strict=True)) if len(set(found)) > 1]
    rank = len(shapes[0])
    near = len(differ) == 1 and differ[0] > 1 and rank >= 3 and case.call.op != "stack"
    if len(differ) != 1 or not hasattr(case.node, "keywords"):
        return
    dim, node = differ[0], case.node
    tensors = written(node.args[0], case.text) if node.args else ""
    if not tensors:
        return
    called = written(node.func, case.text).replace("stack", "cat")
    words = f"join along dim={dim}, the only dimension in which the tensors differ"
    cost = 0.6 if near else 0.0
    yield expression(
        case, case.spot, node, f"{called}({tensors}, dim={dim})", words, "call", dim, cost, "concat", "dim"
    )


def _product(case: Case) -> Iterator[Edit]:
    """One factor transposed where its other size is the one that is needed; or another width before it."""
    a, b = (sizes(fed) for fed in case.fed[:2])
    if len(b) >= 2 and a and a[-1] == b[-1]:
        words = f"transpose the second matrix: both have {a[-1]} as their last size"
        yield from _transposed(case, 1, "b", words, 0.0, "matmul")
    if len(a) >= 2 and len(b) >= 2 and a[-2] == b[-2]:
        words = f"transpose the first matrix: both have {a[-2]} rows"
        yield from _transposed(case, 0, "a", words, 0.2, "matmul")
    model = case.setup.model
    for fed, needed in ((case.fed[0], b[-2] if len(b) > 1 else b[-1]), (case.fed[1], a[-1])):
        made = case.origin(fed)
        if made is None or made.op != "linear" or made.module not in case.paths.values():
            continue
        if (
            made.output
            and made.output[-1] == sizes(fed)[-1]
            and isinstance(model.get_submodule(made.module), nn.Linear)
        ):
            yield from argument(case, made.module, "out_features", needed, 0.4, "matmul")


def _transposed(case: Case, index: int, name: str, words: str, cost: float, code: str) -> list[Edit]:
    """One operand with its last two dimensions changed round."""
    call = ".transpose(-2, -1)"
    turned = partial(torch.transpose, dim0=-2, dim1=-1)
    return wrap(case, index, "{}" + call, words, turned, cost, code, name + call, "transpose", "call")


def _held(case: Case, fed: Fed) -> str:
    """The parameter or buffer that a tensor is, or that it was compared from."""
    path = case.parameter(fed)
    made = case.maker(fed)
    while not path and made is not None and made.op in ("eq", "ne", "bool", "logical_not", "to", "float"):
        fed = feds(made)[0]
        path, made = case.parameter(fed), case.maker(fed)
    return path


def _position(case: Case) -> Iterator[Edit]:
    """A parameter with one row for each position that meets another number of positions."""
    for place, fed in enumerate(case.fed[:2]):
        path, other = _held(case, fed), case.fed[1 - place]
        mine, theirs = sizes(fed), sizes(other)
        if not path or len(theirs) < len(mine) or not mine:
            continue
        shift = len(theirs) - len(mine)
        axes = [n for n in range(len(mine)) if mine[n] not in (1, theirs[n + shift])]
        yield from _fewer(case, place, axes, mine, theirs)
        if len(axes) == 1 and case.parameter(fed):
            rows, came = mine[axes[0]], theirs[axes[0] + shift]
            yield from _other_side(case, rows, came)
            yield _longer(case, path, axes[0], mine, came)
            yield from _shorter(case, rows, came)


def _fewer(case: Case, place: int, axes: list[int], mine: tuple[int, ...], theirs: tuple[int, ...]) -> Iterator[Edit]:
    """As many rows as there are positions, along every axis that has more."""
    node, back = case.operand(1 - place), len(theirs)
    shift = back - len(mine)
    if node is None or not axes or any(mine[axis] < theirs[axis + shift] for axis in axes):
        return

    def index(name: str) -> str:
        return ", ".join(f":{name}.size({axis + shift})" if axis in axes else ":" for axis in range(max(axes) + 1))

    words = "take as many positions as there are"
    template = "{}[" + index(written(node, case.text)) + "]"
    new = f"pos[{index('x')}]"
    yield from wrap(case, place, template, words, lambda x: x, 0.1, "broadcast", new, "slice")


def _other_side(case: Case, rows: int, came: int) -> Iterator[Edit]:
    """Pictures of the side for which a table of patches was made, with or without a class token."""
    first = case.setup.first()
    if first is None or first[1].dim() != 4:
        return
    place, value = first
    for token in (0, 1):
        side, now = square(rows - token), square(came - token)
        if side and now and value.shape[-1] * side % now == 0:
            axes = dict.fromkeys((2, 3), value.shape[-1] * side // now)
            cost = 0.0 if axes[2] in WRITTEN_FOR else 0.5
            call = f"the size that the positions were made for, {axes[2]} x {axes[2]}"
            yield input_edit(case, place, "size", call, partial(resized, axes=axes), cost, "broadcast")


def _longer(case: Case, path: str, axis: int, mine: tuple[int, ...], size: int) -> Edit:
    owner, _, name = path.rpartition(".")
    new = tuple(size if n == axis else s for n, s in enumerate(mine))
    line, change = assigned_number(case.setup.model, owner, name, mine[axis], size, case.setup.sources)

    def apply(setup: Setup) -> None:
        setup.sources.note(change)
        module = setup.model.get_submodule(owner)
        old = getattr(module, name)
        fresh = old.new_zeros(new)
        setattr(module, name, nn.Parameter(fresh) if isinstance(old, nn.Parameter) else fresh)

    where = f"In {line}, where {path} is made" if line else f"Where {path} is made"
    text = f"{where}, change its shape from {mine} to {new}: one row for each of {size} positions."
    return Edit("argument", owner, name, mine, new, text, apply, 0.3, "broadcast", line)


def _shorter(case: Case, mine: int, theirs: int) -> Iterator[Edit]:
    """An input of as many steps as there are positions."""
    first = case.setup.first()
    if first is None or first[1].dim() not in (2, 3):
        return
    place, value = first
    axes = [axis for axis in range(value.dim()) if value.shape[axis] == theirs]
    if axes:
        change = {axes[-1] if value.dim() == 2 else axes[0]: mine}
        yield input_edit(case, place, "size", f"at most {mine} steps", lambda x: resized(x, change), 0.6, "broadcast")


def _views(case: Case) -> Iterator[Edit]:
    """One operand given the dimensions of 1 with which it broadcasts, or transposed."""
    shapes = [sizes(fed) for fed in case.fed[:2]]
    for place in (1, 0):
        mine, other = shapes[place], shapes[1 - place]
        if len(mine) < len(other) and mine and mine == other[: len(mine)]:
            yield from _reshaped(case, place, len(other) - len(mine))
        elif len(mine) < len(other) and len(mine) >= 2 and mine[0] == other[0]:
            gap = len(other) - len(mine)
            if all(m in (1, o) for m, o in zip(mine[1:], other[gap + 1 :], strict=True)):
                index = ":, " + "None, " * gap
                call = f"x[{index.rstrip(', ')}]"
                words = "give it the dimensions that it lacks"
                yield from wrap(case, place, "{}" + call[1:], words, lambda x: x, 0.1, "broadcast", call, "unsqueeze")
        elif len(mine) == len(other) >= 2 and (*mine[:-2], mine[-1], mine[-2]) == other:
            words = "transpose its last two dimensions"
            yield from _transposed(case, place, "x", words, 0.3, "broadcast")


def _reshaped(case: Case, place: int, lacking: int) -> Iterator[Edit]:
    call = "x.unsqueeze(-1)" if lacking == 1 else "x[..." + ", None" * lacking + "]"
    words = "give it the dimensions that it lacks, so that it is spread over them"
    yield from wrap(case, place, "{}" + call[1:], words, lambda x: x, 0.1, "broadcast", call, "unsqueeze")
