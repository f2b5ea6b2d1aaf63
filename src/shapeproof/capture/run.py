"""Running a model once under watch, and leaving it as it was."""

from __future__ import annotations

import contextlib
import functools
import io
import sys
import traceback
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from shapeproof.capture.anatomy import Anatomy, anatomy
from shapeproof.capture.copies import deep_copy
from shapeproof.capture.effort import REPEATED, Effort, TooMuch, alone_from_the_start
from shapeproof.capture.guard import Memory, memory, same_randomness, untouched
from shapeproof.capture.nesting import mapped, outlined, tensors
from shapeproof.capture.recorder import Recorder, hooked, size_of
from shapeproof.capture.refusal import about_shapes
from shapeproof.capture.trace import Manner, Trace
from shapeproof.dims import Shape
from shapeproof.errors import ValuesError


class Interrupted(KeyboardInterrupt):
    """The user stopped a run; ``trace`` holds what it showed until then."""

    def __init__(self, trace: Trace) -> None:
        """Keep what was seen."""
        super().__init__("stopped")
        self.trace = trace


def run(
    model: Any,
    args: list[Any],
    kwargs: dict[str, Any],
    like: Manner | None = None,
    detailed: bool = False,
    bare: bool = False,
    keeping: bool = False,
) -> Trace:
    """Run the model once under watch, on real tensors where that is cheap, and leave it as it was.

    A model whose weights are large, or whose forward turns out to take long, is run on shapes alone; where it then
    asks for values, on real tensors after all. The trace says which it was, and why.

    Args:
        model: the module or callable.
        args: pairs of value and shape with letters; the shape is ``None`` for what the user gave as it is.
        kwargs: likewise, by name.
        like: how this model was run before. This run is then made in that manner, and may do no more than a tenth
            on real tensors: it is one of many, such as a size tried or an edit.
        detailed: whether each call keeps its arguments and its place in the user's code.
        bare: whether PyTorch's shapes are enough: on real tensors no rule is asked then, nothing is counted, and
            whatever the model raises is kept as it is.
        keeping: whether to run with gradients and note what is kept for backward.

    Raises:
        ValuesError: if values are needed and the model, on the meta device, has none.
        BaseException: what the model raised, where it has nothing to do with shapes.
    """
    given = [tensor for value, _ in (*args, *kwargs.values()) for tensor in tensors(value)]
    parts = anatomy(model)
    alone = like.alone if like and not like.values else alone_from_the_start(parts, given)
    real = bool(like and like.values)  # values were needed: there is no other way
    watched = functools.partial(_watched, model, parts, args, kwargs, detailed, gradients=keeping, keeping=keeping)
    if like is not None:  # what the model prints is told once, not again by each run that bears the first one out
        watched = functools.partial(_quietly, watched)
    if real or not alone:
        try:
            return watched(None if real or bare else Effort(REPEATED if like else 1.0), bare=bare)
        except TooMuch as reason:
            alone = str(reason)
    trace = watched(None, alone)
    if not trace.manner.values:
        return trace
    if parts.on_meta or any(tensor.device.type == "meta" for tensor in given):
        raise ValuesError(
            f"{trace.manner.values} needs values, which tensors on the meta device have not; "
            "give the model weights (model.to_empty(device='cpu')) and real inputs"
        )
    second = watched(None)
    second.manner = Manner(values=trace.manner.values)
    return second


def _watched(
    model: Any,
    parts: Anatomy,
    args: list[Any],
    kwargs: dict[str, Any],
    detailed: bool,
    effort: Effort | None,
    alone: str = "",
    gradients: bool = False,
    bare: bool = False,
    keeping: bool = False,
) -> Trace:
    if parts.waits:  # it takes its sizes from this input, which it must not keep
        model = deep_copy(model)
        parts = anatomy(model)
    kept = Memory(parts)
    recorder = (_keeper() if keeping else Recorder)(parts, kept, effort, alone, detailed, bare)
    trace = recorder.trace
    try:
        with (
            untouched(parts, (value for value, _ in (*args, *kwargs.values()))) as own,
            same_randomness(),
            torch.set_grad_enabled(gradients),
            _eager(),
            hooked(recorder),
        ):
            kept.made(*map(memory, own))
            positional = [_given(recorder, *pair) for pair in args]
            named = {key: _given(recorder, *pair) for key, pair in kwargs.items()}
            with recorder:
                result = model(*positional, **named)
                if isinstance(result, types.GeneratorType):
                    result = list(result)  # its steps run only now
            recorder.goes_on()
            trace.output = outlined(recorder.shape_of, result)
    except KeyboardInterrupt as stop:
        raise Interrupted(trace) from stop
    except Exception as error:
        trace.error = error
        if _wants_gradients(error) and not gradients:
            return _watched(model, parts, args, kwargs, detailed, effort, alone, gradients=True)
        if not bare and not trace.manner.values and not about_shapes(trace, error):
            raise
    finally:
        recorder.finish()
        kept.put_back()
    return trace


def _keeper() -> type[Recorder]:
    from shapeproof.capture.keeping import Keeper  # here, for the few runs that need it

    return Keeper


def _wants_gradients(error: Exception) -> bool:
    """Whether a run without gradients failed because the model takes some itself."""
    frames = traceback.extract_tb(error.__traceback__)
    return isinstance(error, RuntimeError) and any(frame.filename == torch.autograd.__file__ for frame in frames)


def _quietly(watched: Callable[..., Trace], *args: Any, **kwargs: Any) -> Trace:
    with contextlib.redirect_stdout(io.StringIO()):
        return watched(*args, **kwargs)


@contextmanager
def _eager() -> Iterator[None]:
    """What is compiled runs as it is written; nothing is, where nobody has loaded the compiler."""
    if "torch._dynamo" not in sys.modules:
        yield
        return
    with torch.compiler.set_stance("force_eager"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Using `torch.compile")  # it warns of hooks such as ours
        yield


def _given(recorder: Recorder, value: Any, shape: Shape | None) -> Any:
    """An input for the run: a made tensor with its letters, or a copy of the user's, so that theirs stays as it is."""
    given = value if shape is not None else mapped(_copied, value)
    for tensor in tensors(given):
        recorder.enters(tensor, shape if shape is not None else size_of(tensor))
    return given


def _copied(tensor: Tensor) -> Tensor:
    """A copy of an input, with or without gradient as it was."""
    same = tensor.detach().clone()
    return same.requires_grad_() if tensor.requires_grad else same
