"""What a function mode is not told, or under other names: TorchScript, the batch of ``vmap``, inner operators."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from shapeproof.capture.nesting import tensors
from shapeproof.dims import product

_functorch = torch._C._functorch

Tell = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]
_OWN = torch.jit.ScriptFunction.__call__
_listening: list[Tell] = []  # of every run that is under way, each in its own thread
_changing = threading.Lock()


@contextmanager
def scripted(tell: Tell) -> Iterator[None]:
    """Let ``tell`` make every call of a function of TorchScript, which runs outside Python, until the block ends."""
    with _changing:
        _listening.append(tell)
        setattr(torch.jit.ScriptFunction, "__call__", _told)  # noqa: B010  # no assignment, to a type checker
    try:
        yield
    finally:
        with _changing:
            _listening.remove(tell)
            if not _listening:
                setattr(torch.jit.ScriptFunction, "__call__", _OWN)  # noqa: B010  # as above


def _told(function: Any, *args: Any, **kwargs: Any) -> Any:
    made: Callable[..., Any] = functools.partial(_OWN, function)
    for tell in tuple(_listening):
        made = functools.partial(_through, tell, made)
    return made(*args, **kwargs)


def _through(tell: Tell, made: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return tell(made, args, kwargs)


class Batches:
    """How many calls ``vmap`` makes of one."""

    def __init__(self) -> None:
        """None is under way."""
        self._sizes: dict[int, int] = {}

    def of(self, args: Any, shape_of: Callable[[Tensor], Any]) -> int:
        """For a call with these arguments, the sizes of its batches multiplied; 1 outside of ``vmap``."""
        if _functorch.peek_interpreter_stack() is None:
            self._sizes.clear()
            return 1
        levels: set[int] = set()
        for tensor in tensors(args):
            inner = tensor
            while _functorch.is_functorch_wrapped_tensor(inner):
                outer, inner = inner, _functorch.get_unwrapped(inner)
                if _functorch.is_batchedtensor(outer):
                    level = _functorch.maybe_get_level(outer)
                    levels.add(level)
                    # the first tensor of a batch comes from outside, where its letters are known
                    self._sizes.setdefault(level, shape_of(inner)[_functorch.maybe_get_bdim(outer)])
        return product(tuple(self._sizes[level] for level in levels))


def without_batch(tensor: Tensor, shape_of: Callable[[Tensor], Any]) -> Any:
    """The shape with letters of one of the tensors that ``vmap`` makes of a batch; ``None`` for any other tensor."""
    if _functorch.peek_interpreter_stack() is None or not _functorch.is_batchedtensor(tensor):
        return None
    whole, place = list(shape_of(_functorch.get_unwrapped(tensor))), _functorch.maybe_get_bdim(tensor)
    return tuple(whole[:place] + whole[place + 1 :])


def as_called(func: Any, name: str, args: Any, kwargs: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Name and arguments of a call as the model's author would have written it.

    Inside ``vmap`` PyTorch reads ``x[...]`` by a function of its own. What ``torch.export`` has written calls PyTorch's
    inner operators, which take the same by the names of their schemas.
    """
    if name == "custom_function_call" and getattr(args[0], "__name__", "") == "ModIndex":
        return "getitem", (args[1], tuple(args[2])), kwargs
    if isinstance(func, torch._ops.OpOverload) and func.namespace == "aten" and name not in _IN_ORDER:
        return _by_schema(func, name, args, kwargs)
    if getattr(func, "__name__", "").endswith("d_with_indices"):  # `F.max_pool2d_with_indices`, told as the pooling
        return name, args, {**kwargs, "return_indices": True}
    return name, args, kwargs


_IN_ORDER = frozenset(["lstm", "gru", "rnn_tanh", "rnn_relu"])  # whose public forms take no names


def _by_schema(func: Any, name: str, args: Any, kwargs: Any) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """An inner operator's arguments by the names that the public operation gives them."""
    names = (argument.name for argument in func._schema.arguments)
    given = dict(zip(names, args, strict=False)) | kwargs
    given.pop("cudnn_enabled", None)
    if name == "slice":
        dim = given.get("dim", 0) % given["self"].dim()
        part = slice(given.get("start"), given.get("end"), given.get("step"))
        return "getitem", (given["self"], (*[slice(None)] * dim, part)), {}
    if name == "embedding":
        return name, (given["indices"], given["weight"]), {}
    if name.startswith("upsample_"):
        return (
            "interpolate",
            (given.get("input", given.get("self")), given["output_size"], given.get("scale_factors")),
            {},
        )
    if name == "convolution":
        kind = "conv_transpose" if given.pop("transposed") else "conv"
        unused = [] if kind == "conv_transpose" else ["output_padding"]
        name, given = f"{kind}{given['weight'].dim() - 2}d", {k: v for k, v in given.items() if k not in unused}
    if "with_indices" in func.__name__:
        given["return_indices"] = True
    return name, (), given
