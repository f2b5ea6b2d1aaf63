"""A design as PyTorch code that a user can paste and run."""

from __future__ import annotations

from shapeproof.serving.building import MAKERS, Built, arguments
from shapeproof.serving.network import INPUT, JOINING, Design, Layer

# what PyTorch takes where nothing is said: left out of the code
USUAL = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0, "ceil_mode": False, "bias": True}
FIRST = {
    "conv2d": ("in_channels", "out_channels"),
    "conv_transpose2d": ("in_channels", "out_channels"),
    "linear": ("in_features", "out_features"),
    "batch_norm2d": ("num_features",),
    "max_pool2d": ("kernel_size",),
    "avg_pool2d": ("kernel_size",),
    "adaptive_avg_pool2d": ("output_size",),
}


def code(design: Design, built: Built) -> str:
    """The network as a class, with the line that makes an input for it."""
    layers = built.layers
    lines = ["import torch", "from torch import nn", "", "", "class Net(nn.Module):", "    def __init__(self):"]
    lines.append("        super().__init__()")
    lines += [f"        self.{layer.name} = {made(layer)}" for layer in layers if layer.kind not in JOINING]
    lines += ["", "    def forward(self, x):", *_forward(design, layers)]
    lines += ["", "", "net = Net()", f"x = torch.rand({', '.join(map(str, (1, *design.size)))})"]
    if built.missing:
        lines.append(f"# {built.missing} more layers are not written: what comes into them is not known")
    return "\n".join(lines) + "\n"


def made(layer: Layer) -> str:
    """The constructor's call; the first arguments by place, as people write them."""
    numbers = arguments(layer)
    first = FIRST.get(layer.kind, ())
    pooling = layer.kind in ("max_pool2d", "avg_pool2d")
    usual = {**USUAL, "stride": numbers.get("kernel_size")} if pooling else USUAL
    by_place = [str(numbers.pop(name)) for name in first if name in numbers]
    by_name = [f"{name}={value}" for name, value in numbers.items() if usual.get(name) != value]
    return f"nn.{MAKERS[layer.kind].__name__}({', '.join([*by_place, *by_name])})"


def _forward(design: Design, layers: tuple[Layer, ...]) -> list[str]:
    """The body of ``forward``; an output that is used further down keeps a name of its own."""
    kept = {source for place, _ in enumerate(layers) for source in _far(design, place)}
    names = {INPUT: INPUT if INPUT in kept else "x"}
    lines = [f"        {INPUT} = x"] if INPUT in kept else []
    for place, layer in enumerate(layers):
        taken = [names[source] for source in design.sources(place)]
        target = layer.name if layer.name in kept else "x"
        names[layer.name] = target
        lines.append(f"        {target} = {_called(layer, taken)}")
    return [*lines, f"        return {names[layers[-1].name] if layers else 'x'}"]


def _far(design: Design, place: int) -> list[str]:
    """Names that the layer at ``place`` takes from further up than the layer before."""
    before = design.layers[place - 1].name if place else INPUT
    return [source for source in design.sources(place) if source != before]


def _called(layer: Layer, taken: list[str]) -> str:
    if layer.kind == "add":
        return " + ".join(taken)
    if layer.kind == "concat":
        return f"torch.cat(({', '.join(taken)}), dim=1)"
    return f"self.{layer.name}({', '.join(taken)})"
