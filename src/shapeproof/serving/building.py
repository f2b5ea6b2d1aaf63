"""From a design to a module on the meta device: shapes and no memory, however large the layers are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from shapeproof.errors import UsageError
from shapeproof.serving.network import INPUT, Design, Layer


class Add(nn.Module):
    """The sum of two tensors of one shape, as a residual network joins its branches."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """``(N, C, H, W)`` twice to the same shape."""
        return torch.add(a, b)


class Concat(nn.Module):
    """Two tensors one behind the other along the channels, as a U-Net joins its levels."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """``(N, C, H, W)`` and ``(N, D, H, W)`` to ``(N, C + D, H, W)``."""
        return torch.cat((a, b), dim=1)


class Drawn(nn.Module):
    """A design as a module: each layer under its own name."""

    def __init__(self, plan: list[tuple[str, nn.Module, tuple[str, ...]]]) -> None:
        super().__init__()
        self._plan = [(name, sources) for name, _, sources in plan]
        for name, module, _ in plan:
            self.add_module(name, module)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layers in order."""
        values = {INPUT: x}
        for name, sources in self._plan:
            values[name] = self.get_submodule(name)(*(values[source] for source in sources))
        return values[self._plan[-1][0]]


@dataclass(frozen=True)
class Built:
    """A design made into a module.

    Attributes:
        model: The module, in evaluation mode, on the meta device.
        layers: The layers it has, every number filled in.
        missing: How many layers at the end could not be made, since what comes into them is not known.
    """

    model: Drawn
    layers: tuple[Layer, ...]
    missing: int


# what a kind is in PyTorch; numbers are passed by PyTorch's own names
MAKERS: dict[str, Callable[..., nn.Module]] = {
    "conv2d": nn.Conv2d,
    "conv_transpose2d": nn.ConvTranspose2d,
    "max_pool2d": nn.MaxPool2d,
    "avg_pool2d": nn.AvgPool2d,
    "adaptive_avg_pool2d": nn.AdaptiveAvgPool2d,
    "upsample": nn.Upsample,
    "batch_norm2d": nn.BatchNorm2d,
    "relu": nn.ReLU,
    "dropout": nn.Dropout,
    "flatten": nn.Flatten,
    "linear": nn.Linear,
    "add": Add,
    "concat": Concat,
}
# arguments that follow from what comes in where they are left out: kind -> argument, the input's axis
FOLLOWING = {
    "conv2d": ("in_channels", 1),
    "conv_transpose2d": ("in_channels", 1),
    "batch_norm2d": ("num_features", 1),
    "linear": ("in_features", -1),
}


def build(design: Design) -> Built:
    """Make the module, running it layer by layer on shapes alone to fill in what follows from the input.

    Raises:
        UsageError: If PyTorch refuses a layer's numbers themselves, such as a padding over half the window.
    """
    values: dict[str, Tensor | None] = {INPUT: torch.empty(2, *design.size, device="meta")}
    plan, layers = [], []
    for place, layer in enumerate(design.layers):
        sources = design.sources(place)
        entering = [values[source] for source in sources]
        whole = _filled(layer, entering[0])
        if whole is None:
            break
        module = _made(whole)
        plan.append((layer.name, module, sources))
        layers.append(whole)
        values[layer.name] = _passed(module, entering)
    return Built(Drawn(plan).eval(), tuple(layers), len(design.layers) - len(layers))


def _filled(layer: Layer, entering: Tensor | None) -> Layer | None:
    """The layer with what follows from its input; ``None`` where that is not known."""
    argument, axis = FOLLOWING.get(layer.kind, ("", 0))
    if not argument or argument in layer.numbers:
        return layer
    if entering is None:
        return None
    numbers = {**layer.numbers, argument: int(entering.shape[axis])}
    return Layer(layer.name, layer.kind, numbers, layer.source, layer.other)


def arguments(layer: Layer) -> dict[str, Any]:
    """A layer's numbers as PyTorch takes them."""
    return {key: bool(value) if key in ("ceil_mode", "bias") else value for key, value in layer.numbers.items()}


def _made(layer: Layer) -> nn.Module:
    if hasattr(nn.Module, layer.name) or layer.name == INPUT:
        raise UsageError(f"a layer cannot be called {layer.name!r}; PyTorch uses that name")
    numbers = arguments(layer)
    with torch.device("meta"):
        try:
            return MAKERS[layer.kind](**numbers)
        except (TypeError, ValueError, RuntimeError) as error:
            raise UsageError(f"{layer.name}: {error}") from error


def _passed(module: nn.Module, entering: list[Tensor | None]) -> Tensor | None:
    known = [tensor for tensor in entering if tensor is not None]
    if len(known) < len(entering):
        return None
    try:
        with torch.no_grad():
            found: Tensor = module.eval()(*known)
    except (RuntimeError, ValueError, IndexError):  # a shape error; the derivation says which
        return None
    return found
