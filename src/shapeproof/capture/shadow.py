"""Tensors without values: what a run on shapes alone gives to PyTorch in the place of large tensors."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor

from shapeproof.capture.anatomy import Anatomy
from shapeproof.capture.effort import SMALL
from shapeproof.capture.nesting import mapped, tensors
from shapeproof.capture.trace import Call
from shapeproof.dims import product
from shapeproof.rules.registry import Derived

# Calls that hand a tensor's values to Python.
READS = frozenset(["item", "tolist", "numpy", "bool", "int", "float", "index", "array", "contains", "complex"])


# Calls that make a tensor from sizes alone.
_FACTORIES = frozenset(["zeros", "ones", "empty", "full", "rand", "randn", "randint", "arange", "linspace", "eye"])

# Calls whose sizes or ends may be single numbers in tensors, which are of no use without their values.
_TAKE_SIZES = frozenset(
    """interpolate view reshape expand repeat split unflatten narrow pad roll tile getitem setitem zeros ones empty full
    arange linspace new_zeros new_ones new_empty new_full adaptive_avg_pool2d""".split()
)


class Shadows:
    """Tensors on the meta device that stand for real ones, one for each."""

    def __init__(self, parts: Anatomy) -> None:
        """Parameters never take part with their values."""
        self._parameters = set(map(id, parts.parameters))
        # where the model believes its tensors to be: code that asks goes the way that it would go with values
        self._device = None if parts.on_meta else next((t.device for t in parts.sized), torch.device("cpu"))
        self._made: dict[int, tuple[weakref.ref[Tensor], Tensor]] = {}

    def answer(self, name: str, result: Any) -> Any:
        """What the model is told when it asks a tensor without values for its device."""
        if self._device is None or name not in ("device", "is_meta", f"is_{self._device.type}"):
            return result
        return self._device if name == "device" else name != "is_meta"

    def instead(self, name: str, args: Any, kwargs: dict[str, Any], derived: Derived | None) -> Any:
        """Arguments for a call: without values, unless all of them are small and what comes out is too."""
        found = list(tensors((args, kwargs)))
        large = any(t.device.type == "meta" or id(t) in self._parameters or t.numel() > SMALL for t in found)
        if large or (derived and any(int(product(shape)) > SMALL for shape in derived.shapes)):
            of = self._of_all_but_sizes if name in _TAKE_SIZES else self._of
            args, kwargs = mapped(of, (args, kwargs))
            return args, {**kwargs, "device": "meta"} if name in _FACTORIES else kwargs
        return args, kwargs

    def _of_all_but_sizes(self, tensor: Tensor) -> Tensor:
        return tensor if not tensor.shape and not tensor.is_floating_point() else self._of(tensor)

    def _of(self, tensor: Tensor) -> Tensor:
        if tensor.device.type == "meta" or tensor.layout != torch.strided:
            return tensor
        alive, made = self._made.get(id(tensor), (None, None))
        if made is None or alive is None or alive() is not tensor or made.shape != tensor.shape:
            made = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
            if torch.is_grad_enabled() and tensor.requires_grad:
                made.requires_grad_()
                made = made if tensor.is_leaf else made.clone()  # a leaf could not be written into
            self._made[id(tensor)] = (weakref.ref(tensor), made)
        return made


def moved(name: str, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
    """The arguments of a move to a device for a tensor without values, which stays where it is; ``None`` for others."""
    if name not in ("to", "cpu", "cuda") or not args or getattr(args[0], "device", None) != torch.device("meta"):
        return None
    if name != "to":
        return (args[0], "meta"), {}
    meta = torch.device("meta")
    places = tuple(meta if isinstance(part, (str, torch.device)) or type(part) is int else part for part in args[1:])
    return (args[0], *places), {key: meta if key == "device" else part for key, part in kwargs.items()}


def check_indices(call: Call, given: Any) -> None:
    """Refuse indices beyond a table as PyTorch does where the tensors have values: on the meta device it cannot tell.

    Raises:
        IndexError: where the rule knows that the largest is too large.
    """
    if call.violation and call.violation.code == "index-range" and any(t.is_meta for t in tensors(given)):
        raise IndexError("index out of range in self")
