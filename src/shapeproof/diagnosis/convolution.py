"""Convolutions, transposed ones and pooling: channels, layouts, kernels larger than what is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from shapeproof.diagnosis.case import Case
from shapeproof.diagnosis.edits import Edit
from shapeproof.diagnosis.inputs import channels, larger, moved, square, unsqueezed
from shapeproof.diagnosis.propose import argument, call_node, expression, input_edit, wrap
from shapeproof.diagnosis.rebuild import CONVS, TRANSPOSED
from shapeproof.diagnosis.source import resolved, written
from shapeproof.diagnosis.width import upstream_width

POOLS = ("max_pool", "avg_pool", "lp_pool")


def find(case: Case) -> Iterator[Edit]:
    """Edits for a convolution or a pooling that cannot slide over what came."""
    op, layer = case.call.op, case.owner
    if op.startswith(POOLS) or (op.startswith("conv") and case.code == "kernel-too-large"):
        yield from _too_large(case)
        return
    if op == "pixel_shuffle" and case.entering and case.code == "groups":
        yield from _shuffled(case)
        return
    if not isinstance(layer, (*CONVS, *TRANSPOSED)) or not op.startswith("conv") or not case.fed:
        return
    axes, entering = len(layer.kernel_size), case.entering
    if len(entering) not in (axes + 1, axes + 2):
        yield from _other_rank(case, layer, entering, axes)
        return
    yield from _layouts(case, layer, entering, axes)
    yield from _channels(case, layer, entering, axes)


def _other_rank(case: Case, layer: Any, entering: tuple[int, ...], axes: int) -> Iterator[Edit]:
    place = case.input_of(case.fed[0])
    if len(entering) == axes and place is not None and layer.in_channels == 1:
        text = "a batch and a channel, x[None, None]"
        yield input_edit(case, place, "batch", text, lambda x: x[None, None], 0.1, "missing-batch")
    if len(entering) == 2:
        yield from _unflattened(case, layer, entering, axes)
    if len(entering) == axes + 3:
        ones = [axis for axis in range(len(entering)) if entering[axis] == 1 and axis != 0]
        for axis in [a for a in ones if entering[2 if a == 1 else 1] == layer.in_channels] or ones[:1]:
            yield from _squeezed(case, place, axis)
        if entering[2] == layer.in_channels:
            words = "take the steps into the batch"
            yield from wrap(
                case, 0, "{}.flatten(0, 1)", words, lambda x: x.flatten(0, 1), 0.4, "rank", "x.flatten(0, 1)"
            )


def _squeezed(case: Case, place: Any, axis: int) -> Iterator[Edit]:
    call = f"x.squeeze({axis})"
    if place is not None:
        yield input_edit(case, place, "rank", f"one dimension less, {call}", lambda x: x.squeeze(axis), 0.0, "rank")
    else:
        yield from wrap(
            case,
            0,
            call.replace("x", "{}"),
            "take out the dimension of 1",
            lambda x: x.squeeze(axis),
            0.0,
            "rank",
            call,
        )


def _unflattened(case: Case, layer: Any, entering: tuple[int, ...], axes: int) -> Iterator[Edit]:
    """Rows that are meant as maps: a picture that was flattened, a code that a generator starts from."""
    wide = layer.in_channels
    if entering[1] % wide:
        return
    each = entering[1] // wide
    side = each if axes == 1 else square(each) if axes == 2 else None
    if side is None:
        return
    places = (side,) * axes
    listed = ", ".join(map(str, places))
    words = f"give the rows the shape of maps of {' x '.join(map(str, places))} with {wide} channels"
    new = f"x.view(-1, {wide}, {listed})"
    yield from wrap(
        case, 0, new.replace("x", "{}", 1), words, lambda x: x.reshape(-1, wide, *places), 0.0, "rank", new, "view"
    )  # fmt: skip


def _layouts(case: Case, layer: Any, entering: tuple[int, ...], axes: int) -> Iterator[Edit]:
    """Channels last, a channel or a batch that is missing; judged by where the wanted number stands."""
    wanted, made_as = layer.in_channels, case.layout(case.fed[0])
    place, full = case.input_of(case.fed[0]), len(entering) == axes + 2
    if place is not None and not full:
        if entering[-1] == wanted != entering[0] and wanted in (1, 3, 4):
            order = (axes, *range(axes))
            call = f"a batch, and the channels first, x.permute{order}.unsqueeze(0)"
            yield input_edit(case, place, "layout", call, lambda x: x.permute(order).unsqueeze(0), 0.0, "channels-last")
        elif wanted == 1 or axes > 1:
            yield unsqueezed(case, place, 1, 0.0 if wanted == 1 else 1.0, "missing-channel")
    elif not full and wanted == 1 and made_as == "last":
        yield from wrap(
            case,
            0,
            "{}.unsqueeze(1)",
            "give the signal a channel",
            lambda x: x.unsqueeze(1),
            0.0,
            "missing-channel",
            "x.unsqueeze(1)",
        )
    picture = place is not None and entering[-1] in (1, 3, 4) and min(entering[1:-1]) > 4
    if not full or (entering[-1] != wanted and not picture) or made_as == "first":
        return
    order = (0, axes + 1, *range(1, axes + 1))
    if place is not None:
        yield from moved(case, order, 0.0)
    else:
        listed = ", ".join(map(str, order))
        new = f"x.permute({listed})"
        yield from wrap(
            case,
            0,
            new.replace("x", "{}"),
            "put the channels second",
            lambda x: x.permute(order),
            0.0,
            "channels-last",
            new,
            "layout",
        )


def _channels(case: Case, layer: Any, entering: tuple[int, ...], axes: int) -> Iterator[Edit]:
    came, wanted = entering[-(axes + 1)], layer.in_channels
    if case.code not in ("in-channels", "unsupported") and not isinstance(layer, TRANSPOSED):
        return
    yield from _applied_twice(case, layer)
    turned = case.layout(case.fed[0]) == "input" and entering[-1] in (1, 3, 4) and came > 4
    if came % layer.groups == 0:
        yield from argument(case, case.path, "in_channels", came, 2.5 if turned else 0.2, "in-channels")
    elif layer.groups == wanted == layer.out_channels:
        both = {"groups": came, "out_channels": came}
        yield from argument(case, case.path, "in_channels", came, 0.9, "in-channels", both)
    yield from channels(case, wanted, -(axes + 1), 0.7)
    yield from upstream_width(case, wanted)


def _applied_twice(case: Case, layer: Any) -> Iterator[Edit]:
    """A layer that ran before in the same forward: an unused one of its kind was meant, or it must keep its width."""
    earlier = [call for call in case.calls[:-1] if call.module == case.path and call.op == case.call.op]
    if not earlier or case.path is None:
        return
    called = {call.module for call in case.calls}
    owner, _, name = case.path.rpartition(".")
    for path, other in case.setup.model.named_modules():
        if type(other) is type(layer) and path not in called and path.rpartition(".")[0] == owner:
            yield from _another_layer(case, path.rpartition(".")[2], name)
    yield from argument(case, case.path, "out_channels", layer.in_channels, 0.6, "applied-twice")


def _another_layer(case: Case, name: str, old: str) -> Iterator[Edit]:
    node = case.node
    if case.spot is None or node is None or resolved(getattr(node, "func", None), case.names) is not case.owner:
        return
    callee = node.func
    new = written(callee, case.text)[: -len(old)] + name
    words = f"call {name}, which is never called, since {old} has run already"
    yield expression(case, case.spot, callee, new, words, "call", new, 0.0, "applied-twice", "layer")


def _shuffled(case: Case) -> Iterator[Edit]:
    """A width before a pixel shuffle that gives each channel as many as it puts side by side, rather more than less."""
    args, kwargs = case.call.given or ((), {})
    factor = args[1] if len(args) > 1 else kwargs.get("upscale_factor", 1)
    parts, came = factor * factor, case.entering[-3]
    for cost, new in ((0.3, -(-came // parts) * parts), (0.5, came // parts * parts)):
        if new:
            yield from upstream_width(case, new, cost)


def _too_large(case: Case) -> Iterator[Edit]:
    """Nothing is left for the kernel: the smallest input that works, padding, or no pooling there."""
    layer: Any = case.owner
    if isinstance(layer, CONVS) and not isinstance(layer.padding, str):
        half = tuple((k - 1) // 2 for k in layer.kernel_size)
        if any(half) and half != tuple(layer.padding):
            yield from argument(case, case.path, "padding", half, 1.1, "kernel-too-large")
    node = call_node(case, case.spot)
    operand = case.operand(0)
    if case.call.op.startswith(POOLS) and node is not None and operand is not None and case.spot is not None:
        words = "leave this pooling out, since nothing is left for it"
        yield expression(
            case, case.spot, node, written(operand, case.text), words, "call", "x", 1.2, "kernel-too-large", "pooling"
        )
    yield from larger(case)
