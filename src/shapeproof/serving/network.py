"""A network as the page describes it: an allow-list of layers, each with bounded numbers. No code, only data.

The same table tells the page which sliders a layer has, so that there is one list of what is allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from shapeproof.errors import UsageError

MOST_LAYERS = 120
MOST_SIDE = 1024
MOST_CHANNELS = 16
INPUT = "input"  # the name of what goes into the network


@dataclass(frozen=True)
class Argument:
    """A whole number that a layer takes.

    Attributes:
        low: The least allowed.
        high: The greatest allowed.
        usual: Its value where none is given; ``None`` for one that follows from what comes in.
        slide: How far the page's slider goes; beyond that the number is typed.
    """

    low: int
    high: int
    usual: int | None
    slide: int


def _window(kernel_size: int, stride: int, padding: int) -> dict[str, Argument]:
    return {
        "kernel_size": Argument(1, 31, kernel_size, 11),
        "stride": Argument(1, 16, stride, 4),
        "padding": Argument(0, 31, padding, 8),
    }


_CHANNELS = {"out_channels": Argument(1, 4096, 16, 512), "in_channels": Argument(1, 4096, None, 512)}
_BIAS = {"bias": Argument(0, 1, 1, 1)}
_DILATION = {"dilation": Argument(1, 16, 1, 4)}
KINDS: dict[str, dict[str, Argument]] = {
    "conv2d": {**_CHANNELS, **_window(3, 1, 1), **_DILATION, **_BIAS},
    "conv_transpose2d": {**_CHANNELS, **_window(2, 2, 0), "output_padding": Argument(0, 15, 0, 3), **_BIAS},
    "max_pool2d": {**_window(2, 2, 0), **_DILATION, "ceil_mode": Argument(0, 1, 0, 1)},
    "avg_pool2d": {**_window(2, 2, 0), "ceil_mode": Argument(0, 1, 0, 1)},
    "adaptive_avg_pool2d": {"output_size": Argument(1, 64, 1, 16)},
    "upsample": {"scale_factor": Argument(1, 16, 2, 4)},
    "batch_norm2d": {"num_features": Argument(1, 4096, None, 512)},
    "relu": {},
    "dropout": {},
    "flatten": {},
    "linear": {"out_features": Argument(1, 8192, 10, 512), "in_features": Argument(1, 1_000_000, None, 8192)},
    "add": {},
    "concat": {},
}
JOINING = ("add", "concat")  # these take a second layer's output as well
_NAME = re.compile(r"[a-z][a-z0-9_]{0,23}")


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        name: Its name, unique in the design; also the attribute in the PyTorch code.
        kind: A key of :data:`KINDS`.
        numbers: Its arguments; one that follows from the input is absent.
        source: Whose output it takes; ``None`` for the layer before.
        other: For a joining layer, whose output it takes as well.
    """

    name: str
    kind: str
    numbers: dict[str, int] = field(default_factory=dict)
    source: str | None = None
    other: str | None = None


@dataclass(frozen=True)
class Design:
    """A network: the size ``(C, H, W)`` of what goes in, and its layers in order."""

    size: tuple[int, int, int]
    layers: tuple[Layer, ...]

    def sources(self, place: int) -> tuple[str, ...]:
        """The names whose outputs the layer at ``place`` takes."""
        layer = self.layers[place]
        before = self.layers[place - 1].name if place else INPUT
        first = layer.source or before
        return (first, layer.other) if layer.other else (first,)

    def with_number(self, name: str, argument: str, value: int) -> Design:
        """The design with one number changed."""
        changed = (
            replace(layer, numbers={**layer.numbers, argument: value}) if layer.name == name else layer
            for layer in self.layers
        )
        return replace(self, layers=tuple(changed))

    def with_flatten_before(self, name: str) -> Design:
        """The design with a flatten in front of a layer."""
        taken = {layer.name for layer in self.layers}
        new = next(n for n in ("flatten", *(f"flatten{i}" for i in range(2, MOST_LAYERS + 2))) if n not in taken)
        layers: list[Layer] = []
        for layer in self.layers:
            if layer.name == name:
                layers.append(Layer(new, "flatten", source=layer.source))
                layer = replace(layer, source=None)
            layers.append(layer)
        return replace(self, layers=tuple(layers))

    def to_dict(self) -> dict[str, Any]:
        """The design as :func:`parse` reads it."""
        return {"input": list(self.size), "layers": [_layer_dict(layer) for layer in self.layers]}


def _layer_dict(layer: Layer) -> dict[str, Any]:
    links = {"from": layer.source, "with": layer.other}
    return {
        "name": layer.name,
        "kind": layer.kind,
        **layer.numbers,
        **{k: v for k, v in links.items() if v is not None},
    }


def parse(value: Any) -> Design:
    """Read a design from JSON values.

    Raises:
        UsageError: Naming the layer and the number that are not allowed.
    """
    if not isinstance(value, dict) or not isinstance(value.get("layers"), list):
        raise UsageError("a design is {input: [C, H, W], layers: [...]}")
    size, rows = value.get("input"), value["layers"]
    if not isinstance(size, list) or len(size) != 3 or not all(_whole(number) for number in size):
        raise UsageError("input must be three whole numbers: channels, height, width")
    if not (1 <= size[0] <= MOST_CHANNELS and min(size[1:]) >= 1 and max(size[1:]) <= MOST_SIDE):
        raise UsageError(f"input must be 1 to {MOST_CHANNELS} channels of 1 to {MOST_SIDE} pixels a side")
    if not 1 <= len(rows) <= MOST_LAYERS:
        raise UsageError(f"a design has 1 to {MOST_LAYERS} layers, got {len(rows)}")
    known = [INPUT]
    layers = []
    for row in rows:
        layers.append(_layer(row, known))
        known.append(layers[-1].name)
    return Design((size[0], size[1], size[2]), tuple(layers))


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _layer(row: Any, known: list[str]) -> Layer:
    if not isinstance(row, dict):
        raise UsageError("a layer is {name, kind, ...}")
    name, kind = row.get("name"), row.get("kind")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError("a layer's name is a small letter and up to 23 small letters, digits and underscores")
    if name in known:
        raise UsageError(f"two layers are called {name!r}")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"{name}: there is no kind {str(kind)[:40]!r}; known are {', '.join(KINDS)}")
    numbers = {key: allowed.usual for key, allowed in KINDS[kind].items() if allowed.usual is not None}
    for key, number in row.items():
        if key in ("name", "kind", "from", "with"):
            continue
        numbers[key] = _number(name, kind, key, number)
    source, other = row.get("from"), row.get("with")
    for link in (source, other):
        if link is not None and link not in known:
            raise UsageError(f"{name}: no layer before it is called {str(link)[:40]!r}")
    if (kind in JOINING) != (other is not None):
        raise UsageError(f"{name}: {'with' if kind in JOINING else 'no with'} is needed for {kind}")
    return Layer(name, kind, numbers, source, other)


def _number(name: str, kind: str, key: str, value: Any) -> int:
    allowed = KINDS[kind].get(str(key))
    if allowed is None:
        raise UsageError(f"{name}: {kind} has no {str(key)[:40]!r}; it has {', '.join(KINDS[kind]) or 'no numbers'}")
    if not _whole(value) or not allowed.low <= value <= allowed.high:
        raise UsageError(f"{name}: {key} must be a whole number from {allowed.low} to {allowed.high}")
    return int(value)
