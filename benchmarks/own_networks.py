"""Networks for 28x28 grey pictures as people write them, for trying recipes on."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def conv(i: int, o: int, stride: int = 1, kernel: int = 3, groups: int = 1) -> list[nn.Module]:
    """A convolution, its normalisation and ReLU."""
    layer = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [layer, nn.BatchNorm2d(o), nn.ReLU()]


def pooled(o: int) -> list[nn.Module]:
    """Global average pooling and a linear layer."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(o, 10)]


def mlp() -> nn.Module:
    """One hidden layer."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))


def lenet() -> nn.Module:
    """LeNet-5 with ReLU and max pooling (after LeCun et al. 1998)."""
    features = [nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU()]
    head = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*features, nn.MaxPool2d(2), nn.Flatten(), *head)


def plain() -> nn.Module:
    """Three convolutions without normalisation, and global average pooling."""
    stages = [
        m
        for i, o in ((1, 32), (32, 64), (64, 128))
        for m in (nn.Conv2d(i, o, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    ]
    return nn.Sequential(*stages, *pooled(128))


def vgg(channels: tuple[int, ...] = (32, 64), repeats: int = 2) -> nn.Module:
    """Stages of 3x3 convolutions without normalisation, and two linear layers with dropout."""
    layers: list[nn.Module] = []
    i = 1
    for o in channels:
        for _ in range(repeats):
            layers += [nn.Conv2d(i, o, 3, padding=1), nn.ReLU()]
            i = o
        layers.append(nn.MaxPool2d(2))
    side = 28 // 2 ** len(channels)
    head = [nn.Linear(i * side * side, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)]
    return nn.Sequential(*layers, nn.Flatten(), *head)


def deep_vgg() -> nn.Module:
    """The same with nine convolutions."""
    return vgg((16, 32, 64), 3)


def chain() -> nn.Module:
    """Five normalised convolutions."""
    return nn.Sequential(
        *conv(1, 32), *conv(32, 64, 2), *conv(64, 64), *conv(64, 128, 2), *conv(128, 128), *pooled(128)
    )


def separable() -> nn.Module:
    """Depthwise and pointwise convolutions, after MobileNet (Howard et al. 2017)."""
    layers = conv(1, 32)
    for i, o, stride in ((32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1)):
        layers += [*conv(i, i, stride, groups=i), *conv(i, o, kernel=1)]
    return nn.Sequential(*layers, *pooled(128))


class Block(nn.Module):
    """Two normalised convolutions beside a shortcut: a 1x1 convolution, with its normalisation where asked."""

    def __init__(self, i: int, o: int, stride: int, normalised: bool) -> None:
        super().__init__()
        self.way = nn.Sequential(*conv(i, o, stride), *conv(o, o)[:2])
        shortcut = [nn.Conv2d(i, o, 1, stride), *([nn.BatchNorm2d(o)] if normalised else [])]
        self.shortcut = nn.Identity() if i == o and stride == 1 else nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, i, H, W)`` to ``(N, o, H / stride, W / stride)``."""
        return torch.relu(self.way(x) + self.shortcut(x))


def resnet(normalised: bool = True) -> nn.Module:
    """Eight layers, after the networks of He et al. 2016 for small pictures."""
    blocks = [Block(i, o, s, normalised) for i, o, s in ((16, 16, 1), (16, 32, 2), (32, 64, 2))]
    return nn.Sequential(*conv(1, 16), *blocks, *pooled(64))


def bare_resnet() -> nn.Module:
    """The same with no normalisation on its shortcuts and on its first convolution."""
    blocks = [Block(16, 32, 2, False), Block(32, 64, 2, False)]
    return nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), *blocks, *pooled(64))


NETWORKS = {
    "MLP": mlp,
    "LeNet": lenet,
    "plain, global pooling": plain,
    "VGG": vgg,
    "deep VGG": deep_vgg,
    "normalised chain": chain,
    "separable": separable,
    "ResNet": resnet,
    "bare ResNet": bare_resnet,
}
