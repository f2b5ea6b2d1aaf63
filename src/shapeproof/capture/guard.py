"""Leaving a model as it was: whatever its forward changes while it is watched is put back, on failure too."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy


def _containers(value: Any) -> Any:
    """A copy of a plain container one level deep; anything else as it is."""
    return value.copy() if type(value) in (list, dict, set) else value


def _put_back(held: Any, copy: Any) -> None:
    """Give a plain container the contents that it had."""
    if type(held) is list:
        held[:] = copy
    elif type(held) in (dict, set):
        held.clear()
        held.update(copy)


@contextmanager
def untouched(model: Any) -> Iterator[None]:
    """Swap the buffers for copies, note every attribute, and put all of it back when the block ends."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    attributes = [(m, dict(m.__dict__), {k: _containers(v) for k, v in m.__dict__.items()}) for m in modules]
    try:
        copies: dict[int, Tensor] = {}
        for module in modules:
            # a new dictionary, so that the model's own is never written
            module.__dict__["_buffers"] = {k: _copied(v, copies) for k, v in module._buffers.items()}
            module.__dict__["_parameters"] = dict(module._parameters)
        yield
    finally:
        for module, held, copied in attributes:
            module.__dict__.clear()
            module.__dict__.update(held)
            for key, value in held.items():
                _put_back(value, copied[key])


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


class Weights:
    """Keeps the contents of parameters that a forward writes into, from just before the first write."""

    def __init__(self, model: Any) -> None:
        """Watch the parameters of a module; of any other callable there is nothing to watch."""
        found = model.parameters() if isinstance(model, nn.Module) else ()
        self._storages = {
            p.untyped_storage().data_ptr(): p for p in found if p.device.type != "meta" and not is_lazy(p)
        }
        self._kept: dict[int, Tensor] = {}

    def about_to_write(self, target: Any) -> None:
        """Copy the parameter that ``target`` shares memory with, if it is one."""
        if not isinstance(target, Tensor) or target.device.type == "meta" or not target.numel():
            return
        place = target.untyped_storage().data_ptr()
        if place in self._storages and place not in self._kept:
            self._kept[place] = self._storages[place].detach().clone()

    def put_back(self) -> None:
        """Write the kept contents back."""
        with torch.no_grad():
            for place, copy in self._kept.items():
                self._storages[place].copy_(copy)
