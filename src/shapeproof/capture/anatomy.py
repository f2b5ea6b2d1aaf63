"""What a model is made of, found in one walk, since every run asks for it in several places."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from shapeproof.records import dataclass, usual


@usual
@dataclass(frozen=True)
class Anatomy:
    """The parts of a model, each once.

    Attributes:
        modules: every module under its dotted path; a shared one under the first.
        parameters: what ``model.parameters()`` gives.
        buffers: what ``model.buffers()`` gives.
    """

    modules: tuple[tuple[str, nn.Module], ...] = ()
    parameters: tuple[Tensor, ...] = ()
    buffers: tuple[Tensor, ...] = ()

    @cached_property
    def sized(self) -> tuple[Tensor, ...]:
        """Parameters and buffers that have a size before the run."""
        return tuple(tensor for tensor in (*self.parameters, *self.buffers) if not is_lazy(tensor))

    @property
    def waits(self) -> bool:
        """Whether some layer takes its sizes from the first input."""
        return len(self.sized) < len(self.parameters) + len(self.buffers)

    @property
    def on_meta(self) -> bool:
        """Whether some of it has no values to compute with."""
        return any(tensor.device.type == "meta" for tensor in self.sized)


def anatomy(model: Any) -> Anatomy:
    """Walk through a module; any other callable has no parts."""
    if not isinstance(model, nn.Module):
        return Anatomy()
    modules = tuple(model.named_modules())
    parameters = (tensor for _, module in modules for tensor in module._parameters.values())
    buffers = (tensor for _, module in modules for tensor in module._buffers.values())
    return Anatomy(modules, _once(parameters), _once(buffers))


def _once(found: Iterable[Tensor | None]) -> tuple[Tensor, ...]:
    return tuple({id(tensor): tensor for tensor in found if tensor is not None}.values())
