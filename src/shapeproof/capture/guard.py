"""Leaving a model as it was: whatever its forward changes while it is watched is put back, on failure too."""

from __future__ import annotations

import functools
import operator
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from shapeproof.capture.anatomy import Anatomy
from shapeproof.capture.nesting import tensors

_CLOSED = (str, int, float, Tensor, nn.Module, type, types.ModuleType, types.FunctionType, types.MethodType)
_CONTAINERS = (dict, set, list, deque)
# what cannot change, told at once by its very type, as most attributes can be
_UNCHANGING = frozenset((str, int, float, bool, type(None), torch.Tensor, nn.Parameter))
_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    *(
        (functools.partial(getattr, place, name), functools.partial(setattr, place, name))
        for place in (torch.backends.cudnn,)
        for name in ("enabled", "benchmark", "deterministic")
    ),
)


@contextmanager
def untouched(parts: Anatomy, given: Iterable[Any] = ()) -> Iterator[list[Tensor]]:
    """Swap the buffers for copies, note every attribute and setting, and put all of it back when the block ends.

    Args:
        parts: the model's.
        given: what the model is called with, such as a cache that it lets grow: its contents are put back too.

    Yields:
        The copies, into which the block may write.
    """
    modules = [module for _, module in parts.modules]
    contents = Contents()
    settings = [get() for get, _ in _SETTINGS]
    for module in modules:
        contents.note(module.__dict__)
    for value in given:
        contents.note(value)
    try:
        copies: dict[int, Tensor] = {}
        for module in modules:
            # a new dictionary, so that the model's own is never written
            if module._buffers:
                module.__dict__["_buffers"] = {k: _copied(v, copies) for k, v in module._buffers.items()}
            if module._parameters:
                module.__dict__["_parameters"] = dict(module._parameters)
        yield list(copies.values())
    finally:
        contents.put_back()
        for (get, put), value in zip(_SETTINGS, settings, strict=True):
            if get() != value:
                put(value)


class Contents:
    """What stands in plain containers and in the attributes of plain objects, however deep, and puts it back."""

    def __init__(self) -> None:
        """Nothing noted yet."""
        self._empty: list[Any] = []  # as most of a module's containers are: its hooks of every kind
        self._noted: dict[int, tuple[Any, Any]] = {}
        self._drawn: dict[int, tuple[Callable[[Any], Any], Any]] = {}

    def note(self, value: Any) -> None:
        """Keep what a container holds; of any other object, what its attributes hold; of a generator, its state."""
        waiting = [value]
        for value in waiting:  # which grows as it is gone through
            if type(value) in _UNCHANGING:
                continue
            if isinstance(value, _CONTAINERS) and not value:
                self._empty.append(value)
            elif id(value) not in self._noted and not isinstance(value, _CLOSED):
                waiting.extend(self._noted_here(value))

    def _noted_here(self, value: Any) -> Iterable[Any]:
        """Keep what stands in one object, and say what further objects stand in it."""
        if isinstance(value, dict):
            self._noted[id(value)] = (value, dict(value))
            return value.values()
        if isinstance(value, (list, deque)):
            self._noted[id(value)] = (value, list(value))
            return value
        if isinstance(value, set):
            self._noted[id(value)] = (value, set(value))
        elif isinstance(value, torch.Generator):
            self._drawn[id(value)] = (value.set_state, value.get_state())
        elif isinstance(value, random.Random):
            self._drawn[id(value)] = (value.setstate, value.getstate())
        elif isinstance(value, tuple):
            return value
        elif type(held := getattr(value, "__dict__", None)) is dict:
            return (held,)
        return ()

    def put_back(self) -> None:
        """Give every container the contents that it had."""
        for held in self._empty:
            if held:
                held.clear()
        for held, contents in self._noted.values():
            if held == contents if isinstance(held, set) else _same(held, contents):
                continue
            held.clear()
            held.update(contents) if isinstance(held, (dict, set)) else held.extend(contents)
        for put, state in self._drawn.values():
            put(state)


def _same(held: Any, contents: Any) -> bool:
    """Whether the very same objects stand in the same places; equality would ask tensors."""
    if len(held) != len(contents):
        return False
    if isinstance(held, dict) and not all(map(operator.is_, held.values(), contents.values())):
        return False
    return all(map(operator.is_, held, contents))


def _copied(buffer: Tensor | None, copies: dict[int, Tensor]) -> Tensor | None:
    """One copy for each buffer, so that a buffer shared by two modules stays shared."""
    if buffer is None or is_lazy(buffer):
        return buffer
    if id(buffer) not in copies:
        copies[id(buffer)] = buffer.detach().clone()
    return copies[id(buffer)]


@contextmanager
def same_randomness() -> Iterator[None]:
    """Put the random state of torch (every device in use), Python and numpy back when the block ends."""
    state, python = torch.get_rng_state(), random.getstate()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]
    numpy = sys.modules.get("numpy.random")  # where nobody has loaded it yet, nobody has drawn from it
    drawn = numpy.get_state() if numpy else None
    try:
        yield
    finally:
        torch.set_rng_state(state)
        random.setstate(python)
        if devices is not None:
            torch.cuda.set_rng_state_all(devices)
        if numpy:
            numpy.set_state(drawn)


def memory(tensor: Tensor) -> int:
    """Which memory a tensor lies in; a view lies in that of the tensor it looks at."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):  # sparse ones, and those inside of vmap, have none of their own
        return id(tensor)


class Memory:
    """Keeps the contents of tensors from before the run, from just before a forward first writes into them."""

    def __init__(self, parts: Anatomy) -> None:
        """Note which parameters take gradients, and their gradients."""
        self._gradients = [(p, p.requires_grad, p.grad) for p in parts.parameters if not is_lazy(p)]
        self._made: set[int] = set()
        self._kept: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}
        self._data: dict[int, tuple[Tensor, Tensor]] = {}
        self._laid: dict[int, tuple[Tensor, int, torch.Size, tuple[int, ...]]] = {}

    def made(self, *places: int) -> None:
        """Memory that belongs to this run alone may be written into."""
        self._made.update(places)

    def about_to_write(self, *targets: Any) -> None:
        """Copy whatever these tensors look at, unless this run has made it."""
        for target in tensors(targets):
            place = memory(target)
            if place in self._made or target.device.type == "meta":
                continue
            if target.layout != torch.strided or is_lazy(target) or target.is_nested:
                continue
            laid = (target, int(target.storage_offset()), target.shape, target.stride())
            self._laid.setdefault(id(target), laid)
            if place not in self._kept:
                storage = target.untyped_storage()
                self._kept[place] = (storage, storage.clone())  # type: ignore[no-untyped-call]

    def about_to_replace(self, tensor: Tensor) -> None:
        """Note what a tensor looks at, before ``tensor.data = ...``."""
        if not is_lazy(tensor):
            self._data.setdefault(id(tensor), (tensor, tensor.detach()))

    def put_back(self) -> None:
        """Write the kept contents back."""
        with torch.no_grad():
            for tensor, data in self._data.values():
                tensor.data = data
            for storage, copy in self._kept.values():
                if storage.nbytes() != copy.nbytes():
                    storage.resize_(copy.nbytes())
                storage.copy_(copy)
            for tensor, offset, size, stride in self._laid.values():
                if (tensor.shape, tensor.stride()) != (size, stride):
                    tensor.set_(tensor.untyped_storage(), offset, size, stride)
        for parameter, wanted, gradient in self._gradients:
            if parameter.requires_grad != wanted:
                parameter.requires_grad_(wanted)
            if parameter.grad is not gradient:
                parameter.grad = gradient
