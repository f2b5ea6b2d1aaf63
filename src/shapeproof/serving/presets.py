"""Networks to begin with: the document's two, its mistake, and well-known ones.

Sources: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998 (LeNet-5, here with ReLU and max
pooling); Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, as torchvision has it
(AlexNet's features); Simonyan and Zisserman, 2015 (VGG-11); Ronneberger et al., 2015 (U-Net, small and padded);
He et al., 2016 (ResNet-18).
"""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def _conv(name: str, out: int, kernel: int = 3, stride: int = 1, padding: int | None = None, **links: Any) -> Row:
    around = kernel // 2 if padding is None else padding
    numbers = {"out_channels": out, "kernel_size": kernel, "stride": stride, "padding": around}
    row: Row = {"name": name, "kind": "conv2d", **numbers}
    return row | links


def _plain(name: str, kind: str, **numbers: Any) -> Row:
    return {"name": name, "kind": kind, **numbers}


def _pool(name: str, kernel: int = 2, stride: int = 2, padding: int = 0) -> Row:
    return _plain(name, "max_pool2d", kernel_size=kernel, stride=stride, padding=padding)


def _stages(count: int) -> list[Row]:
    """The document's stages: the first without normalisation."""
    rows: list[Row] = []
    for i in range(1, count + 1):
        rows.append(_conv(f"conv{i}", 8 * 2**i, 5))
        if i > 1:
            rows.append(_plain(f"bn{i}", "batch_norm2d"))
        rows += [_plain(f"relu{i}", "relu"), _pool(f"pool{i}")]
    return rows


def document(count: int, in_features: int) -> Row:
    """The document's network of ``count`` stages, with the last layer as given."""
    last = [_plain("flatten", "flatten"), _plain("fc", "linear", in_features=in_features, out_features=10)]
    return {"input": [1, 28, 28], "layers": [*_stages(count), *last]}


def _lenet() -> Row:
    rows = [_conv("conv1", 6, 5, padding=0), _plain("relu1", "relu"), _pool("pool1")]
    rows += [_conv("conv2", 16, 5, padding=0), _plain("relu2", "relu"), _pool("pool2"), _plain("flatten", "flatten")]
    for i, (into, out) in enumerate(((400, 120), (120, 84), (84, 10)), 1):
        rows.append(_plain(f"fc{i}", "linear", in_features=into, out_features=out))
        rows += [_plain(f"relu{i + 2}", "relu")] if i < 3 else []
    return {"input": [1, 32, 32], "layers": rows}


def _alexnet() -> Row:
    rows = [_conv("conv1", 64, 11, 4, 2), _plain("relu1", "relu"), _pool("pool1", 3)]
    rows += [_conv("conv2", 192, 5), _plain("relu2", "relu"), _pool("pool2", 3)]
    for i, out in ((3, 384), (4, 256), (5, 256)):
        rows += [_conv(f"conv{i}", out), _plain(f"relu{i}", "relu")]
    return {"input": [3, 224, 224], "layers": [*rows, _pool("pool3", 3)]}


def _vgg11() -> Row:
    rows: list[Row] = []
    number = 0
    for level, widths in enumerate(((64,), (128,), (256, 256), (512, 512), (512, 512)), 1):
        for width in widths:
            number += 1
            rows += [_conv(f"conv{number}", width), _plain(f"relu{number}", "relu")]
        rows.append(_pool(f"pool{level}"))
    rows.append(_plain("flatten", "flatten"))
    for i, (into, out) in enumerate(((25088, 4096), (4096, 4096), (4096, 1000)), 1):
        rows.append(_plain(f"fc{i}", "linear", in_features=into, out_features=out))
        rows += [_plain(f"relu_fc{i}", "relu"), _plain(f"drop{i}", "dropout")] if i < 3 else []
    return {"input": [3, 224, 224], "layers": rows}


def _unet() -> Row:
    rows: list[Row] = []

    def block(name: str, width: int) -> None:
        rows.extend(
            [_conv(f"{name}_conv", width), _plain(f"{name}_bn", "batch_norm2d"), _plain(f"{name}_relu", "relu")]
        )

    for level, width in ((1, 16), (2, 32)):
        block(f"down{level}", width)
        rows.append(_pool(f"pool{level}"))
    block("middle", 64)
    for level, width in ((2, 32), (1, 16)):
        rows.append(_plain(f"up{level}", "conv_transpose2d", out_channels=width, kernel_size=2, stride=2))
        rows.append(_plain(f"join{level}", "concat", **{"with": f"down{level}_relu"}))
        block(f"merge{level}", width)
    return {"input": [1, 64, 64], "layers": [*rows, _conv("out", 2, 1)]}


def _resnet18() -> Row:
    rows = [
        _conv("conv1", 64, 7, 2, bias=0),
        _plain("bn1", "batch_norm2d"),
        _plain("relu1", "relu"),
        _pool("pool1", 3, 2, 1),
    ]
    last, width_in = "pool1", 64
    for stage, width in enumerate((64, 128, 256, 512), 1):
        for part in "ab":
            stride = 2 if width != width_in else 1
            name, begin, skip = f"s{stage}{part}", last, last
            rows += [_conv(f"{name}_conv1", width, 3, stride, bias=0), _plain(f"{name}_bn1", "batch_norm2d")]
            rows += [
                _plain(f"{name}_relu1", "relu"),
                _conv(f"{name}_conv2", width, bias=0),
                _plain(f"{name}_bn2", "batch_norm2d"),
            ]
            end = f"{name}_bn2"
            if width != width_in:
                rows += [
                    _conv(f"{name}_down", width, 1, stride) | {"bias": 0, "from": begin},
                    _plain(f"{name}_bn3", "batch_norm2d"),
                ]
                skip, width_in = f"{name}_bn3", width
            rows.append(_plain(f"{name}_add", "add", **{"from": end, "with": skip}))
            rows.append(_plain(f"{name}_relu2", "relu"))
            last = f"{name}_relu2"
    head = [_plain("pool2", "adaptive_avg_pool2d", output_size=1), _plain("flatten", "flatten")]
    return {
        "input": [3, 224, 224],
        "layers": [*rows, *head, _plain("fc", "linear", in_features=512, out_features=1000)],
    }


# The learner believed that MaxPool2d(2) halves: 28, 14, 7, 3.5, so that four stages would leave 2 x 2 of 128 maps.
PRESETS: dict[str, Row] = {
    "mistake": document(4, 2 * 2 * 128),
    "two-stage": document(2, 7 * 7 * 32),
    "four-stage": document(4, 1 * 1 * 128),
    "lenet-5": _lenet(),
    "alexnet": _alexnet(),
    "vgg-11": _vgg11(),
    "u-net": _unet(),
    "resnet-18": _resnet18(),
}
