"""Two well-known networks, written out: ResNet (He et al., 2016) and a decoder like Llama (Touvron et al., 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1, and the way around them."""

    def __init__(self, before: int, width: int, stride: int = 1) -> None:
        super().__init__()
        after = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(before, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, after, 1, bias=False), nn.BatchNorm2d(after)
        self.relu = nn.ReLU(inplace=True)
        straight = stride == 1 and before == after
        self.downsample = (
            None if straight else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, 4 * width, H / stride, W / stride)``."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Four stages of bottlenecks: (3, 4, 6, 3) is ResNet-50, (3, 8, 36, 3) is ResNet-152."""

    def __init__(self, layers: tuple[int, ...] = (3, 4, 6, 3), classes: int = 1000) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.relu, self.maxpool = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)
        before = 64
        for stage, depth in enumerate(layers):
            width = 64 * 2**stage
            blocks = [
                Bottleneck(before if n == 0 else 4 * width, width, 2 if n == 0 < stage else 1) for n in range(depth)
            ]
            before = 4 * width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(before, classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, 3, H, W)`` to ``(N, classes)``."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class RMSNorm(nn.Module):
    """Root mean square normalisation."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        y = x.float()
        return self.weight * (y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + 1e-5)).to(x.dtype)


def turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions."""
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat((-b, a), -1) * sin


class Decoder(nn.Module):
    """One layer: attention with fewer heads for keys, then a gated feed-forward network."""

    def __init__(self, size: int, heads: int, groups: int, hidden: int) -> None:
        super().__init__()
        self.heads, self.groups, self.head = heads, groups, size // heads
        self.norm1, self.norm2 = RMSNorm(size), RMSNorm(size)
        self.q, self.o = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        self.k = nn.Linear(size, groups * self.head, bias=False)
        self.v = nn.Linear(size, groups * self.head, bias=False)
        self.gate, self.up = nn.Linear(size, hidden, bias=False), nn.Linear(size, hidden, bias=False)
        self.down = nn.Linear(hidden, size, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """``(N, T, size)`` to the same."""
        y = self.norm1(x)
        n, t, _ = y.shape
        q = turned(self.q(y).view(n, t, self.heads, self.head).transpose(1, 2), cos, sin)
        k = turned(self.k(y).view(n, t, self.groups, self.head).transpose(1, 2), cos, sin)
        v = self.v(y).view(n, t, self.groups, self.head).transpose(1, 2)
        k, v = (part.repeat_interleave(self.heads // self.groups, 1) for part in (k, v))
        y = scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(y.transpose(1, 2).reshape(n, t, -1))
        y = self.norm2(x)
        return x + self.down(silu(self.gate(y)) * self.up(y))


class Llama(nn.Module):
    """The defaults are those of the largest of the second and third generations: 70 billion parameters."""

    def __init__(
        self,
        layers: int = 80,
        size: int = 8192,
        heads: int = 64,
        groups: int = 8,
        hidden: int = 28672,
        words: int = 128256,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, size)
        self.layers = nn.ModuleList(Decoder(size, heads, groups, hidden) for _ in range(layers))
        self.norm, self.head = RMSNorm(size), nn.Linear(size, words, bias=False)
        self.angles = size // heads

    def forward(self, ids: Tensor) -> Tensor:
        """``(N, T)`` to ``(N, T, words)``."""
        places = torch.arange(ids.shape[1], device=ids.device)
        rates = 500000.0 ** -(torch.arange(0, self.angles, 2, device=ids.device) / self.angles)
        angles = places[:, None] * rates
        angles = torch.cat((angles, angles), -1)
        x = self.embed(ids)
        for layer in self.layers:
            x = layer(x, angles.cos(), angles.sin())
        return self.head(self.norm(x))
