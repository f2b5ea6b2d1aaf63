"""Doubts about the batch: reshaped, flattened, squeezed away, normalised over, or read as time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from shapeproof.capture.trace import Call
from shapeproof.dims import same
from shapeproof.doubts.scene import RESHAPES, Doubt, Scene, result
from shapeproof.rules.registry import show

SOFTMAXES = frozenset("softmax log_softmax softmin".split())
RECURRENT = frozenset("lstm gru rnn_tanh rnn_relu".split())
PRODUCTS = frozenset("linear matmul mm addmm mv".split())


def reshaped(scene: Scene) -> Iterator[Doubt]:
    """``view(-1, k)`` of pictures: what is left over goes into the batch, and stays there to the end."""
    for index, call in scene.of(RESHAPES):
        entering, leaving = one_in(call), result(call)
        if not leaving or len(entering) < 2 or not scene.is_batch(entering[0]):
            continue
        if same(leaving[0], entering[0]) or same(leaving[-1], entering[-1]) or len(leaving) < 2:
            continue
        ends_so = scene.results and all(same(shape[0], leaving[0]) for shape in scene.results)
        if ends_so and not any(scene.is_batch(size) for shape in scene.results for size in shape):
            message = (
                f"{call.op} makes {show(leaving)} of {show(entering)}: the batch is {leaving[0]} instead of "
                f"{entering[0]}, so parts of one sample are taken for samples of their own"
            )
            yield Doubt("batch-reshaped", message, index)


def flattened(scene: Scene) -> Iterator[Doubt]:
    """``flatten()`` of everything before a layer: the samples of a batch become features."""
    for index, call in scene.of(RESHAPES | {"ravel"}):
        entering, leaving = one_in(call), result(call)
        if not leaving or len(leaving) != 1 or len(entering) < 2:
            continue
        if not scene.is_batch(entering[0]) or same(leaving[0], entering[0]):
            continue
        if any(user.op in PRODUCTS and user.inputs[0] == leaving for user in scene.users(index)):
            message = (
                f"{call.op} makes {show(leaving)} of {show(entering)}: the {entering[0]} samples of the batch become "
                "one row of features"
            )
            yield Doubt("batch-flattened", message, index)


def squeezed(scene: Scene) -> Iterator[Doubt]:
    """``squeeze()`` without a dimension takes the batch along when it is one."""
    for index, call in scene.of(["squeeze"]):
        entering = one_in(call)
        if len(_arguments(call)) or len(entering) < 2 or not scene.is_batch(entering[0]):
            continue
        without = show(tuple(size for size in entering[1:] if not same(size, 1)))
        message = (
            f"squeeze() without a dim takes every 1 out of {show(entering)}: with one sample in the batch the result "
            f"is {without}, and the batch is gone"
        )
        yield Doubt("squeeze-batch", message, index)


def softmax(scene: Scene) -> Iterator[Doubt]:
    """A softmax whose probabilities sum to one over the batch, and not over a sample's classes."""
    for index, call in scene.of(SOFTMAXES):
        entering = one_in(call)
        if len(entering) < 2:
            continue
        dim = dim_of(call)
        unnamed = dim is None
        dim = (0 if len(entering) == 3 else 1) if unnamed else dim
        if isinstance(dim, int) and dim % len(entering) == 0 and scene.is_batch(entering[0]):
            why = "without a dim takes dim 0 of three" if unnamed else "over dim 0"
            message = (
                f"{call.op} {why}: in {show(entering)} that is the batch, so the samples of a batch share one "
                "probability, and each sample's result depends on the others"
            )
            yield Doubt("softmax-batch", message, index)


def as_time(scene: Scene) -> Iterator[Doubt]:
    """A recurrent layer without ``batch_first`` that is given the batch first: it runs along the samples."""
    for index, call in scene.of(RECURRENT):
        layer, entering = scene.module(call), one_in(call)
        if not isinstance(layer, nn.RNNBase) or layer.batch_first or len(entering) != 3:
            continue
        if not scene.is_batch(entering[0]) or same(entering[1], entering[0]):
            continue
        if _has_letters(scene) or any(_takes_last_of_second(user) for user in scene.users(index)):
            kind = type(layer).__name__
            message = (
                f"{kind} reads {show(entering)} as (time, batch, features): it runs along the batch of {entering[0]}, "
                f"and takes the {entering[1]} steps of a sequence for samples"
            )
            yield Doubt("batch-as-time", message, index)


def one_in(call: Call) -> tuple[int, ...]:
    """The shape of the first tensor that went in; ``()`` where there is none."""
    return call.inputs[0] if call.inputs else ()


def _arguments(call: Call) -> tuple[Any, ...]:
    """What a call was given besides its first tensor; everything where it is not known."""
    args, kwargs = call.given or ((None, None), {})
    return (*args[1:], *(value for key, value in kwargs.items() if key not in ("input", "self")))


def dim_of(call: Call) -> Any:
    """The ``dim`` that an operation on one tensor was given; ``None`` without one."""
    args, kwargs = call.given or ((), {})
    return kwargs.get("dim", args[1] if len(args) > 1 else None)


def _has_letters(scene: Scene) -> bool:
    return type(scene.batch) is not int


def _takes_last_of_second(call: Call) -> bool:
    """Whether a call is ``out[:, -1]``: the second dimension is meant for time."""
    args, _ = call.given or ((), {})
    index = args[1] if call.op == "getitem" and len(args) > 1 else None
    return isinstance(index, tuple) and len(index) > 1 and index[0] == slice(None) and type(index[1]) is int
